import numpy as np
import pytest

from pelnas.bench.search.results import Key, Result
from pelnas.bench.search.statistics import compare, holm, means, signed_rank


def test_holm_by_the_example_of_the_definition() -> None:
    """Sorted p times 4, 3, 2, 1, never falling: 0.005 -> 0.02, 0.01 -> 0.03, 0.03 -> 0.06, ..."""
    assert holm([0.01, 0.04, 0.03, 0.005]) == pytest.approx([0.03, 0.06, 0.06, 0.02])
    assert holm([0.9, 0.8]) == [1.0, 1.0]
    known = holm([0.02, float("nan")])
    assert known[0] == 0.02
    assert np.isnan(known[1])


def test_signed_ranks_of_six_equal_signs() -> None:
    """Two of the 2**6 sign patterns are as extreme."""
    assert signed_rank(np.arange(1.0, 7.0)) == pytest.approx(2 / 64)
    assert signed_rank(np.zeros(6)) == 1.0
    assert np.isnan(signed_rank(np.ones(5)))


def result(method: str, device: str, seed: int, value: float, error: str = "") -> Result:
    key = Key("tiny", "toy10", device, "table", method, "", seed, 100)
    names = ("hv", "igd", "front_hv", "front_igd", "found")
    return Result(key, error=error, evaluations=100, curve={name: [0.0, value] for name in names})


def test_cells_weigh_the_same_however_many_seeds_they_have() -> None:
    results = [result("a", "one", 0, 0.0), *(result("a", "two", s, 1.0) for s in range(3))]
    (row,) = means([*results, result("a", "two", 9, 0.0, error="failed")])
    assert row.quality["front_hv"].value == 0.5
    assert (row.searches, row.cells, row.seeds) == (4, 2, 3)


def test_a_method_against_another_over_cells_and_seeds() -> None:
    rng = np.random.default_rng(1)
    results = []
    for seed in range(10):
        base = float(rng.random())
        noise = float(rng.normal(0, 0.001))
        results += [result("a", "won", seed, base + 0.1 + noise), result("b", "won", seed, base)]
        results += [result("a", "lost", seed, base - 0.01 + noise), result("b", "lost", seed, base)]
        results += [result("a", "tied", seed, base), result("b", "tied", seed, base)]
    (found,) = compare(results, "a", ["b"], "front_hv")
    assert (found.won, found.tied, found.lost) == (1, 1, 1)
    assert found.pairs == 30
    assert found.ahead.value == pytest.approx(0.03, abs=0.001)
    assert found.ahead.low < found.ahead.value < found.ahead.high
    few = [one for one in results if one.key.seed < 4]
    (undecided,) = compare(few, "a", ["b"], "front_hv")
    assert (undecided.won, undecided.tied, undecided.lost) == (0, 3, 0)
    (lower,) = compare(results, "a", ["b"], "igd")
    assert lower.ahead.value == pytest.approx(-found.ahead.value)
    assert lower.p == pytest.approx(found.p)
