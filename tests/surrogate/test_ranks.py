"""Ranks are those of scipy, to the last bit."""

import numpy as np
import pytest
from scipy.stats import rankdata

from pelnas.surrogate.ranks import ranks


@pytest.mark.parametrize("seed", range(20))
def test_ranks_are_those_of_scipy(seed: int) -> None:
    values = np.random.default_rng(seed).integers(0, 12, 30) / 7.0
    values[seed % 3 :: 9] = np.inf
    values[seed % 5 :: 11] = -np.inf
    assert ranks(values).tolist() == rankdata(values).tolist()


def test_nothing_has_no_ranks() -> None:
    assert ranks(np.array([])).tolist() == []
