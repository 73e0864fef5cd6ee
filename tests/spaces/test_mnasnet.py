"""The MnasNet space: exact counts against the published ones, and the variant with scales."""

import csv
import io
from pathlib import Path

import numpy as np
import pytest
import torch

from pelnas.architecture import Architecture, Shape
from pelnas.errors import ArchitectureError
from pelnas.spaces.mnasnet import MnasNet, ScaledMnasNet, head_width, scaled

SPACE, SCALED = MnasNet(), ScaledMnasNet()
IMAGENET = Shape.square(1000, 224)
TEXT = "e6k3n1/e1k5n3s/e6k3n2/e6k3n1/e4k3n2s/e6k5n4/e4k5n2"


def published(folder: Path) -> list[tuple[Architecture, float, float]]:
    """Every network of the benchmark's table with its parameters and operations in millions."""
    text = (folder / "mnasnet_imagenet_devices.csv").read_text(encoding="utf-8")
    rows = csv.DictReader(io.StringIO(text))
    return [(SPACE.parse(text_of(row)), float(row["mparams"]), float(row["mmacs"])) for row in rows]


def text_of(row: dict[str, str]) -> str:
    columns = (row[name].split() for name in ("expand", "kernel", "layers", "se"))
    blocks = zip(*columns, strict=True)
    return "/".join(f"e{e}k{k}n{n}{'s' if int(s) else ''}" for e, k, n, s in blocks)


def test_it_has_a_hundred_billion_networks() -> None:
    assert SPACE.size == (3 * 2 * 3 * 2) ** 6 * (3 * 2 * 4 * 2)
    assert SCALED.size == 25 * SPACE.size


def test_parameters_are_the_published_ones_in_every_row(data_folder: Path) -> None:
    for network, millions, _ in published(data_folder):
        assert f"{SPACE.parameters(network, IMAGENET) / 1e6:.5f}".rstrip(
            "0"
        ) == f"{millions:.5f}".rstrip("0")


def test_operations_go_with_the_published_ones(data_folder: Path) -> None:
    """Those also count normalisation, pooling and scaling."""
    pairs = [
        (SPACE.flops(net, IMAGENET) / 1e6, millions) for net, _, millions in published(data_folder)
    ]
    ours, theirs = np.array(pairs).T
    assert np.corrcoef(ours, theirs)[0, 1] > 0.998
    assert (ours < theirs).all()


def test_the_largest_blocks_make_the_largest_network() -> None:
    largest = SPACE.parse("/".join(["e6k5n3s"] * 5 + ["e6k5n4s", "e6k5n3s"]))
    sizes = SPACE.parameters(largest, IMAGENET), SPACE.flops(largest, IMAGENET)
    for neighbour in SPACE.neighbours(largest):
        assert SPACE.parameters(neighbour, IMAGENET) < sizes[0]
        assert SPACE.flops(neighbour, IMAGENET) < sizes[1]


@pytest.mark.parametrize("shape", [Shape(5, 64, 96, 1), Shape(5, 33, 47, 4)])
def test_any_size_and_number_of_channels_will_do(shape: Shape) -> None:
    with torch.no_grad():
        logits = SPACE.build(SPACE.parse(TEXT), shape)(torch.randn(2, *shape.pixels))
    assert logits.shape == (2, 5)
    assert torch.isfinite(logits).all()


@pytest.mark.parametrize(
    ("text", "complaint"),
    [
        (TEXT.rpartition("/")[0], "found 6 blocks"),
        (TEXT.replace("e6k5n4", "e6k5n3").replace("e4k5n2", "e4k5n4"), "'e4k5n4' as block 6"),
        (TEXT.replace("e1", "e2"), "'e2k5n3s' as block 1"),
        ("31/36.36.36.36", "'31' as block 0|found 2 blocks"),
    ],
)
def test_a_text_of_another_space_is_refused(text: str, complaint: str) -> None:
    with pytest.raises(ArchitectureError, match=f"mnasnet expects .*({complaint})"):
        SPACE.parse(text)


@pytest.mark.parametrize(
    ("text", "complaint"),
    [
        (TEXT, "no width and resolution"),
        (f"w0.6r96:{TEXT}", "'w0.6' in place of one of w0.35, w0.5"),
        (f"w0.5r100:{TEXT}", "'r100' in place of one of r96"),
    ],
)
def test_a_text_without_a_known_scale_is_refused(text: str, complaint: str) -> None:
    with pytest.raises(ArchitectureError, match=complaint):
        SCALED.parse(text)


def test_features_sum_over_layers() -> None:
    features = SPACE.features(SPACE.parse(TEXT))
    expected = {
        "depth": 15, "expansion": 6 + 3 + 12 + 6 + 8 + 24 + 8, "kernels": 3 + 15 + 6 + 3 + 6 + 20 + 10,
        "excited": 5, "se": 2, "k5@block5_kernel": 1, "n4": 1,
    }  # fmt: skip
    assert {name: features[name] for name in expected} == expected
    scales = SCALED.features(SCALED.parse(f"w0.5r160:{TEXT}"))
    assert (scales["multiplier"], scales["pixels"], scales["depth"]) == (0.5, 160, 15)


def test_channels_are_scaled_as_in_mobilenetv2() -> None:
    assert [scaled(channels, 0.35) for channels in (16, 24, 32, 320)] == [8, 8, 16, 112]
    assert [scaled(channels, 1.4) for channels in (16, 24, 32, 320)] == [24, 32, 48, 448]
    assert (head_width(0.35), head_width(1.4)) == (1280, 1792)


def test_the_scaled_network_is_the_plain_one_at_its_own_resolution() -> None:
    plain, same = SPACE.parse(TEXT), SCALED.parse(f"w1.0r128:{TEXT}")
    at_128, elsewhere = Shape.square(10, 128), Shape(10, 40, 60)
    assert SCALED.flops(same, elsewhere) == SPACE.flops(plain, at_128)
    assert SCALED.parameters(same, elsewhere) == SPACE.parameters(plain, at_128)
    one, other = SPACE.build(plain, at_128).eval(), SCALED.build(same, elsewhere).eval()
    other.load_state_dict(one.state_dict())
    images = torch.randn(1, 3, 128, 128)
    with torch.no_grad():
        assert torch.equal(one(images), other(images))
        assert other(torch.randn(1, 3, 40, 60)).shape == (1, 10)


def test_the_drawing_shows_stem_blocks_and_head() -> None:
    boxes = SPACE.layers(SPACE.parse(TEXT))
    assert [box.channels for box in boxes] == [32, 16, 24, 40, 80, 112, 192, 320, 1280]
    assert [box.repeats for box in boxes] == [1, 1, 3, 2, 1, 2, 4, 2, 1]
    assert boxes[2].detail == "block1: 3 layers of expansion 1, kernel 5 with squeeze-and-excite"
    narrow = SCALED.layers(SCALED.parse(f"w0.5r96:{TEXT}"))
    assert [box.channels for box in narrow] == [16, 8, 16, 24, 40, 56, 96, 160, 1280]
