import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from pelnas.pareto import (
    box_of,
    evenly_spaced,
    hypervolume,
    igd,
    minimised,
    non_dominated,
    non_dominated_sort,
    spread_out,
)

Point = tuple[int, ...]
VALUES = st.integers(0, 6)


def points_of(columns: int, most: int = 12) -> st.SearchStrategy[list[Point]]:
    return st.lists(st.tuples(*[VALUES] * columns), min_size=1, max_size=most)


def dominates(a: Point, b: Point) -> bool:
    """From the definition: no worse in any column, better in one; all minimised."""
    return all(x <= y for x, y in zip(a, b, strict=True)) and a != b


@given(points_of(2) | points_of(3))
def test_front_is_what_the_definition_says(points: list[Point]) -> None:
    mask = non_dominated(points)
    for i, point in enumerate(points):
        beaten = any(dominates(other, point) for other in points) or point in points[:i]
        assert mask[i] == (not beaten)


def test_infeasible_and_undefined_points_are_never_on_the_front() -> None:
    mask = non_dominated(minimised([np.inf, 1.0, np.nan], [99.0, 1.0, 99.0]))
    assert mask.tolist() == [False, True, False]
    assert not non_dominated([(np.inf, 1.0)]).any()
    assert not non_dominated(minimised([], [])).any()
    assert not non_dominated([]).any()
    assert box_of([(np.inf, 1.0)]) is None


def test_layers_peel_front_after_front() -> None:
    points = minimised([1, 2, 2, 3], [1, 2, 1, 1])
    assert non_dominated_sort(points, enough=1) == [0, 1]
    assert non_dominated_sort(points, enough=3) == [0, 1, 2]
    assert non_dominated_sort(points, enough=9) == [0, 1, 2, 3]


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
    box = np.array([0.0, -100.0]), np.array([4.0, 0.0])
    volume = hypervolume(minimised([1.0, 2.0], [50.0, 75.0]), box)
    assert volume == pytest.approx(0.375 + 0.375 - 0.25)
    assert hypervolume([], box) == 0.0
    assert hypervolume(minimised([9.0], [1.0]), box) == 0.0


@given(points_of(3, most=8))
def test_volume_in_three_columns_counts_the_dominated_cells(points: list[Point]) -> None:
    # Whole numbers up to 6: the volume is the number of unit cells behind some point.
    box = np.zeros(3), np.full(3, 6.0)
    cells = np.stack(np.meshgrid(*[np.arange(6)] * 3, indexing="ij"), axis=-1).reshape(-1, 3)
    behind = (cells[:, None, :] >= np.array(points)[None]).all(axis=-1).any(axis=1)
    assert hypervolume(points, box) == pytest.approx(behind.sum() / 6**3)


@given(points_of(3, most=20), st.integers(1, 8))
def test_a_choice_of_a_surface_holds_the_best_of_each_column(
    points: list[Point], limit: int
) -> None:
    chosen = spread_out(points, limit)
    assert len(chosen) == len(set(chosen)) == min(limit, len(points))
    if limit >= 3:
        best = np.array(points).min(axis=0)
        assert (np.array(points)[chosen].min(axis=0) == best).all()


def test_a_choice_of_a_surface_goes_to_what_is_farthest() -> None:
    corners = [(0, 6, 6), (6, 0, 6), (6, 6, 0)]
    assert spread_out([*corners, (5, 5, 1), (2, 2, 2)], 4) == [0, 1, 2, 4]


def test_igd_by_hand() -> None:
    # True points (0, error 1) and (1, error 0); found only the first: distances 0 and sqrt(2).
    box = np.array([0.0, -1.0]), np.array([1.0, 0.0])
    found = igd([(0.0, 0.0)], minimised([0.0, 1.0], [0.0, 1.0]), box)
    assert found == pytest.approx(np.sqrt(2) / 2)
