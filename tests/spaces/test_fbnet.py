"""The FBNet space: counts against the built network and the papers, and one key for one function."""

import pytest
import torch

from pelnas.architecture import Shape
from pelnas.errors import ArchitectureError
from pelnas.spaces.fbnet import OPERATIONS, PLACES, FBNet

SPACE = FBNet()
NAMES = [operation.name for operation in OPERATIONS]
#: FBNet-A as published: https://arxiv.org/abs/1812.03443, figure 4.
FBNET_A = (
    "skip k3_e3 k3_e1 skip skip k5_e6 k3_e3 k5_e1 k3_e3 k5_e6 k5_e3 k5_e1_g2 k5_e6"
    " k3_e6 k5_e1_g2 k5_e1 k3_e1_g2 k5_e6 k5_e6 k5_e3 k5_e6 k3_e6"
)  # fmt: skip


def test_it_has_nine_operations_in_22_layers() -> None:
    assert SPACE.size == 9**22
    assert NAMES == [
        "k3_e1",
        "k3_e1_g2",
        "k3_e3",
        "k3_e6",
        "k5_e1",
        "k5_e1_g2",
        "k5_e3",
        "k5_e6",
        "skip",
    ]
    assert [place.outputs for place in PLACES] == (
        [16] + [24] * 4 + [32] * 4 + [64] * 4 + [112] * 4 + [184] * 4 + [352]
    )


def test_fbnet_a_has_the_published_size() -> None:
    """4.3 million parameters and 249 million multiply-accumulates for ImageNet (table 3).

    The paper does not say what its multiplications include; convolutions alone are 4 % fewer.
    """
    network = SPACE.of(tuple(NAMES.index(op) for op in FBNET_A.split()))
    shape = Shape.square(1000, 224)
    assert SPACE.parameters(network, shape) / 1e6 == pytest.approx(4.3, abs=0.06)
    assert SPACE.flops(network, shape) / 1e6 == pytest.approx(249, rel=0.05)


@pytest.mark.parametrize(("height", "width", "reduction"), [(32, 32, 8), (63, 96, 8), (96, 64, 32)])
def test_larger_images_are_reduced_more(height: int, width: int, reduction: int) -> None:
    network = SPACE.build(SPACE.at(5**22), Shape(3, height, width, 1))
    with torch.no_grad():
        features = network.parts(torch.randn(2, 1, height, width))  # type: ignore[operator]
    assert features.shape == (2, 1504, -(-height // reduction), -(-width // reduction))


def test_a_text_is_short_and_names_kernel_and_expansion() -> None:
    skips = [8] * 22
    assert SPACE.format(SPACE.of(tuple(skips))) == "s/s.s.s.s/s.s.s.s/s.s.s.s/s.s.s.s/s.s.s.s/s"
    skips[1:4] = NAMES.index("k3_e6"), NAMES.index("k5_e1_g2"), NAMES.index("k5_e1")
    text = SPACE.format(SPACE.of(tuple(skips)))
    assert text == "s/36.5g.51.s/s.s.s.s/s.s.s.s/s.s.s.s/s.s.s.s/s"


@pytest.mark.parametrize(
    ("text", "complaint"),
    [
        ("s/s.s.s/s.s.s.s/s.s.s.s/s.s.s.s/s.s.s.s/s", "stages of 1, 3, 4, 4, 4, 4, 1 layers"),
        ("s/s.s.s.s/s.s.s.s/s.s.s.s/s.s.s.s/s.s.s.s/74", "unknown symbol '74'"),
        ("|none~0|+|none~0|none~1|", "stages of 1 layers"),
    ],
)
def test_a_text_of_another_space_is_refused(text: str, complaint: str) -> None:
    with pytest.raises(ArchitectureError, match=f"fbnet expects .*{complaint}"):
        SPACE.parse(text)


def test_networks_that_differ_in_where_an_identity_stands_have_one_key() -> None:
    skip, block, other = NAMES.index("skip"), NAMES.index("k3_e6"), NAMES.index("k5_e3")
    rest = (block,) * 17

    def key(*stage: int) -> str:
        return SPACE.key(SPACE.of((block, *stage, *rest)))

    assert key(other, skip, block, skip) == key(other, block, skip, skip)
    # In the first layer of a stage a skip changes the channels.
    assert key(skip, other, block, skip) != key(other, skip, block, skip)
    assert key(other, skip, block, skip) != key(other, skip, other, skip)


def test_one_key_is_one_function() -> None:
    texts = (
        f"31/{stage}/s.s.s.s/s.s.s.s/s.s.s.s/s.s.s.s/s" for stage in ("36.s.5g.s", "36.5g.s.s")
    )
    one, other = (SPACE.build(SPACE.parse(text), Shape(4)).eval() for text in texts)
    other.load_state_dict(dict(zip(other.state_dict(), one.state_dict().values(), strict=True)))
    images = torch.randn(2, 3, 32, 32)
    assert torch.equal(one(images), other(images))


def test_features_sum_over_the_network_and_its_stages() -> None:
    text = "36/53.3g.s.s/s.s.s.s/s.s.s.s/s.s.s.s/s.s.s.s/s"
    features = SPACE.features(SPACE.parse(text))
    expected = {
        "depth": 3, "kernels": 11, "expansion": 10, "skip": 19, "k3": 2, "k5": 1, "e1": 1, "e3": 1,
        "e6": 1, "grouped": 1, "depth_stage2": 2, "kernels_stage2": 8, "expansion_stage2": 4,
        "depth_stage3": 0,
    }  # fmt: skip
    assert {name: features[name] for name in expected} == expected
    assert "depth_stage1" not in features


def test_the_drawing_shows_every_layer_between_stem_and_head() -> None:
    boxes = SPACE.layers(SPACE.at(0))
    assert len(boxes) == 24
    assert [box.channels for box in (boxes[0], boxes[1], boxes[-2], boxes[-1])] == [
        16,
        16,
        352,
        1504,
    ]
    assert boxes[2].detail == "layer1: k3_e1, 16 to 24 channels"
