import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from surrogate.test_model import FBNET, PARTITION, TRUTH, seen

from pelnas.architecture import Architecture, Shape
from pelnas.pareto import hypervolume, minimised
from pelnas.surrogate import Surrogate, propose
from pelnas.surrogate.proposals import REFERENCE, gained

SURROGATE = Surrogate(PARTITION, seen(120, 0))
POINT = st.tuples(st.floats(0, 1), st.floats(0, 1))


def proposed(niche: int, count: int, taken: set[Architecture], seed: int) -> list[Architecture]:
    rng = np.random.default_rng(seed)
    return propose(SURROGATE, PARTITION, niche, count, taken.__contains__, rng)


@pytest.mark.parametrize("niche", [0, 1, 2])
def test_proposals_are_new_members_of_the_niche_and_equal_for_equal_seeds(niche: int) -> None:
    taken = {each.architecture for each in SURROGATE.seen}
    found = proposed(niche, 5, taken, 0)
    assert len(set(found)) == 5
    assert not taken & set(found)
    assert {PARTITION.locate(each) for each in found} == {niche}
    assert found == proposed(niche, 5, taken, 0)


def test_proposals_are_better_than_random_members() -> None:
    found = proposed(1, 5, set(), 0)
    rng = np.random.default_rng(0)
    other = [next(PARTITION.sample(1, rng)) for _ in range(100)]

    def worth(each: Architecture) -> float:
        size = FBNET.flops(each, Shape.square(10, 32)) / 1e6
        return TRUTH.accuracy(each) - 0.5 * size

    assert np.mean([worth(each) for each in found]) > np.quantile([worth(e) for e in other], 0.9)


def test_nothing_is_proposed_where_everything_is_taken() -> None:
    rng = np.random.default_rng(0)
    assert propose(SURROGATE, PARTITION, 0, 3, lambda _: True, rng) == []


def test_a_niche_without_evaluations_has_proposals() -> None:
    inside = [each for each in seen(200, 3) if PARTITION.locate(each.architecture) == 1]
    surrogate = Surrogate(PARTITION, inside[:40])
    rng = np.random.default_rng(0)
    assert len(propose(surrogate, PARTITION, 0, 3, lambda _: False, rng)) == 3


@given(st.lists(POINT, min_size=2, max_size=8), POINT)
def test_the_gain_is_the_difference_of_two_hypervolumes(
    front: list[tuple[float, float]], point: tuple[float, float]
) -> None:
    held = np.array([(0.0, 0.0), (1.0, 1.0), *front])  # corners fix the box
    both = np.vstack([held, point])
    box = np.array([0.0, -1.0]), np.array([REFERENCE, REFERENCE - 1.0])
    area = REFERENCE**2
    gain = hypervolume(minimised(*both.T), box) - hypervolume(minimised(*held.T), box)
    if not _cuts_the_box(held):
        assert gained(held, np.array([point]))[0] == pytest.approx(gain * area, abs=1e-9)


def _cuts_the_box(points: np.ndarray) -> bool:
    """Whether another point beats a corner, so that the box of the front is smaller."""
    return bool(((points[:, 0] <= 0) & (points[:, 1] > 0)).any()) or bool(
        ((points[:, 0] < 1) & (points[:, 1] >= 1)).any()
    )
