from collections import Counter
from itertools import islice

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from pelnas.architecture import Shape
from pelnas.errors import ConfigError
from pelnas.partition import Partition, partition_by_flops, partition_by_operations
from pelnas.spaces import SPACES, NasBench201, SearchSpace, Tiny, get_space


class Wide(Tiny):
    """A space too large to be listed."""

    nodes = 6
    complexity_niches = ()


def by_flops(space: SearchSpace, count: int) -> Partition:
    return partition_by_flops(space, count, np.random.default_rng(0), Shape.square(10, 32))


def test_the_six_niches_of_the_method_have_their_published_sizes() -> None:
    partition = partition_by_operations(NasBench201(), Shape.square(10, 32))
    assert [len(members) for members in partition.members] == [729, 3367, 6144, 3840, 1280, 265]


@pytest.mark.parametrize("name", SPACES)
def test_niches_are_disjoint_and_cover_the_space(name: str) -> None:
    space = get_space(name)
    for partition in (partition_by_operations(space, Shape.square(10, 32)), by_flops(space, 5)):
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


def test_a_space_without_niches_asks_for_flops() -> None:
    with pytest.raises(ConfigError, match="partition = 'flops'"):
        partition_by_operations(Wide(), Shape.square(10, 32))
