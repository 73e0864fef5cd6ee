from itertools import islice

import numpy as np
import pytest
from surrogate.test_model import FBNET, PARTITION, TRUTH, seen

from pelnas.architecture import Architecture, Shape
from pelnas.pareto import fronts, minimised
from pelnas.partition import partition_by_operations
from pelnas.predictors.known_truth import Truth
from pelnas.spaces import get_space
from pelnas.surrogate import Seen, Surrogate, propose
from pelnas.surrogate.proposals import POOL, expected_gains

SURROGATE = Surrogate(PARTITION, seen(120, 0))


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


def test_what_is_proposed_is_expected_to_gain_more_than_random_members() -> None:
    found, rng = proposed(1, 5, set(), 0), np.random.default_rng(0)
    other = [next(PARTITION.sample(1, rng)) for _ in range(50)]
    with SURROGATE.working():
        gains = expected_gains(SURROGATE, [*found, *other], 64, rng)
    assert gains.min() >= 0
    assert gains[:5].mean() > np.quantile(gains[5:], 0.9)


def test_nothing_is_proposed_where_everything_is_taken() -> None:
    rng = np.random.default_rng(0)
    assert propose(SURROGATE, PARTITION, 0, 3, lambda _: True, rng) == []


def test_a_niche_without_evaluations_has_proposals() -> None:
    inside = [each for each in seen(200, 3) if PARTITION.locate(each.architecture) == 1]
    surrogate = Surrogate(PARTITION, inside[:40])
    rng = np.random.default_rng(0)
    assert len(propose(surrogate, PARTITION, 0, 3, lambda _: False, rng)) == 3


CELLS = get_space("nasbench201")
NICHES = partition_by_operations(CELLS, Shape.square(10, 32))


def cells(count: int) -> list[Seen]:
    truth, rng = Truth.draw(CELLS, "additive", 0), np.random.default_rng(0)
    drawn = [CELLS.sample(rng) for _ in range(count)]
    flops = [CELLS.flops(each, Shape.square(10, 32)) / 1e6 for each in drawn]
    return [Seen(a, truth.accuracy(a), (f,)) for a, f in zip(drawn, flops, strict=True)]


def test_a_listed_niche_is_asked_in_full() -> None:
    """What is proposed is not dominated by what is left, by expectation and up to the draws."""
    known = cells(80)
    drawn = [each.architecture for each in known]
    surrogate, rng = Surrogate(NICHES, known), np.random.default_rng(0)
    found = propose(surrogate, NICHES, 2, 5, lambda each: each in drawn, rng)
    points = minimised(*surrogate.expect_members(2).T)
    best = set(islice((i for front in fronts(points) for i in front), POOL + len(drawn)))
    assert len(set(found) - set(drawn)) == 5
    assert {NICHES.members[2].index(each) for each in found} <= best


def runs(each: Architecture) -> bool:
    """Whether a device can run it that wants both ways out of the input open."""
    return 0 not in each.genes[:2]


def test_what_the_device_can_probably_not_run_is_proposed_last() -> None:
    """It looks best for ever: cheap, and nothing that is found there takes its gain away."""
    known = cells(200)
    ran = [each for each in known if runs(each.architecture)]
    failed = [each.architecture for each in known if not runs(each.architecture)]
    surrogate, drawn = Surrogate(NICHES, ran, failed), {each.architecture for each in known}
    rng = np.random.default_rng(0)
    found = propose(surrogate, NICHES, 2, 20, drawn.__contains__, rng)
    assert sum(map(runs, found)) >= 18
    left = propose(surrogate, NICHES, 2, 3, lambda each: runs(each) or each in drawn, rng)
    assert len(left) == 3
