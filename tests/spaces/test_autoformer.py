"""AutoFormer: published sizes, its text, its index, and what lies beyond the chosen depth."""

import csv
import os
import re
from pathlib import Path

import numpy as np
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st

from pelnas.architecture import Architecture, Shape
from pelnas.errors import ArchitectureError, SpaceError
from pelnas.spaces import get_space
from pelnas.spaces.autoformer import AutoFormer, AutoFormerSmall

TINY, SMALL = AutoFormer(), AutoFormerSmall()
DEIT_TINY = "192:" + "/".join(["3x4"] * 12)
DEIT_SMALL = "384:" + "/".join(["6x4"] * 12)
MIXED = "216:" + "/".join(["3x3.5", "4x4", "4x4", "3x4"] * 3 + ["4x3.5"])
IMAGENET = Shape.square(1000, 224)


def table() -> list[dict[str, str]]:
    folder = Path(os.environ.get("PELNAS_DATA") or Path(__file__).parents[3] / "shared" / "data")
    path = folder / "autoformer_tiny_accuracy.csv"
    if not path.is_file():
        pytest.skip(f"no autoformer_tiny_accuracy.csv in {folder} (PELNAS_DATA)")
    with path.open() as file:
        return list(csv.DictReader(file))


@pytest.mark.parametrize(
    ("space", "text", "parameters", "gmacs"),
    [(TINY, DEIT_TINY, 5_717_416, 1.26), (SMALL, DEIT_SMALL, 22_050_664, 4.61)],
)
def test_deit_is_a_member_with_its_published_size(
    space: AutoFormer, text: str, parameters: int, gmacs: float
) -> None:
    """DeiT-Ti and DeiT-S (Touvron et al. 2021): parameters and GMACs as timm's tables have them."""
    architecture = space.parse(text)
    assert space.parameters(architecture, IMAGENET) == parameters
    assert space.flops(architecture, IMAGENET) / 1e9 == pytest.approx(gmacs, abs=0.01)


def test_the_spaces_are_those_of_table_1() -> None:
    assert TINY.size == 3 * sum((2 * 2) ** depth for depth in (12, 13, 14))
    assert SMALL.size == 3 * sum((3 * 3) ** depth for depth in (12, 13, 14))
    assert [len(options) for options in TINY.choices] == [3, 3] + [2, 2] * 14
    assert [len(options) for options in SMALL.choices] == [3, 3] + [3, 3] * 14


def test_every_row_of_the_published_table_is_a_network_of_the_space() -> None:
    seen = set()
    for row in table():
        blocks = zip(row["num_heads"].split(), map(float, row["mlp_ratio"].split()), strict=True)
        text = f"{row['embed_dim']}:" + "/".join(f"{heads}x{ratio:g}" for heads, ratio in blocks)
        architecture = TINY.parse(text)
        assert TINY.format(architecture) == text
        assert TINY.features(architecture)["depth"] == int(row["depth"])
        seen.add(architecture)
    assert len(seen) == 200


def test_features_of_a_network_counted_by_hand() -> None:
    features = TINY.features(TINY.parse(MIXED))
    assert {name: value for name, value in features.items() if "@" not in name} == {
        "embed192": 0, "embed216": 1, "embed240": 0, "depth12": 0, "depth13": 1, "depth14": 0,
        "heads3": 6, "heads4": 7, "mlp3.5": 4, "mlp4": 9,
        "embed": 216, "depth": 13, "heads": 46, "mlp": 50, "hidden": 216 * 50, "units": 216 * 13,
    }  # fmt: skip
    assert features["mlp3.5@block13.mlp"] == 1
    assert not any("@block14" in name for name in features)


@pytest.mark.parametrize("space", [TINY, SMALL], ids=lambda space: space.name)
def test_the_first_and_the_last_index_of_every_depth_are_neighbours_in_order(
    space: AutoFormer,
) -> None:
    blocks = len(space.heads) * len(space.ratios)
    start = 0
    for width in space.embeds:
        for depth in space.depths:
            first, last = space.at(start), space.at(start + blocks**depth - 1)
            for each, block in ((first, 0), (last, -1)):
                expected = f"{space.heads[block]}x{space.ratios[block]:g}"
                assert space.format(each) == f"{width}:" + "/".join([expected] * depth)
            start += blocks**depth
    assert start == space.size


@given(st.integers(0, TINY.size - 1))
def test_an_index_names_one_network(index: int) -> None:
    assert TINY.index(TINY.at(index)) == index


def test_blocks_beyond_the_depth_make_no_other_network() -> None:
    short = TINY.parse(DEIT_TINY)
    assert max(TINY.active(short.genes)) == TINY.positions.index("block12.mlp")
    changed = [*short.genes]
    changed[TINY.positions.index("block14.heads")] = 1
    assert TINY.of(tuple(changed)) == short
    assert len(list(TINY.neighbours(short))) == 2 + 2 + 2 * 12


def test_niches_are_width_by_depth_and_random_networks_reach_all_of_them() -> None:
    rng = np.random.default_rng(0)
    drawn = [TINY.features(TINY.sample(rng)) for _ in range(200)]
    assert len(TINY.complexity_niches) == 9
    for label, predicate in TINY.complexity_niches:
        width, depth = map(int, re.findall(r"[0-9]+", label))
        inside = [features for features in drawn if predicate.holds(features)]
        assert inside
        assert all((each["embed"], each["depth"]) == (width, depth) for each in inside)


@pytest.mark.parametrize(
    ("text", "found"),
    [
        ("", "other text"),
        ("192", "other text"),
        (DEIT_TINY.replace("192", "200"), "width 200"),
        ("192:3x4", "1 blocks"),
        (DEIT_TINY + "/3x4/3x4/3x4", "15 blocks"),
        (DEIT_TINY.replace("3x4", "5x4"), "'5x4' as block 1"),
        (DEIT_TINY[:-1] + "3", "'3x3' as block 12"),
        (DEIT_SMALL, "width 384"),
        ("|nor_conv_3x3~0|", "other text"),
    ],
)
def test_malformed_networks_are_refused_with_what_is_expected(text: str, found: str) -> None:
    with pytest.raises(ArchitectureError, match=found) as caught:
        TINY.parse(text)
    assert "expects a width of 192, 216 or 240 and 12, 13 or 14 blocks" in str(caught.value)
    assert len(str(caught.value)) < 400


@pytest.mark.parametrize("size", [(8, 8), (32, 40), (100, 96)])
def test_images_that_patches_do_not_tile_are_one_sentence(size: tuple[int, int]) -> None:
    shape = Shape(10, *size)
    for refuse in (TINY.check_shape, lambda shape: TINY.build(TINY.at(0), shape)):
        with pytest.raises(SpaceError, match=f"{size[0]}x{size[1]}: use multiples of 16, for"):
            refuse(shape)


def test_drawing_and_explanation_join_equal_blocks() -> None:
    architecture = TINY.parse(DEIT_TINY)
    patch, blocks = TINY.layers(architecture)
    assert (patch.channels, blocks.channels, blocks.repeats) == (192, 192, 12)
    assert "blocks 1 to 12: 3 heads of 64 channels, MLP of 768" in TINY.explain(architecture)
    assert sum(layer.repeats for layer in TINY.layers(TINY.parse(MIXED))) == 1 + 13


def test_a_block_is_attention_and_an_mlp_beside_shortcuts() -> None:
    """With the value, output and MLP weights at zero, every block passes its tokens on."""
    network = TINY.build(TINY.parse(DEIT_TINY), Shape(10, 32, 48)).eval()
    tokens = torch.randn(2, 7, 192)
    for block in network.blocks:  # type: ignore[union-attr]
        for layer in (block.attention.projection, block.mlp[2]):
            torch.nn.init.zeros_(layer.weight)
    torch.testing.assert_close(network.blocks(tokens), tokens)  # type: ignore[operator]


def test_attention_is_the_definition(  # Vaswani et al. 2017, equation 1, head by head
) -> None:
    attention = TINY.build(TINY.parse(DEIT_TINY), Shape(10)).blocks[0].attention  # type: ignore[index]
    tokens = torch.randn(2, 5, 192)
    queries, keys, values = attention.qkv(tokens).reshape(2, 5, 3, 3, 64).unbind(2)
    heads = []
    for head in range(3):
        q, k, v = (part[:, :, head] for part in (queries, keys, values))
        heads.append(torch.softmax(q @ k.transpose(1, 2) / 8, dim=-1) @ v)
    expected = attention.projection(torch.cat(heads, dim=-1))
    torch.testing.assert_close(attention(tokens), expected)


def test_equal_seeds_give_equal_networks_and_others_do_not() -> None:
    def logits(seed: int, architecture: Architecture) -> torch.Tensor:
        torch.manual_seed(seed)
        network = TINY.build(architecture, Shape(10)).eval()
        with torch.inference_mode():
            return network(torch.ones(1, 3, 32, 32))  # type: ignore[no-any-return]

    one, other = TINY.parse(DEIT_TINY), TINY.parse(DEIT_TINY.replace("192", "240"))
    assert torch.equal(logits(0, one), logits(0, one))
    assert not torch.equal(logits(0, one), logits(1, one))
    assert not torch.equal(logits(0, one), logits(0, other))


def test_both_are_found_by_name() -> None:
    assert isinstance(get_space("autoformer"), AutoFormer)
    assert isinstance(get_space("autoformer_small"), AutoFormerSmall)
