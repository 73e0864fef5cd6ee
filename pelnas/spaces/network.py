"""The macro skeleton of NAS-Bench-201 around one cell, as a torch module.

Source: Dong & Yang, ICLR 2020, section 2.1 and figure 1: a 3x3 stem, three
stages of equal cells, a residual block with stride 2 before the second and
third stage, and a head of batch norm, ReLU, global pooling and a classifier.
"""

from collections.abc import Sequence
from typing import cast

from torch import Tensor, nn

Edges = Sequence[tuple[tuple[int, int], str]]


class Zero(nn.Module):
    """No connection: a zero of the input's shape."""

    def forward(self, inputs: Tensor) -> Tensor:
        return inputs.mul(0.0)


def _convolution(channels: int, kernel: int) -> nn.Module:
    return nn.Sequential(
        nn.ReLU(inplace=False),
        nn.Conv2d(channels, channels, kernel, padding=kernel // 2, bias=False),
        nn.BatchNorm2d(channels),
    )


def _operation(name: str, channels: int) -> nn.Module:
    match name:
        case "none":
            return Zero()
        case "skip_connect":
            return nn.Identity()
        case "nor_conv_1x1":
            return _convolution(channels, 1)
        case "nor_conv_3x3":
            return _convolution(channels, 3)
        case "avg_pool_3x3":
            return nn.AvgPool2d(3, stride=1, padding=1, count_include_pad=False)
    raise ValueError(f"unknown operation {name!r}")


class Cell(nn.Module):
    """Each node adds up one operation from every earlier node; the last node is the output."""

    def __init__(self, edges: Edges, channels: int) -> None:
        super().__init__()
        self.sources = [source for (source, _), _ in edges]
        self.targets = [target for (_, target), _ in edges]
        self.operations = nn.ModuleList(_operation(name, channels) for _, name in edges)

    def forward(self, inputs: Tensor) -> Tensor:
        nodes: list[Tensor | None] = [inputs] + [None] * max(self.targets)
        for source, target, operation in zip(
            self.sources, self.targets, self.operations, strict=True
        ):
            term = operation(nodes[source])
            total = nodes[target]
            nodes[target] = term if total is None else total + term
        return cast(Tensor, nodes[-1])


class Reduction(nn.Module):
    """A basic residual block that halves the resolution and doubles the channels."""

    def __init__(self, channels: int) -> None:
        super().__init__()
        self.first = nn.Sequential(
            nn.ReLU(inplace=False),
            nn.Conv2d(channels, 2 * channels, 3, stride=2, padding=1, bias=False),
            nn.BatchNorm2d(2 * channels),
        )
        self.second = _convolution(2 * channels, 3)
        self.shortcut = nn.Sequential(
            nn.AvgPool2d(2, stride=2, ceil_mode=True),
            nn.Conv2d(channels, 2 * channels, 1, bias=False),
        )

    def forward(self, inputs: Tensor) -> Tensor:
        return cast(Tensor, self.shortcut(inputs) + self.second(self.first(inputs)))


class CellNetwork(nn.Module):
    """Images (batch, images, height, width) to logits (batch, classes)."""

    def __init__(
        self, edges: Edges, channels: int, cells_per_stage: int, classes: int, images: int = 3
    ) -> None:
        super().__init__()
        self.stem = nn.Sequential(
            nn.Conv2d(images, channels, 3, padding=1, bias=False), nn.BatchNorm2d(channels)
        )
        stages: list[nn.Module] = []
        for stage in range(3):
            if stage:
                stages.append(Reduction(channels))
                channels *= 2
            stages += [Cell(edges, channels) for _ in range(cells_per_stage)]
        self.stages = nn.Sequential(*stages)
        self.head = nn.Sequential(
            nn.BatchNorm2d(channels), nn.ReLU(inplace=False), nn.AdaptiveAvgPool2d(1), nn.Flatten()
        )
        self.classifier = nn.Linear(channels, classes)

    def forward(self, images: Tensor) -> Tensor:
        return cast(Tensor, self.classifier(self.head(self.stages(self.stem(images)))))
