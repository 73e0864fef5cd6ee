"""The MnasNet space of Accel-NASBench on EfficientNet's skeleton: seven blocks, 1e11 networks.

Sources: Tan et al., "MnasNet: Platform-Aware Neural Architecture Search for Mobile",
CVPR 2019; Tan & Le, "EfficientNet", ICML 2019 (widths, strides, SiLU); Ahmad et al.,
"Accel-NASBench", 2024 (choices).
"""

import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, replace
from functools import lru_cache
from itertools import product
from typing import TYPE_CHECKING

from pelnas.architecture import Architecture, Shape
from pelnas.errors import ArchitectureError
from pelnas.spaces.base import Layer, SearchSpace
from pelnas.spaces.mobile import (
    Convolution,
    InvertedResidual,
    Size,
    classifier_cost,
    total_cost,
    work,
    workload,
)

if TYPE_CHECKING:
    from torch import nn

STEM, HEAD = 32, 1280  # channels
WIDTHS = (16, 24, 40, 80, 112, 192, 320)
STRIDES = (1, 2, 2, 2, 1, 2, 1)
EXPANSIONS, KERNELS = (1, 4, 6), (3, 5)
MOST_LAYERS = (3, 3, 3, 3, 3, 4, 3)
SQUEEZE = 4  # inputs of a layer to one channel of its squeeze-and-excite bottleneck
PLAIN, EXCITE = "plain", "se"
ACTIVATION = "silu"
FULL = 1.0  # the width multiplier of the benchmark
#: Width multipliers and input resolutions of the scaled variant, as in MobileNetV2.
MULTIPLIERS = (0.35, 0.5, 0.75, 1.0, 1.4)
RESOLUTIONS = (96, 128, 160, 192, 224)

_ASPECTS = ("expansion", "kernel", "layers", "excite")
_BLOCK = re.compile(r"e(?P<expansion>\d)k(?P<kernel>\d)n(?P<layers>\d)(?P<excite>s?)")
_SCALE = re.compile(r"w(?P<multiplier>[0-9.]{1,4})r(?P<resolution>\d{1,3}):(?P<blocks>.*)", re.S)


@dataclass(frozen=True, slots=True)
class Block:
    """The choices of one block; its layers are equal but for the first one's stride."""

    expansion: int
    kernel: int
    layers: int
    excite: bool

    def __str__(self) -> str:
        return f"e{self.expansion}k{self.kernel}n{self.layers}{'s' if self.excite else ''}"

    @property
    def operations(self) -> tuple[str, ...]:
        """Expansion, kernel, layers and squeeze-and-excite as operations of the space."""
        excite = EXCITE if self.excite else PLAIN
        return (f"e{self.expansion}", f"k{self.kernel}", f"n{self.layers}", excite)

    def parts(self, inputs: int, outputs: int, stride: int) -> Iterator[InvertedResidual]:
        """Its layers from input to output."""
        for nth in range(self.layers):
            yield InvertedResidual(
                inputs,
                outputs,
                self.kernel,
                self.expansion,
                1 if nth else stride,
                squeeze=inputs // SQUEEZE if self.excite else 0,
                expands=self.expansion > 1,
                activation=ACTIVATION,
            )
            inputs = outputs


def _blocks(most: int) -> tuple[Block, ...]:
    """Every block of up to so many layers, in the order of their genes."""
    depths, excites = range(1, most + 1), (False, True)
    return tuple(Block(*each) for each in product(EXPANSIONS, KERNELS, depths, excites))


BLOCKS = tuple(_blocks(most) for most in MOST_LAYERS)


def _aspect(block: int, aspect: int) -> tuple[str, ...]:
    return tuple(dict.fromkeys(each.operations[aspect] for each in BLOCKS[block]))


class MnasNet(SearchSpace):
    """Expansion, kernel, number of layers and squeeze-and-excite of each of seven blocks."""

    name = "mnasnet"
    positions = tuple(f"block{block}_{aspect}" for block in range(7) for aspect in _ASPECTS)
    choices = tuple(_aspect(block, aspect) for block in range(7) for aspect in range(4))

    # -- choices as values ----------------------------------------------------

    def blocks(self, architecture: Architecture) -> tuple[Block, ...]:
        """The seven blocks from input to output."""
        genes = architecture.genes[-4 * len(WIDTHS) :]
        return tuple(
            BLOCKS[number][_row(genes[4 * number : 4 * number + 4], MOST_LAYERS[number])]
            for number in range(len(WIDTHS))
        )

    def scale(self, architecture: Architecture) -> tuple[float, int | None]:
        """The width multiplier, and the resolution in pixels where the network sets its own."""
        return FULL, None

    # -- text ---------------------------------------------------------------

    def format(self, architecture: Architecture) -> str:
        return "/".join(map(str, self.blocks(architecture)))

    def parse(self, text: str) -> Architecture:
        return self.of(self._block_genes(text, text.strip()))

    def _block_genes(self, text: str, part: str) -> tuple[int, ...]:
        """The genes of the blocks of a text. ArchitectureError: what is wrong in it."""
        matches = [_BLOCK.fullmatch(block) for block in part.split("/")]
        if len(matches) != len(WIDTHS):
            raise self._malformed(text, f"{len(matches)} blocks")
        genes: list[int] = []
        for number, match in enumerate(matches):
            block = Block(*_numbers(match.groupdict())) if match else None
            if block is None or block not in BLOCKS[number]:
                raise self._malformed(text, f"{part.split('/')[number][:20]!r} as block {number}")
            aspects = self.choices[len(self.choices) - 4 * (len(WIDTHS) - number) :]
            genes += [ops.index(op) for ops, op in zip(aspects, block.operations, strict=False)]
        return tuple(genes)

    def _malformed(self, text: str, found: str) -> ArchitectureError:
        return ArchitectureError(
            f"{self.name} expects seven blocks like {self._example}: e1, e4 or e6, k3 or k5, n1 to n3"
            f" (n4 in block 5), s for squeeze-and-excite; found {found} in {text[:160]!r}: correct"
            " that part"
        )

    @property
    def _example(self) -> str:
        return self.format(self.at(7 * self.size // 11))

    # -- for agents and people ------------------------------------------------

    def describe(self) -> str:
        widths = ", ".join(map(str, WIDTHS))
        halving = ", ".join(str(number) for number, stride in enumerate(STRIDES) if stride > 1)
        return (
            f"A mobile network of seven blocks, block0 to block6, of {widths} channels. Each block"
            " is one to three (block5: to four) inverted residual layers in sequence, all with one"
            " expansion (e1, e4, e6), one depthwise kernel (k3, k5), a number of layers (n1, n2, n3,"
            " n4) and squeeze-and-excite (se) or none (plain). The first layer of blocks"
            f" {halving} halves the resolution, as does the 3x3 stem of {STEM} channels; a 1x1"
            f" convolution of {HEAD} channels, pooling and a classifier follow. {self._text_form}"
        )

    @property
    def _text_form(self) -> str:
        return (
            "Text form: the blocks as e6k3n2, with s at the end for squeeze-and-excite, joined by"
            f" '/', for example {self._example}."
        )

    def explain(self, architecture: Architecture) -> str:
        widths = zip(WIDTHS, self.blocks(architecture), strict=True)
        return "; ".join(f"{width} channels: {_in_words(block)}" for width, block in widths)

    def layers(self, architecture: Architecture) -> tuple[Layer, ...]:
        multiplier, _ = self.scale(architecture)
        boxes = [Layer("3x3", "convolution", "stem: 3x3 convolution", scaled(STEM, multiplier))]
        for number, (width, block) in enumerate(
            zip(WIDTHS, self.blocks(architecture), strict=True)
        ):
            boxes.append(
                Layer(
                    f"e{block.expansion}k{block.kernel}{'s' if block.excite else ''}",
                    f"e{block.expansion}",
                    f"block{number}: {_in_words(block)}",
                    scaled(width, multiplier),
                    block.layers,
                )
            )
        head = head_width(multiplier)
        return (*boxes, Layer("1x1", "convolution", "head: 1x1 convolution", head))

    # -- meaning ------------------------------------------------------------

    def key(self, architecture: Architecture) -> str:
        """The text: no two networks of the space compute the same function."""
        return self.format(architecture)

    def features(self, architecture: Architecture) -> dict[str, float]:
        """Counts and places of operations, and sums over the layers of all blocks.

        ``depth``: layers. ``expansion``, ``kernels``: sums over the layers.
        ``excited``: layers with squeeze-and-excite.
        """
        counts = super().features(architecture)
        blocks = self.blocks(architecture)
        counts["depth"] = float(sum(block.layers for block in blocks))
        counts["expansion"] = float(sum(block.layers * block.expansion for block in blocks))
        counts["kernels"] = float(sum(block.layers * block.kernel for block in blocks))
        counts["excited"] = float(sum(block.layers for block in blocks if block.excite))
        return counts

    # -- size ---------------------------------------------------------------

    def parameters(self, architecture: Architecture, shape: Shape) -> int:
        return self._counts(architecture, shape)[0]

    def flops(self, architecture: Architecture, shape: Shape) -> float:
        return float(self._counts(architecture, shape)[1])

    def workload(
        self, architecture: Architecture, shape: Shape
    ) -> Mapping[str, Mapping[str, float]]:
        """What ``mobile.work`` counts, over all blocks and for each."""
        multiplier, _ = self.scale(architecture)
        shape = self.input_shape(architecture, shape)
        tables, genes = _work(shape, multiplier), architecture.genes[-4 * len(WIDTHS) :]
        blocks = [
            table[_row(genes[4 * number : 4 * number + 4], MOST_LAYERS[number])]
            for number, table in enumerate(tables)
        ]
        return workload(blocks, self.parameters(architecture, shape))

    def _counts(self, architecture: Architecture, shape: Shape) -> "Counts":
        multiplier, _ = self.scale(architecture)
        shape = self.input_shape(architecture, shape)
        (parameters, flops), tables = _costs(shape, multiplier)
        genes = architecture.genes[-4 * len(WIDTHS) :]
        for number, table in enumerate(tables):
            row = _row(genes[4 * number : 4 * number + 4], MOST_LAYERS[number])
            parameters += table[row][0]
            flops += table[row][1]
        return parameters, flops

    def input_shape(self, architecture: Architecture, shape: Shape) -> Shape:
        resolution = self.scale(architecture)[1]
        return shape if resolution is None else replace(shape, height=resolution, width=resolution)

    def build(self, architecture: Architecture, shape: Shape) -> "nn.Module":
        from pelnas.spaces.mobile_network import MobileNetwork  # torch takes seconds to import

        multiplier, resolution = self.scale(architecture)
        parts = [_stem(shape.channels, multiplier)]
        inputs = parts[0].outputs
        layers: list[InvertedResidual] = []
        for block, width, stride in zip(self.blocks(architecture), WIDTHS, STRIDES, strict=True):
            layers += block.parts(inputs, scaled(width, multiplier), stride)
            inputs = scaled(width, multiplier)
        resized = None if shape == self.input_shape(architecture, shape) else resolution
        return MobileNetwork([*parts, *layers, _head(multiplier)], shape.classes, resized)


class ScaledMnasNet(MnasNet):
    """The same with a width multiplier and the resolution as two more choices.

    The network resizes images to the chosen resolution, whatever their own: counts
    and latencies are those at that resolution.
    """

    name = "mnasnet_scaled"
    positions = ("width", "resolution", *MnasNet.positions)
    choices = (
        tuple(f"w{multiplier}" for multiplier in MULTIPLIERS),
        tuple(f"r{resolution}" for resolution in RESOLUTIONS),
        *MnasNet.choices,
    )

    def scale(self, architecture: Architecture) -> tuple[float, int | None]:
        """Of the first two genes."""
        return MULTIPLIERS[architecture.genes[0]], RESOLUTIONS[architecture.genes[1]]

    def format(self, architecture: Architecture) -> str:
        multiplier, resolution = self.scale(architecture)
        return f"w{multiplier}r{resolution}:{super().format(architecture)}"

    def parse(self, text: str) -> Architecture:
        match = _SCALE.fullmatch(text.strip())
        if match is None:
            raise self._malformed(text, "no width and resolution")
        scale = f"w{match['multiplier']}", f"r{match['resolution']}"
        for op, options in zip(scale, self.choices, strict=False):
            if op not in options:
                raise self._malformed(text, f"{op!r} in place of one of {', '.join(options)}")
        genes = [options.index(op) for op, options in zip(scale, self.choices, strict=False)]
        return self.of((*genes, *self._block_genes(text, match["blocks"])))

    def describe(self) -> str:
        widths, resolutions = (", ".join(options) for options in self.choices[:2])
        return (
            f"{super().describe()} All numbers of channels are multiplied by a width ({widths}), and"
            f" images are resized to a resolution in pixels ({resolutions}); both stand before the"
            " blocks in the text."
        )

    def explain(self, architecture: Architecture) -> str:
        multiplier, resolution = self.scale(architecture)
        return (
            f"{resolution} pixels; {multiplier} of these channels: {super().explain(architecture)}"
        )

    def features(self, architecture: Architecture) -> dict[str, float]:
        """As of the space without scales; ``multiplier`` and ``pixels`` (a side) as numbers."""
        multiplier, resolution = self.scale(architecture)
        scales = {"multiplier": multiplier, "pixels": float(resolution or 0)}
        return super().features(architecture) | scales


# -- channels and costs -------------------------------------------------------

Counts = tuple[int, int]  # parameters and multiply-accumulates


def scaled(channels: int, multiplier: float) -> int:
    """The nearest multiple of 8 channels, at least 8 and not below 90 % (MobileNetV2's rule)."""
    if multiplier == FULL:
        return channels
    wanted = channels * multiplier
    nearest = max(8, int(wanted + 4) // 8 * 8)
    return nearest if nearest >= 0.9 * wanted else nearest + 8


def head_width(multiplier: float) -> int:
    """Channels of the last convolution, which narrow networks keep (as in MobileNetV2)."""
    return scaled(HEAD, max(FULL, multiplier))


def _stem(channels: int, multiplier: float) -> Convolution:
    return Convolution(channels, scaled(STEM, multiplier), 3, 2, activation=ACTIVATION)


def _head(multiplier: float) -> Convolution:
    return Convolution(
        scaled(WIDTHS[-1], multiplier), head_width(multiplier), activation=ACTIVATION
    )


def _row(genes: tuple[int, ...], most: int) -> int:
    """The place of a block in ``BLOCKS``."""
    expansion, kernel, layers, excite = genes
    return ((expansion * len(KERNELS) + kernel) * most + layers) * 2 + excite


@lru_cache(maxsize=64)
def _costs(shape: Shape, multiplier: float) -> tuple[Counts, tuple[tuple[Counts, ...], ...]]:
    """What is fixed of a network, and of each block each choice."""
    size: Size = (shape.height, shape.width)
    stem = _stem(shape.channels, multiplier)
    fixed, fixed_flops, size = total_cost([stem], size)
    inputs, tables = stem.outputs, []
    for options, width, stride in zip(BLOCKS, WIDTHS, STRIDES, strict=True):
        outputs = scaled(width, multiplier)
        costs = [total_cost(block.parts(inputs, outputs, stride), size) for block in options]
        tables.append(tuple((parameters, flops) for parameters, flops, _ in costs))
        inputs, size = outputs, costs[0][2]
    head, head_flops, _ = total_cost([_head(multiplier)], size)
    classifier = classifier_cost(head_width(multiplier), shape.classes)
    return (fixed + head + classifier, fixed_flops + head_flops + classifier), tuple(tables)


@lru_cache(maxsize=64)
def _work(shape: Shape, multiplier: float) -> tuple[tuple[tuple[float, ...], ...], ...]:
    """What each choice of each block asks of a device."""
    _, _, size = total_cost([_stem(shape.channels, multiplier)], (shape.height, shape.width))
    inputs, tables = scaled(STEM, multiplier), []
    for options, width, stride in zip(BLOCKS, WIDTHS, STRIDES, strict=True):
        outputs = scaled(width, multiplier)
        found = [work(block.parts(inputs, outputs, stride), size) for block in options]
        tables.append(tuple(counted for counted, _ in found))
        inputs, size = outputs, found[0][1]
    return tuple(tables)


def _numbers(groups: Mapping[str, str]) -> tuple[int, int, int, bool]:
    return (
        int(groups["expansion"]),
        int(groups["kernel"]),
        int(groups["layers"]),
        bool(groups["excite"]),
    )


def _in_words(block: Block) -> str:
    excite = " with squeeze-and-excite" if block.excite else ""
    layers = "layer" if block.layers == 1 else "layers"
    return f"{block.layers} {layers} of expansion {block.expansion}, kernel {block.kernel}{excite}"
