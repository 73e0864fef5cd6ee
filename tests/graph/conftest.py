"""Searches of tests that are interrupted between any two evaluations."""

from collections.abc import Iterator

import pytest

from pelnas.graph.search import evaluate


@pytest.fixture(scope="package", autouse=True)
def each_evaluation_alone() -> Iterator[None]:
    """Tables answer at once, so a search would store a whole round of them in one transaction."""
    with pytest.MonkeyPatch.context() as patched:
        patched.setattr(evaluate, "MOMENT", 0.0)
        yield
