"""Counts against the space's formulae and against layers counted by hand."""

import pytest
import torch
from torch import Tensor, nn

from pelnas.architecture import Shape
from pelnas.proxies.engine import score_network
from pelnas.spaces import get_space

Batch = tuple[Tensor, Tensor]


@pytest.mark.parametrize("index", [0, 1, 6111, 9930])
def test_counts_are_those_of_the_benchmark(index: int) -> None:
    space = get_space("nasbench201")
    cell = space.at(index)
    network = space.build(cell, Shape.square(10, 32))
    images = torch.zeros(2, 3, 32, 32)
    found = score_network(network, images, torch.zeros(2, dtype=torch.int64), ["params", "flops"])
    assert found["params"] == space.parameters(cell, Shape(10))
    assert found["flops"] == space.flops(cell, Shape.square(10, 32))


class Odd(nn.Module):
    """Groups, a transposed convolution, and a linear layer over pixels."""

    def __init__(self) -> None:
        super().__init__()
        self.grouped = nn.Conv2d(4, 8, 3, groups=4, stride=2, padding=1)
        self.up = nn.ConvTranspose2d(8, 2, 2, stride=2, bias=False)
        self.last = nn.Linear(2 * 8 * 8, 3)

    def forward(self, images: Tensor) -> Tensor:
        logits: Tensor = self.last(self.up(self.grouped(images)).flatten(1))
        return logits


def test_multiply_accumulates_of_every_kind_of_layer() -> None:
    grouped = 8 * 4 * 4 * (1 * 9) + 8 * 4 * 4  # each output sees one input channel; a bias each
    up = 8 * 4 * 4 * 2 * 4  # each input value reaches 2 channels of 2x2
    last = 128 * 3 + 3
    found = score_network(Odd(), torch.rand(2, 4, 8, 8), torch.tensor([0, 1]), ["flops"])["flops"]
    assert found == grouped + up + last


def test_l2_norm_layer_by_layer(network: nn.Module, batch: Batch) -> None:
    expected = sum(
        float(sum(float(w) ** 2 for w in module.weight.detach().flatten()) ** 0.5)
        for module in network.modules()
        if isinstance(module, nn.Conv2d | nn.Linear)
    )
    assert score_network(network, *batch, ["l2_norm"])["l2_norm"] == pytest.approx(
        expected, rel=1e-4
    )
