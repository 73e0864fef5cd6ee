"""Sizes are the proxies of the built network, found without building its weights."""

import numpy as np
import pytest
import torch
from torch import nn

from pelnas.architecture import Architecture, Shape
from pelnas.predictors.sizes import SIZES, Sizes, skeleton
from pelnas.proxies.engine import score_network
from pelnas.proxies.size import entropy_of
from pelnas.spaces import SPACES, get_space
from pelnas.spaces.tiny import Tiny

SHAPE = Shape(5, 16, 24)


@pytest.mark.parametrize("name", SPACES)
def test_they_are_those_of_the_built_network(name: str) -> None:
    space = get_space(name)
    architecture = space.sample(np.random.default_rng(3))
    shape = Shape.square(5, 32)
    (found,) = Sizes(space, shape, tuple(SIZES)).of([space.format(architecture)])
    network = space.build(architecture, shape)
    images, labels = torch.randn(2, *shape.pixels), torch.zeros(2, dtype=torch.int64)
    scored = score_network(network, images, labels, list(SIZES))
    assert found.pop("flops") == pytest.approx(scored.pop("flops"), rel=0.005)  # biases of layers
    assert found == pytest.approx(scored)


def test_entropy_adds_up_the_logarithms_of_fan_ins() -> None:
    network = nn.Sequential(
        nn.Conv2d(4, 6, 3),
        nn.Conv2d(6, 6, 5, groups=6),
        nn.ConvTranspose2d(6, 3, 2),
        nn.Linear(7, 2),
    )
    assert entropy_of(network) == pytest.approx(np.log([4 * 9, 25, 6 * 4, 7]).sum())


def test_entropy_leaves_gates_out() -> None:
    """Of seven blocks with and without squeeze-and-excite alike."""
    space = get_space("mnasnet")
    plain, excited = (
        skeleton(space, space.parse("/".join([block] * 7)), SHAPE)
        for block in ("e4k3n2", "e4k3n2s")
    )
    assert entropy_of(excited) == pytest.approx(entropy_of(plain))


def test_random_numbers_are_left_alone() -> None:
    torch.manual_seed(5)
    before = torch.random.get_rng_state()
    space = get_space("mnasnet")
    network = skeleton(space, space.at(0), SHAPE)
    assert torch.equal(torch.random.get_rng_state(), before)
    assert all(parameter.device.type == "meta" for parameter in network.parameters())


class Peeking(Tiny):
    """A space whose builder looks at weights that it drew."""

    def build(self, architecture: Architecture, shape: Shape) -> nn.Module:
        network = super().build(architecture, shape)
        assert next(network.parameters()).sum().item() != 0
        return network


def test_a_network_that_needs_its_weights_is_built_with_them() -> None:
    network = skeleton(Peeking(), Peeking().at(93), SHAPE)
    assert entropy_of(network) > 0
