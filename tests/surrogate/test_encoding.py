from itertools import pairwise

import numpy as np
import pytest

from pelnas.architecture import Architecture, Shape
from pelnas.partition import partition_by_flops, partition_by_operations
from pelnas.spaces import get_space
from pelnas.surrogate.encoding import Encoding

FBNET = get_space("fbnet")
ENCODING = Encoding(partition_by_flops(FBNET, 2, Shape.square(10, 32)))


def drawn(count: int, seed: int) -> list[Architecture]:
    rng = np.random.default_rng(seed)
    return [FBNET.sample(rng) for _ in range(count)]


def test_likeness_is_the_share_of_equal_choices_and_of_equal_neighbouring_pairs() -> None:
    one, other = drawn(4, 0), drawn(3, 1)
    other.append(one[2])
    _, _, _, pairs, alike, _ = ENCODING.kernels(ENCODING.rows(one), ENCODING.rows(other))
    for i, a in enumerate(one):
        for j, b in enumerate(other):
            equal = [x == y for x, y in zip(a.genes, b.genes, strict=True)]
            both = [x and y for x, y in pairwise(equal)]
            assert alike[i, j] == pytest.approx(sum(equal) / len(equal))
            assert pairs[i, j] == pytest.approx(sum(both) / len(both))


def test_positions_without_effect_say_nothing() -> None:
    space = get_space("autoformer")
    encoding = Encoding(partition_by_flops(space, 2, Shape.square(10, 32)))
    depth = space.positions.index("depth")
    short = space.of(tuple(0 for _ in space.choices))
    long = space.of(
        (*short.genes[:depth], len(space.choices[depth]) - 1, *short.genes[depth + 1 :])
    )
    rows = encoding.rows([short, long])
    active = [len(space.active(each.genes)) for each in (short, long)]
    assert active[0] < active[1]
    assert (rows.sums[0] > 0).sum(axis=1).tolist() == active


@pytest.mark.parametrize("name", ["fbnet", "nasbench201"])
def test_every_kernel_is_symmetric_and_has_no_negative_eigenvalue(name: str) -> None:
    space, rng = get_space(name), np.random.default_rng(2)
    encoding = Encoding(partition_by_flops(space, 2, Shape.square(10, 32)))
    rows = encoding.rows([space.sample(rng) for _ in range(40)])
    for kernel in encoding.kernels(rows, rows):
        assert kernel == pytest.approx(kernel.T)
        assert np.linalg.eigvalsh(kernel).min() > -1e-9


@pytest.mark.parametrize(
    "name", ["fbnet", "autoformer", "nasbench201"]
)  # positions without effect, and cut off
def test_an_expectation_is_the_weighted_sum_of_the_kernels(name: str) -> None:
    space, rng = get_space(name), np.random.default_rng(3)
    encoding = Encoding(partition_by_flops(space, 2, Shape.square(10, 32)))
    seen = encoding.rows([space.sample(rng) for _ in range(12)])
    asked = encoding.rows([space.sample(rng) for _ in range(7)])
    weights, alphas = (
        rng.random((2, len(encoding.kernels(asked, seen)))),
        rng.standard_normal((12, 2)),
    )
    kernels = np.stack(encoding.kernels(asked, seen))
    wanted = np.einsum("ti,imn,nt->mt", weights, kernels, alphas)
    assert encoding.expectation(seen, weights, alphas).at(asked) == pytest.approx(wanted)


def test_what_the_output_does_not_depend_on_counts_only_as_it_is_written() -> None:
    """Node 1 gets nothing, so that what leaves it is without effect on the output."""
    space = get_space("nasbench201")
    encoding = Encoding(partition_by_operations(space, Shape.square(10, 32)))
    one, other = (
        space.parse(f"|none~0|+|nor_conv_3x3~0|{op}~1|+|skip_connect~0|none~1|none~2|")
        for op in ("nor_conv_3x3", "avg_pool_3x3")
    )
    rows = encoding.rows([one, other])
    assert len(rows.live) == 1
    assert rows.kinds.tolist() == [0, 0]
    written, _, live = rows.sums
    assert (written[0] != written[1]).any()
    assert (live[0] == live[1]).all()


def test_routes_are_alike_by_what_stands_on_them_wherever_it_stands() -> None:
    """Two cells with the routes 3x3 and 1x1, at other places, one with the first alone, one with none."""
    space = get_space("nasbench201")
    encoding = Encoding(partition_by_operations(space, Shape.square(10, 32)))
    cells = (
        "|skip_connect~0|+|none~0|none~1|+|nor_conv_1x1~0|nor_conv_3x3~1|none~2|",
        "|none~0|+|nor_conv_3x3~0|none~1|+|nor_conv_1x1~0|none~1|skip_connect~2|",
        "|none~0|+|none~0|none~1|+|nor_conv_3x3~0|none~1|none~2|",
        "|none~0|+|none~0|none~1|+|none~0|none~1|none~2|",
    )
    rows = encoding.rows([space.parse(cell) for cell in cells])
    routes = encoding.kernels(rows, rows)[4]
    assert routes == pytest.approx(
        np.array([[1, 1, 0.5, 0], [1, 1, 0.5, 0], [0.5, 0.5, 1, 0], [0, 0, 0, 1]])
    )


def test_routes_met_later_change_nothing_between_rows_of_before() -> None:
    space, rng = get_space("nasbench201"), np.random.default_rng(4)
    encoding = Encoding(partition_by_operations(space, Shape.square(10, 32)))
    few = [space.sample(rng) for _ in range(3)]
    narrow = encoding.rows(few)
    encoding.rows([space.sample(rng) for _ in range(60)])
    wide = encoding.rows(few)
    assert wide.routes.shape[1] > narrow.routes.shape[1]
    for one, other in zip(
        encoding.kernels(narrow, wide), encoding.kernels(narrow, narrow), strict=True
    ):
        assert one.tolist() == other.tolist()


def test_rows_are_the_same_bit_for_bit_once_the_space_is_listed() -> None:
    """A search that was killed asks anew for what was listed before."""
    space, rng = get_space("nasbench201"), np.random.default_rng(0)
    partition = partition_by_operations(space, Shape.square(10, 32))
    drawn = [space.sample(rng) for _ in range(40)]
    fresh, listing = Encoding(partition), Encoding(partition)
    for niche, members in enumerate(partition.members):
        assert len(listing.members(niche).genes) == len(members)
    one, other = fresh.rows(drawn), listing.rows(drawn)
    assert (one.genes == other.genes).all()
    assert (one.kinds == other.kinds).all()
    assert (one.live == other.live).all()
    assert all((a == b).all() for a, b in zip(one.sums, other.sums, strict=True))
    pairs = zip(fresh.kernels(one, one), listing.kernels(other, other), strict=True)
    assert all((a == b).all() for a, b in pairs)


def test_members_are_in_the_order_of_the_partition() -> None:
    partition = partition_by_operations(get_space("nasbench201"), Shape.square(10, 32))
    encoding = Encoding(partition)
    for niche, members in enumerate(partition.members):
        of_niche, alone = encoding.members(niche), Encoding(partition).rows(members[:50])
        assert (of_niche.genes[:50] == alone.genes).all()
        assert (of_niche.live[of_niche.kinds[:50]] == alone.live[alone.kinds]).all()
