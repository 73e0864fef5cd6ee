import sys

import numpy as np
import pytest
from torch import Tensor, nn

from pelnas.architecture import Shape
from pelnas.spaces import SPACES, get_space
from pelnas.spaces.base import SearchSpace
from pelnas.spaces.footprint import BYTES, Footprint, counted, peak, unweighted

IMAGES = Shape(7, 20, 17, 3)  # odd sides, so that every rounding shows


class Residual(nn.Module):
    """3 channels through two convolutions of 5, added to a third one."""

    def __init__(self) -> None:
        super().__init__()
        self.short = nn.Conv2d(3, 5, 1)
        self.long = nn.Sequential(nn.Conv2d(3, 8, 1, bias=False), nn.BatchNorm2d(8), nn.ReLU(True))
        self.last = nn.Conv2d(8, 5, 1, bias=False)

    def forward(self, images: Tensor) -> Tensor:
        kept = self.short(images)
        added: Tensor = kept + self.last(self.long(images))
        return added


def test_the_widest_moment_of_a_residual_block_by_hand() -> None:
    # 4 x 4 pixels of float32. Widest: the norm reads 8 channels and writes 8 while the shortcut's
    # 5 wait; the image is needed no more. ReLU in place needs no second buffer.
    found = counted(Residual(), (3, 4, 4))
    assert found.memory == (5 + 8 + 8) * 16 * BYTES
    # Weights: 3x5 + 5 bias; 3x8, its norm folded into a bias of 8; 8x5.
    assert found.size == (20 + 24 + 8 + 40) * BYTES


def test_a_norm_that_no_convolution_precedes_keeps_scale_and_shift() -> None:
    network = nn.Sequential(nn.BatchNorm2d(3), nn.Conv2d(3, 2, 1), nn.BatchNorm2d(2))
    assert counted(network, (3, 4, 4)).size == (6 + 6 + 2) * BYTES


def test_counting_does_not_import_the_compiler_of_pytorch(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "torch._dynamo", None)  # importing it fails
    assert counted(nn.Linear(3, 2, bias=False), (3,)).size == 3 * 2 * BYTES


def test_what_is_read_later_is_held_until_then() -> None:
    sizes = {0: 10, 1: 1, 2: 1, 3: 1}
    assert peak([((0,), (1,)), ((1,), (2,)), ((2,), (3,))], sizes) == 11
    assert peak([((0,), (1,)), ((1,), (2,)), ((2, 0), (3,))], sizes) == 12
    assert peak([], {}) == 0


@pytest.mark.parametrize("name", ["nasbench201", "tiny"])
def test_the_formula_of_cells_counts_what_the_built_network_holds(name: str) -> None:
    space, rng = get_space(name), np.random.default_rng(0)
    edges = len(space.positions)
    extremes = [space.of((gene,) * edges) for gene in range(5)]
    for architecture in [*extremes, *(space.sample(rng) for _ in range(6))]:
        network = unweighted(lambda a=architecture: space.build(a, IMAGES))  # type: ignore[misc]
        assert space.footprint(architecture, IMAGES) == counted(network, IMAGES.pixels)


@pytest.mark.parametrize("name", sorted(SPACES))
def test_every_space_has_a_footprint(name: str) -> None:
    space = get_space(name)
    shape = Shape.square(10, 32)
    architecture = space.sample(np.random.default_rng(1))
    found = space.footprint(architecture, shape)
    assert isinstance(found, Footprint)
    assert found.memory >= BYTES * 3 * 32 * 32
    assert 0.9 < found.size / (BYTES * space.parameters(architecture, shape)) <= 1
    assert isinstance(space, SearchSpace)
