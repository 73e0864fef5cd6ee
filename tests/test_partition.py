from collections import Counter
from itertools import islice
from math import log

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from pelnas.architecture import Architecture, Shape
from pelnas.errors import ConfigError
from pelnas.partition import Partition, partition_by_flops, partition_by_operations
from pelnas.spaces import SPACES, NasBench201, SearchSpace, Tiny, get_space


class Wide(Tiny):
    """A space too large to be listed."""

    nodes = 6
    complexity_niches = ()


def by_flops(space: SearchSpace, count: int) -> Partition:
    return partition_by_flops(space, count, Shape.square(10, 32))


def test_the_six_niches_of_the_method_have_their_published_sizes() -> None:
    partition = partition_by_operations(NasBench201(), Shape.square(10, 32))
    assert [len(members) for members in partition.members] == [729, 3367, 6144, 3840, 1280, 265]


@pytest.mark.parametrize("name", SPACES)
def test_niches_are_disjoint_and_cover_the_space(name: str) -> None:
    space = get_space(name)
    own = [partition_by_operations(space, Shape.square(10, 32))] if space.complexity_niches else []
    for partition in (*own, by_flops(space, 5)):
        for index in range(0, space.size, max(1, space.size // 500)):
            features = partition.features(space.at(index))
            holding = [n.index for n in partition.niches if n.predicate.holds(features)]
            assert holding == [partition.locate(space.at(index))]


def test_niches_are_cut_at_quantiles() -> None:
    space = NasBench201()
    sizes = sorted(space.flops(space.at(i), Shape.square(10, 32)) / 1e6 for i in range(space.size))
    partition = by_flops(space, 6)
    assert len(partition.niches) == 6
    for k, niche in enumerate(partition.niches[1:], start=1):
        (cut,) = [c.value for c in niche.predicate.conditions if c.op == ">="]
        below = sum(size < cut for size in sizes)
        up_to = sum(size <= cut for size in sizes)
        assert below <= k / 6 * space.size <= up_to + 1


def test_equal_cuts_are_merged() -> None:
    partition = by_flops(Tiny(), 64)
    assert len(partition.niches) < 64
    assert all(partition.members)


@settings(deadline=None)
@given(st.integers(0, 2), st.integers(0, 1000))
def test_a_sample_lists_each_member_once(niche: int, seed: int) -> None:
    partition = partition_by_operations(Tiny(), Shape.square(10, 32))
    drawn = list(partition.sample(niche, np.random.default_rng(seed)))
    assert Counter(drawn) == Counter(partition.members[niche])
    assert drawn == list(partition.sample(niche, np.random.default_rng(seed)))


@settings(max_examples=5, deadline=None)
@given(st.integers(0, 3))
def test_a_large_space_is_sampled_within_the_niche(niche: int) -> None:
    partition = by_flops(Wide(), 4)
    drawn = list(islice(partition.sample(niche, np.random.default_rng(1)), 20))
    assert len(set(drawn)) == 20
    assert {partition.locate(architecture) for architecture in drawn} == {niche}
    assert partition.left(niche, 3) is None


def log_mflops(partition: Partition, architecture: Architecture) -> float:
    return log(partition.features(architecture)["mflops"])


def test_a_large_space_is_cut_in_equal_steps_from_its_smallest_to_its_largest_network() -> None:
    partition = by_flops(Wide(), 4)
    cuts = [c.value for n in partition.niches for c in n.predicate.conditions if c.op == ">="]
    edges = len(Wide().positions)
    low, high = (
        log_mflops(partition, Wide().of((Wide().choices[0].index(op),) * edges))
        for op in ("none", "nor_conv_3x3")
    )
    assert [log(cut) for cut in cuts] == pytest.approx(
        [low + k / 4 * (high - low) for k in (1, 2, 3)], abs=1e-5
    )


@pytest.mark.parametrize("niche", range(4))
def test_an_aim_is_reached_at_both_ends_of_a_niche(niche: int) -> None:
    partition = by_flops(Wide(), 4)
    rng = np.random.default_rng(0)
    low, high = (
        log_mflops(partition, next(partition.sample(niche, rng, aim=aim))) for aim in (0.0, 1.0)
    )
    places, (zero, one, three) = (
        len(Wide().positions),
        map(Wide().choices[0].index, ("none", "nor_conv_1x1", "nor_conv_3x3")),
    )
    every = (
        Wide().of((three,) * n3 + (one,) * n1 + (zero,) * (places - n3 - n1))
        for n3 in range(places + 1)
        for n1 in range(places + 1 - n3)
    )
    sizes = [log_mflops(partition, a) for a in every if partition.locate(a) == niche]
    near = 0.05 * (max(sizes) - min(sizes))
    assert low <= min(sizes) + near
    assert high >= max(sizes) - near


def test_a_space_without_niches_asks_for_flops() -> None:
    with pytest.raises(ConfigError, match="partition = 'flops'"):
        partition_by_operations(Wide(), Shape.square(10, 32))
