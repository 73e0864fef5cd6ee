"""How networks are exported and timed is looked at here."""

from collections.abc import Iterator

import pytest
import quick


@pytest.fixture(autouse=True)
def _in_full() -> Iterator[None]:
    with quick.in_full():
        yield
