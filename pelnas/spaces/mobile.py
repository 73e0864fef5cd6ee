"""The parts that mobile networks are made of, as plain values with exact counts.

``pelnas/spaces/mobile_network.py`` builds them. A network is a stem, blocks and a
last convolution (all of these parts), global average pooling and a classifier.
Sources: Sandler et al., "MobileNetV2", CVPR 2018 (inverted residual); Hu et al.,
"Squeeze-and-Excitation Networks", CVPR 2018; Zhang et al., "ShuffleNet", CVPR 2018
(channel shuffle).
"""

from collections.abc import Iterable
from dataclasses import dataclass
from typing import Protocol

Size = tuple[int, int]  # height and width in pixels


class Part(Protocol):
    """What stands between two feature maps."""

    @property
    def stride(self) -> int: ...

    @property
    def outputs(self) -> int:
        """Channels."""

    @property
    def parameters(self) -> int:
        """Trainable ones, those of normalisation included."""

    def multiplications(self, size: Size) -> int:
        """Multiply-accumulates for an input of this size; convolutions alone are counted."""


@dataclass(frozen=True, slots=True)
class Identity:
    """What comes in goes out."""

    outputs: int
    stride: int = 1
    parameters: int = 0

    def multiplications(self, size: Size) -> int:
        return 0


@dataclass(frozen=True, slots=True)
class Convolution:
    """A convolution without bias, batch norm and an activation."""

    inputs: int
    outputs: int
    kernel: int = 1
    stride: int = 1
    groups: int = 1
    activation: str = "relu"  # "" for none

    @property
    def weights(self) -> int:
        return self.inputs // self.groups * self.outputs * self.kernel**2

    @property
    def parameters(self) -> int:
        return self.weights + 2 * self.outputs

    def multiplications(self, size: Size) -> int:
        height, width = reduced(size, self.stride)
        return self.weights * height * width


@dataclass(frozen=True, slots=True)
class InvertedResidual:
    """Expand by a 1x1 convolution, filter each channel, project by a 1x1 convolution.

    ``expands``: whether the first convolution is there. ``groups``: of both 1x1
    convolutions; with more than one the channels are shuffled after the first.
    ``squeeze``: channels of the squeeze-and-excite bottleneck, 0 for none.
    Input and output are added where their shapes are equal.
    """

    inputs: int
    outputs: int
    kernel: int
    expansion: int
    stride: int = 1
    groups: int = 1
    squeeze: int = 0
    expands: bool = True
    activation: str = "relu"

    @property
    def hidden(self) -> int:
        """Channels between the two 1x1 convolutions."""
        return self.inputs * self.expansion

    @property
    def is_residual(self) -> bool:
        return self.stride == 1 and self.inputs == self.outputs

    @property
    def convolutions(self) -> tuple[Convolution, ...]:
        """From input to output, squeeze-and-excite left out."""
        hidden, act = self.hidden, self.activation
        first = Convolution(self.inputs, hidden, groups=self.groups, activation=act)
        middle = Convolution(hidden, hidden, self.kernel, self.stride, hidden, act)
        last = Convolution(hidden, self.outputs, groups=self.groups, activation="")
        return (first, middle, last) if self.expands else (middle, last)

    @property
    def parameters(self) -> int:
        excite = 2 * self.hidden * self.squeeze + self.hidden + self.squeeze if self.squeeze else 0
        return sum(each.parameters for each in self.convolutions) + excite

    def multiplications(self, size: Size) -> int:
        total = 2 * self.hidden * self.squeeze  # at one pixel
        for each in self.convolutions:
            total += each.multiplications(size)
            size = reduced(size, each.stride)
        return total


def reduced(size: Size, stride: int) -> Size:
    """The size after a padded convolution of this stride."""
    height, width = size
    return -(-height // stride), -(-width // stride)


def total_cost(parts: Iterable[Part], size: Size) -> tuple[int, int, Size]:
    """Parameters and multiply-accumulates of parts in sequence, and the size after them."""
    parameters = multiplications = 0
    for part in parts:
        parameters += part.parameters
        multiplications += part.multiplications(size)
        size = reduced(size, part.stride)
    return parameters, multiplications, size


def classifier_cost(features: int, classes: int) -> int:
    """Parameters of a linear layer with bias, and its multiply-accumulates."""
    return (features + 1) * classes


#: What the parts of a block ask of a device, in the order of ``work``.
WORK = ("pointwise", "depthwise", "activations", "excited", "excitations", "layers")


def work(parts: Iterable[Part], size: Size) -> tuple[tuple[float, ...], Size]:
    """What parts in sequence ask of a device, one number for each of ``WORK``, and the size after.

    Multiply-accumulates of ordinary and of depthwise convolutions; numbers written by
    convolutions; numbers that pass squeeze-and-excite; how many of these, and of parts.
    """
    total = [0.0] * len(WORK)
    for part in parts:
        total[-1] += not isinstance(part, Identity)
        if isinstance(part, InvertedResidual):
            inside = size
            for each in part.convolutions:
                total[each.groups == each.inputs > 1] += each.multiplications(inside)
                inside = reduced(inside, each.stride)
                total[2] += each.outputs * inside[0] * inside[1]
            if part.squeeze:
                total[3] += part.hidden * inside[0] * inside[1]
                total[4] += 1
        size = reduced(size, part.stride)
    return tuple(total), size


def workload(blocks: Iterable[tuple[float, ...]], parameters: int) -> dict[str, dict[str, float]]:
    """The views of ``SearchSpace.workload`` from the ``work`` of every block."""
    each = list(blocks)
    total = dict(zip(WORK, map(sum, zip(*each, strict=True)), strict=True))
    placed = {
        f"{name}@{place}": value
        for place, values in enumerate(each)
        for name, value in zip(WORK, values, strict=True)
    }
    return {"total": total | {"parameters": float(parameters)}, "blocks": placed}
