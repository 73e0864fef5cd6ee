from math import log

import numpy as np
import pytest

from pelnas.architecture import Shape
from pelnas.partition import partition_by_flops
from pelnas.predicate import parse_predicate
from pelnas.sampling import Region, extremes
from pelnas.spaces import get_space

FBNET = get_space("fbnet")
SHAPE = Shape.square(100, 32)


def test_the_ends_of_a_space_are_its_smallest_and_its_largest_network() -> None:
    """FBNet's FLOPs are a sum over layers that depend on nothing else."""
    first = (0,) * len(FBNET.choices)
    start = FBNET.flops(FBNET.of(first), SHAPE)
    added = [
        [
            FBNET.flops(FBNET.of((*first[:place], gene, *first[place + 1 :])), SHAPE) - start
            for gene in range(len(options))
        ]
        for place, options in enumerate(FBNET.choices)
    ]
    ends = [log((start + sum(map(end, added))) / 1e6) for end in (min, max)]
    assert extremes(FBNET, SHAPE) == pytest.approx(ends)


@pytest.mark.parametrize("name", ["fbnet", "mnasnet", "autoformer"])
def test_the_niches_of_a_large_space_are_reached_over_their_whole_range(name: str) -> None:
    space, shape = get_space(name), Shape.square(100, 32 if name == "fbnet" else 224)
    partition = partition_by_flops(space, 6, shape)
    rng = np.random.default_rng(0)
    for niche in partition.niches:
        region = Region(space, niche.predicate, shape)
        drawn = [next(partition.sample(niche.index, rng, aim=aim)) for aim in (0.0, 0.5, 1.0)]
        assert {partition.locate(each) for each in drawn} == {niche.index}
        share = [(region.log_flops(e) - region.low) / (region.high - region.low) for e in drawn]
        assert share == pytest.approx([0.0, 0.5, 1.0], abs=0.25)


def test_a_region_may_ask_for_features_of_its_space() -> None:
    predicate = parse_predicate("skip >= 18 and k5_e6@layer0 == 1")
    region = Region(FBNET, predicate, SHAPE)
    rng = np.random.default_rng(0)
    for aim in (0.0, 1.0):
        drawn = region.draw(rng, aim)
        assert drawn is not None
        assert predicate.holds(FBNET.features(drawn))
    assert region.low < region.high


def test_a_region_without_members_gives_none() -> None:
    region = Region(FBNET, parse_predicate("skip >= 23"), SHAPE)
    assert region.draw(np.random.default_rng(0)) is None
