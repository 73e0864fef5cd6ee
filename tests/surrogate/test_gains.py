"""Gains are differences of hypervolumes, however many points are added on the way."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from pelnas.pareto import Box, Floats, hypervolume, non_dominated
from pelnas.surrogate.gains import Gains, Undominated, around, gained

SHARE = st.floats(0, 1).map(lambda value: round(value, 9))  # boxes of no width overflow
POINT = st.tuples(SHARE, SHARE)
SPOT = st.tuples(SHARE, SHARE, SHARE)


def gain(front: Floats, point: Floats, box: Box) -> float:
    return hypervolume(np.vstack([front, point]), box) - hypervolume(front, box)


@given(st.lists(POINT, min_size=1, max_size=8), POINT)
def test_the_gain_is_the_difference_of_two_hypervolumes(
    found: list[tuple[float, float]], point: tuple[float, float]
) -> None:
    points = np.array(found)
    front = points[non_dominated(points)]
    for box in (around(front), (np.zeros(2), np.ones(2)), (np.full(2, 0.3), np.full(2, 0.7))):
        wanted = gain(front, np.array(point), box)
        assert gained(front, np.array([point]), box)[0] == pytest.approx(wanted, abs=1e-9)


@given(st.lists(SPOT, min_size=1, max_size=8), st.lists(SPOT, min_size=1, max_size=4))
def test_in_space_it_stays_that_difference_as_points_are_chosen(
    found: list[tuple[float, float, float]], asked: list[tuple[float, float, float]]
) -> None:
    points = np.array(found)
    front, drawn = points[non_dominated(points)], np.array(asked)
    boxes = around(front), (np.zeros(3), np.ones(3))
    gains = Gains(front, drawn[None], boxes)
    for place in range(len(asked)):
        wanted = [sum(gain(front, each, box) for box in boxes) for each in drawn]
        assert gains.values[0] == pytest.approx(wanted, abs=1e-6)
        gains.choose(place)
        front = np.vstack([front, drawn[place]])
    assert gains.values[0] == pytest.approx(0, abs=1e-6)


def test_on_a_curve_chosen_points_move_the_front() -> None:
    box = np.zeros(2), np.ones(2)
    drawn = np.array([[[0.2, 0.2], [0.3, 0.3]], [[0.2, 0.6], [0.6, 0.2]]])
    gains = Gains(np.array([[0.5, 0.5]]), drawn, [box])
    assert gains.values == pytest.approx(np.array([[0.39, 0.24], [0.12, 0.12]]))
    gains.choose(0)
    assert gains.values == pytest.approx(np.array([[0, 0], [0, 0.12]]))


def test_what_a_point_takes_and_what_it_leaves_is_all_there_was() -> None:
    rng = np.random.default_rng(0)
    whole = Undominated.by(rng.random((20, 4)))
    left, taken = whole.without(rng.random(4))
    asked, far = rng.random((30, 4)), np.full(4, 0.9)
    both = left.volumes(asked, far) + taken.volumes(asked, far)
    assert both == pytest.approx(whole.volumes(asked, far))
