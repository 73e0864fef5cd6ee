import numpy as np
import pytest

from pelnas.bench.search.accounting import (
    designed,
    entropies,
    fifths,
    operations,
    operations_of,
)
from pelnas.spaces import get_space

SPACE = get_space("tiny")
EVERYTHING = [SPACE.at(index) for index in range(SPACE.size)]


def test_a_whole_space_has_a_fifth_in_each_fifth() -> None:
    latency = np.arange(1.0, 101.0)
    assert fifths(latency, latency) == pytest.approx([0.2] * 5 + [0])
    seen = np.array([1.0, 2.0, 99.0, float("inf")])
    assert fifths(seen, latency) == pytest.approx([0.5, 0, 0, 0, 0.25, 0.25])


def test_a_whole_space_has_the_shares_of_its_choices() -> None:
    assert operations(SPACE, EVERYTHING) == pytest.approx(operations_of(SPACE))
    assert operations_of(SPACE) == pytest.approx(dict.fromkeys(SPACE.operations, 0.2))


def test_entropy_of_equal_and_of_all_choices() -> None:
    """Five choices, equally often: log2(5) bits; one alone: none."""
    assert entropies([SPACE.at(0)] * 60) == [0.0]
    blocks = [SPACE.of((gene, gene, gene)) for gene in range(5)] * 24  # two blocks of 60
    assert entropies(blocks) == pytest.approx([np.log2(5)] * 2)


def test_who_designed_what_is_shown() -> None:
    assert designed(["a", "b", "a"], [2]) == {"a": (2, 1), "b": (1, 0)}
    assert designed([], []) == {}
