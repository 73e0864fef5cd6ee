"""Mobile networks as torch modules, built from the parts of ``pelnas/spaces/mobile.py``."""

from collections.abc import Sequence
from itertools import pairwise
from typing import cast

from torch import Tensor, nn
from torch.nn.functional import interpolate

from pelnas.spaces.mobile import Convolution, Identity, InvertedResidual, Part

ACTIVATIONS: dict[str, type[nn.Module]] = {"relu": nn.ReLU, "silu": nn.SiLU}


def convolution(part: Convolution) -> nn.Sequential:
    """The convolution, its batch norm and its activation."""
    modules: list[nn.Module] = [
        nn.Conv2d(
            part.inputs,
            part.outputs,
            part.kernel,
            part.stride,
            part.kernel // 2,
            groups=part.groups,
            bias=False,
        ),
        nn.BatchNorm2d(part.outputs),
    ]
    if part.activation:
        modules.append(ACTIVATIONS[part.activation]())
    return nn.Sequential(*modules)


class Shuffle(nn.Module):
    """As ``nn.ChannelShuffle``, of operators that ONNX has."""

    def __init__(self, groups: int) -> None:
        super().__init__()
        self.groups = groups

    def forward(self, inputs: Tensor) -> Tensor:
        batch, channels, height, width = inputs.shape
        split = inputs.reshape(batch, self.groups, channels // self.groups, height, width)
        return split.transpose(1, 2).flatten(1, 2)


class SqueezeExcite(nn.Module):
    """Scale each channel by a gate that sees the mean of all channels."""

    def __init__(self, channels: int, squeeze: int, activation: str) -> None:
        super().__init__()
        self.gate = nn.Sequential(
            nn.AdaptiveAvgPool2d(1),
            nn.Conv2d(channels, squeeze, 1),
            ACTIVATIONS[activation](),
            nn.Conv2d(squeeze, channels, 1),
            nn.Sigmoid(),
        )

    def forward(self, inputs: Tensor) -> Tensor:
        return cast(Tensor, inputs * self.gate(inputs))


class Block(nn.Module):
    """An inverted residual."""

    def __init__(self, part: InvertedResidual) -> None:
        super().__init__()
        *before, last = part.convolutions
        modules: list[nn.Module] = []
        for convolved, following in pairwise((*before, last)):
            modules.append(convolution(convolved))
            if convolved.groups > 1 and following.groups == part.hidden:
                modules.append(Shuffle(convolved.groups))
        if part.squeeze:
            modules.append(SqueezeExcite(part.hidden, part.squeeze, part.activation))
        self.body = nn.Sequential(*modules, convolution(last))
        self.is_residual = part.is_residual

    def forward(self, inputs: Tensor) -> Tensor:
        outputs = cast(Tensor, self.body(inputs))
        return inputs + outputs if self.is_residual else outputs


def module(part: Part) -> nn.Module:
    """What computes a part."""
    match part:
        case InvertedResidual():
            return Block(part)
        case Convolution():
            return convolution(part)
        case Identity():
            return nn.Identity()
    raise TypeError(f"no module for {type(part).__name__}")


class Resize(nn.Module):
    """Images to ``side`` pixels each way, whatever their own size and shape."""

    def __init__(self, side: int) -> None:
        super().__init__()
        self.side = side

    def forward(self, images: Tensor) -> Tensor:
        size = [self.side, self.side]
        if list(images.shape[-2:]) == size:
            return images
        return interpolate(images, size, mode="bilinear", antialias=True)


class MobileNetwork(nn.Module):
    """Parts in sequence, global average pooling and a linear classifier.

    ``resolution``: pixels a side that images are resized to before; ``None`` leaves them.
    """

    def __init__(self, parts: Sequence[Part], classes: int, resolution: int | None = None) -> None:
        super().__init__()
        self.resize = Resize(resolution) if resolution else nn.Identity()
        self.parts = nn.Sequential(*map(module, parts))
        self.pool = nn.Sequential(nn.AdaptiveAvgPool2d(1), nn.Flatten())
        self.classifier = nn.Linear(parts[-1].outputs, classes)

    def forward(self, images: Tensor) -> Tensor:
        return cast(Tensor, self.classifier(self.pool(self.parts(self.resize(images)))))
