import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from pelnas.pareto import evenly_spaced, hypervolume, igd, non_dominated, non_dominated_sort

POINTS = st.lists(st.tuples(st.integers(0, 6), st.integers(0, 6)), min_size=1, max_size=12)


def dominates(a: tuple[float, float], b: tuple[float, float]) -> bool:
    """From the definition: no worse in both, better in one; (latency, score)."""
    return a[0] <= b[0] and a[1] >= b[1] and a != b


@given(POINTS)
def test_front_is_what_the_definition_says(points: list[tuple[int, int]]) -> None:
    mask = non_dominated([p[0] for p in points], [p[1] for p in points])
    for i, point in enumerate(points):
        beaten = any(dominates(other, point) for other in points) or point in points[:i]
        assert mask[i] == (not beaten)


def test_infeasible_and_undefined_points_are_never_on_the_front() -> None:
    mask = non_dominated([np.inf, 1.0, np.nan], [99.0, 1.0, 99.0])
    assert mask.tolist() == [False, True, False]
    assert not non_dominated([np.inf], [1.0]).any()
    assert not non_dominated([], []).any()


def test_layers_peel_front_after_front() -> None:
    latency, score = [1, 2, 2, 3], [1, 2, 1, 1]
    assert non_dominated_sort(latency, score, enough=1) == [0, 1]
    assert non_dominated_sort(latency, score, enough=3) == [0, 1, 2]
    assert non_dominated_sort(latency, score, enough=9) == [0, 1, 2, 3]


@given(st.lists(st.floats(0, 9), min_size=1, max_size=20), st.integers(1, 8))
def test_spread_keeps_both_ends_and_the_limit(latency: list[float], limit: int) -> None:
    chosen = evenly_spaced(latency, limit)
    assert len(chosen) == len(set(chosen)) <= limit
    assert [latency[i] for i in chosen] == sorted(latency[i] for i in chosen)
    if limit > 1:
        assert min(latency) == latency[chosen[0]]
        assert max(latency) == latency[chosen[-1]]


def test_hypervolume_by_hand() -> None:
    # Normalised: (0.25, error 0.5) and (0.5, error 0.25); reference (1, 1).
    # Boxes 0.75 x 0.5 and 0.5 x 0.75 overlap in 0.5 x 0.5.
    volume = hypervolume([1.0, 2.0], [50.0, 75.0], (0.0, 4.0), (0.0, 100.0))
    assert volume == pytest.approx(0.375 + 0.375 - 0.25)
    assert hypervolume([], [], (0, 1), (0, 1)) == 0.0
    assert hypervolume([9.0], [1.0], (0.0, 4.0), (0.0, 100.0)) == 0.0


def test_igd_by_hand() -> None:
    # True points (0, error 1) and (1, error 0); found only the first: distances 0 and sqrt(2).
    found = igd([0.0], [0.0], [0.0, 1.0], [0.0, 1.0], (0.0, 1.0), (0.0, 1.0))
    assert found == pytest.approx(np.sqrt(2) / 2)
