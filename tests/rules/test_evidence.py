"""Effects and errors against the definitions, counted and enumerated."""

from itertools import combinations

import numpy as np
import pytest

from pelnas.predicate import parse_predicate
from pelnas.rules.evidence import METRICS, Evidence, Observation

HOLDS = parse_predicate("a == 1")


def observe(rows: list[tuple[int, int, float]], latency: float = 1.0) -> list[Observation]:
    """(niche, satisfies the predicate, score) as observations."""
    return [
        Observation(f"c{k}", niche, {"a": float(a)}, score, latency + k)
        for k, (niche, a, score) in enumerate(rows)
    ]


def effect(rows: list[tuple[int, int, float]], niche: int | None = None) -> tuple[float, float]:
    evidence = Evidence(observe(rows))
    here = evidence.within(niche)
    found = here.effects(here.holders(HOLDS)[:, None], "accuracy")
    return float(found.effect[0]), float(found.error[0])


def delta(holders: list[float], others: list[float]) -> float:
    """Cliff's delta by its definition: every pair, one point for better, minus one for worse."""
    return float(np.mean([np.sign(h - o) for h in holders for o in others]))


def test_one_niche_is_cliffs_delta() -> None:
    rows = [(0, 1, 3.0), (0, 1, 1.0), (0, 1, 2.0), (0, 0, 2.0), (0, 0, 0.5)]
    assert effect(rows)[0] == pytest.approx(delta([3.0, 1.0, 2.0], [2.0, 0.5]))


def test_niches_are_pooled_with_van_elterens_weights() -> None:
    rows = [
        (0, 1, 3.0),
        (0, 1, 1.0),
        (0, 0, 2.0),
        (7, 1, 9.0),
        (7, 0, 8.0),
        (7, 0, 7.0),
        (7, 0, 9.5),
    ]
    first, second = delta([3.0, 1.0], [2.0]), delta([9.0], [8.0, 7.0, 9.5])
    weights = 2 * 1 / 4, 1 * 3 / 5
    pooled = (weights[0] * first + weights[1] * second) / sum(weights)
    assert effect(rows)[0] == pytest.approx(pooled)
    assert effect(rows, niche=7)[0] == pytest.approx(second)


@pytest.mark.parametrize(
    "scores", [[1.0, 2.0, 3.0, 4.0, 5.0, 6.0], [1.0, 1.0, 2.0, 2.0, 2.0, 9.0], [5.0] * 6]
)
def test_error_is_the_spread_over_all_relabellings(scores: list[float]) -> None:
    """All 20 ways to choose three holders of six, with and without ties."""
    effects = []
    for holders in combinations(range(6), 3):
        rows = [(0, int(k in holders), score) for k, score in enumerate(scores)]
        found, error = effect(rows)
        effects.append(found)
    assert np.mean(effects) == pytest.approx(0, abs=1e-12)
    assert error == pytest.approx(np.std(effects))


def test_the_difference_between_niches_is_not_an_effect() -> None:
    rows = [(0, 0, float(k)) for k in range(8)] + [(0, 1, 3.5)]
    rows += [(1, 1, 100.0 + k) for k in range(8)] + [(1, 0, 103.5)]
    assert effect(rows)[0] == pytest.approx(0)


def test_niches_without_a_comparison_do_not_count() -> None:
    evidence = Evidence(observe([(0, 1, 1.0), (0, 1, 2.0), (1, 0, 3.0)]))
    found = evidence.effects(evidence.holders(HOLDS)[:, None], "accuracy")
    assert (found.effect[0], found.holders[0], found.others[0]) == (0, 0, 0)
    assert found.error[0] == np.inf


def test_lower_latency_is_better() -> None:
    rows = [Observation("c0", 0, {"a": 1.0}, 1.0, 2.0), Observation("c1", 0, {}, 1.0, 9.0)]
    evidence = Evidence(rows)
    assert evidence.effects(evidence.holders(HOLDS)[:, None], "latency").effect[0] == 1


def test_infeasible_and_unscored_are_left_out() -> None:
    rows = [
        *observe([(0, 1, 1.0)]),
        Observation("slow", 0, {}, 1.0, float("inf")),
        Observation("dead", 0, {}, float("nan"), 1.0),
    ]
    assert Evidence(rows).ids == ("c0",)


def test_sides_of_the_median_and_distance_from_it() -> None:
    evidence = Evidence(observe([(0, 0, score) for score in (1.0, 1.0, 1.0, 4.0)]))
    assert evidence.side("accuracy").tolist() == [0, 0, 0, 1]
    evidence = Evidence(observe([(0, 0, score) for score in (1.0, 2.0, 3.0)]))
    assert evidence.side("accuracy").tolist() == [-1, 0, 1]
    assert evidence.distance("accuracy").tolist() == pytest.approx([2 / 3, 0, 2 / 3])


def test_nothing_observed() -> None:
    evidence = Evidence([])
    found = evidence.effects(evidence.holders(HOLDS)[:, None], "accuracy")
    assert (found.effect.tolist(), found.holders.tolist()) == ([0], [0])


@pytest.mark.parametrize("cut", [0, 1, 17, 40])
def test_evidence_made_longer_is_that_of_all(cut: int) -> None:
    """Also where what is new sorts between what was there, and has features of its own."""
    rng = np.random.default_rng(cut)
    rows = [
        Observation(
            f"r{k}n{k % 3}", k % 3, {"a": float(rng.integers(2)), f"b{k % 5}": 1.0}, k % 4, 1.0 + k
        )
        for k in range(40)
    ]
    whole, longer = Evidence(rows), Evidence(rows[:cut]).extended(rows[cut:])
    assert longer.ids == whole.ids
    for metric in METRICS:
        assert longer.side(metric).tolist() == whole.side(metric).tolist()
    for feature in ("a", "b0", "b4", "none"):
        assert longer.column(feature).tolist() == whole.column(feature).tolist()
    for niche in (None, 0, 2):
        here, there = longer.within(niche), whole.within(niche)
        held = here.holders(HOLDS)[:, None]
        assert here.effects(held, "latency").effect == there.effects(held, "latency").effect
