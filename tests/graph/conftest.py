"""Searches of tests that are interrupted between any two evaluations."""

from collections.abc import Iterator

import pytest

from pelnas.graph.search import evaluate
from pelnas.report import write_front


@pytest.fixture(scope="package", autouse=True)
def each_evaluation_alone() -> Iterator[None]:
    """Tables answer at once, so a search would store a whole round of them in one transaction."""
    with pytest.MonkeyPatch.context() as patched:
        patched.setattr(evaluate, "MOMENT", 0.0)
        yield


@pytest.fixture(scope="module")
def no_pictures() -> Iterator[None]:
    """Nobody looks at the reports of these runs."""
    with pytest.MonkeyPatch.context() as patched:
        patched.setattr("pelnas.graph.search.nodes.write_all", write_front)
        yield
