"""A small network with all that proxies must cope with, and a batch for it."""

import pytest
import torch
from torch import Tensor, nn


class Block(nn.Module):
    """A residual block with a strided shortcut, as in real networks."""

    def __init__(self, inputs: int, outputs: int) -> None:
        super().__init__()
        self.path = nn.Sequential(
            nn.Conv2d(inputs, outputs, 3, stride=2, padding=1),
            nn.BatchNorm2d(outputs),
            nn.ReLU(inplace=True),
            nn.Conv2d(outputs, outputs, 3, padding=1, groups=2, bias=False),
            nn.BatchNorm2d(outputs),
        )
        self.shortcut = nn.Sequential(nn.AvgPool2d(2), nn.Conv2d(inputs, outputs, 1, bias=False))

    def forward(self, inputs: Tensor) -> Tensor:
        return self.path(inputs) + self.shortcut(inputs)


class Small(nn.Module):
    """Two blocks, a same-padded convolution without norm, and a head; 6x6 images to 3 logits."""

    def __init__(self) -> None:
        super().__init__()
        self.stem = nn.Sequential(nn.Conv2d(3, 4, 3, padding="same"), nn.BatchNorm2d(4), nn.ReLU())
        self.blocks = nn.Sequential(Block(4, 6), Block(6, 8))
        self.head = nn.Sequential(nn.ReLU(), nn.AdaptiveAvgPool2d(1), nn.Flatten())
        self.classifier = nn.Linear(8, 3)

    def forward(self, images: Tensor) -> Tensor:
        logits: Tensor = self.classifier(self.head(self.blocks(self.stem(images))))
        return logits


@pytest.fixture
def network() -> nn.Module:
    """In double precision, with weights, norms and statistics that are not the defaults."""
    torch.manual_seed(3)
    small = Small().double()
    with torch.no_grad():
        for module in small.modules():
            if isinstance(module, nn.BatchNorm2d):
                module.weight.uniform_(0.5, 1.5)
                module.bias.normal_(0, 0.3)
                module.running_var.uniform_(0.5, 2)
    return small


@pytest.fixture
def batch() -> tuple[Tensor, Tensor]:
    """Eight images of 8x8 in three classes."""
    generator = torch.Generator().manual_seed(5)
    images = torch.randn(8, 3, 8, 8, generator=generator, dtype=torch.float64)
    return images, torch.tensor([0, 1, 2, 0, 1, 2, 0, 1])
