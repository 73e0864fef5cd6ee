"""The tiny space: few, small, and of the same kind as the benchmark's."""

import pytest

from pelnas.architecture import Shape
from pelnas.spaces.tiny import Tiny

SPACE = Tiny()


def test_there_are_125_small_networks() -> None:
    assert SPACE.size == 125
    largest = SPACE.of((3, 3, 3))
    assert SPACE.parameters(largest, Shape(10)) < 20_000


def test_its_niches_divide_it() -> None:
    features = [SPACE.features(SPACE.at(index)) for index in range(SPACE.size)]
    sizes = [sum(map(niche.holds, features)) for _, niche in SPACE.complexity_niches]
    assert sizes == [27, 54, 44]  # 3^3, 3 * 2 * 3^2, the rest of 125


@pytest.mark.parametrize(
    ("one", "other", "equal"),
    [
        ("|skip_connect~0|+|none~0|nor_conv_3x3~1|", "|nor_conv_3x3~0|+|none~0|skip_connect~1|", 1),
        ("|skip_connect~0|+|none~0|avg_pool_3x3~1|", "|skip_connect~0|+|avg_pool_3x3~0|none~1|", 1),
        ("|none~0|+|none~0|nor_conv_3x3~1|", "|none~0|+|none~0|avg_pool_3x3~1|", 1),
        ("|skip_connect~0|+|none~0|nor_conv_3x3~1|", "|skip_connect~0|+|none~0|nor_conv_1x1~1|", 0),
    ],
)
def test_cells_that_compute_the_same_have_one_key(one: str, other: str, equal: int) -> None:
    assert (SPACE.key(SPACE.parse(one)) == SPACE.key(SPACE.parse(other))) is bool(equal)


def test_routes_hold_the_operations_of_live_paths_without_identities() -> None:
    cell = SPACE.parse("|nor_conv_3x3~0|+|skip_connect~0|nor_conv_1x1~1|")
    assert sorted(SPACE.routes(cell.genes)) == [(), ("nor_conv_3x3", "nor_conv_1x1")]
    cut = SPACE.parse("|none~0|+|avg_pool_3x3~0|nor_conv_1x1~1|")
    assert list(SPACE.routes(cut.genes)) == [("avg_pool_3x3",)]
