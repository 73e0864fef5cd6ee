"""The FBNet space: nine operations in each of 22 layers, 9.8e20 networks.

Sources: Wu et al., "FBNet: Hardware-Aware Efficient ConvNet Design via Differentiable
Neural Architecture Search", CVPR 2019, tables 1 and 2; for small images the strides of
Li et al., "HW-NAS-Bench", ICLR 2021.
"""

from collections.abc import Iterator
from dataclasses import dataclass
from functools import lru_cache
from itertools import groupby
from operator import getitem
from types import MappingProxyType
from typing import TYPE_CHECKING

from pelnas.architecture import Architecture, Shape
from pelnas.errors import ArchitectureError
from pelnas.spaces.base import Layer, SearchSpace
from pelnas.spaces.mobile import (
    Convolution,
    Identity,
    InvertedResidual,
    Part,
    Size,
    classifier_cost,
    total_cost,
)

if TYPE_CHECKING:
    from torch import nn

SKIP = "skip"
KERNELS = (3, 5)
#: Expansion and groups, in the order of HW-NAS-Bench.
WIDTHS = ((1, 1), (1, 2), (3, 1), (6, 1))
STEM, HEAD = 16, 1504  # channels
SMALL = 64  # pixels; smaller images are not reduced by the stem and the second stage


@dataclass(frozen=True, slots=True)
class Operation:
    """One of the nine: its name, its symbol in texts, and what the block is made of."""

    name: str
    symbol: str
    kernel: int = 0  # 0: skip
    expansion: int = 0
    groups: int = 1


def _operations() -> Iterator[Operation]:
    for kernel in KERNELS:
        for expansion, groups in WIDTHS:
            name = f"k{kernel}_e{expansion}" + (f"_g{groups}" if groups > 1 else "")
            symbol = f"{kernel}{'g' if groups > 1 else expansion}"
            yield Operation(name, symbol, kernel, expansion, groups)
    yield Operation(SKIP, "s")


OPERATIONS = tuple(_operations())
_SYMBOLS = {operation.symbol: gene for gene, operation in enumerate(OPERATIONS)}


@dataclass(frozen=True, slots=True)
class Place:
    """What is fixed of a layer: its stage from 1 on, channels, and its stride by image size."""

    stage: int
    inputs: int
    outputs: int
    stride: int
    small_stride: int

    @property
    def is_plain(self) -> bool:
        """Whether input and output have one shape, so that a skip is the identity."""
        return self.inputs == self.outputs and self.stride == self.small_stride == 1


def _places() -> Iterator[Place]:
    """Table 1 of FBNet: channels, layers and stride of each stage."""
    channels = STEM
    stages = ((16, 1, 1), (24, 4, 2), (32, 4, 2), (64, 4, 2), (112, 4, 1), (184, 4, 2), (352, 1, 1))
    for stage, (width, depth, stride) in enumerate(stages, start=1):
        for nth in range(depth):
            now = 1 if nth else stride
            yield Place(stage, channels, width, now, 1 if stage == 2 else now)
            channels = width


PLACES = tuple(_places())
_STAGES = [[i for i, _ in group] for _, group in groupby(enumerate(PLACES), lambda p: p[1].stage)]
_BLOCKS = [operation for operation in OPERATIONS if operation.kernel]


class FBNet(SearchSpace):
    """22 layers in seven stages; one choice of nine for each layer.

    Images below 64 pixels are reduced 8 times as in HW-NAS-Bench's networks for CIFAR,
    larger ones 32 times as in FBNet's for ImageNet; parameters are the same.
    """

    name = "fbnet"
    positions = tuple(f"layer{number}" for number in range(len(PLACES)))
    choices = (tuple(operation.name for operation in OPERATIONS),) * len(PLACES)
    counted_together = MappingProxyType(
        {f"k{k}": tuple(op.name for op in _BLOCKS if op.kernel == k) for k in KERNELS}
        | {f"e{e}": tuple(op.name for op in _BLOCKS if op.expansion == e) for e in (1, 3, 6)}
        | {"grouped": tuple(op.name for op in _BLOCKS if op.groups > 1)}
        | {"depth": tuple(op.name for op in _BLOCKS)}
    )

    # -- text ---------------------------------------------------------------

    def format(self, architecture: Architecture) -> str:
        symbols = [OPERATIONS[gene].symbol for gene in architecture.genes]
        return "/".join(".".join(symbols[i] for i in stage) for stage in _STAGES)

    def parse(self, text: str) -> Architecture:
        stages = [stage.split(".") for stage in text.strip().split("/")]
        if [len(stage) for stage in stages] != [len(stage) for stage in _STAGES]:
            found = ", ".join(str(len(stage)) for stage in stages[:9])
            raise self._malformed(text, f"stages of {found} layers")
        symbols = [symbol for stage in stages for symbol in stage]
        unknown = next((symbol for symbol in symbols if symbol not in _SYMBOLS), None)
        if unknown is not None:
            raise self._malformed(text, f"unknown symbol {unknown[:20]!r}")
        return self.of(tuple(_SYMBOLS[symbol] for symbol in symbols))

    def _malformed(self, text: str, found: str) -> ArchitectureError:
        sizes = ", ".join(str(len(stage)) for stage in _STAGES)
        return ArchitectureError(
            f"{self.name} expects seven stages of {sizes} layers like {self._example} with the"
            f" symbols {', '.join(_SYMBOLS)}; found {found} in {text[:160]!r}: correct that part"
        )

    @property
    def _example(self) -> str:
        return self.format(self.of(tuple((4 * i + 3) % len(OPERATIONS) for i in range(22))))

    def describe(self) -> str:
        symbols = ", ".join(f"{op.symbol} = {op.name}" for op in OPERATIONS)
        return (
            f"{self._network} Text form: the symbols {symbols}, layers joined by '.', stages by '/',"
            f" for example {self._example}."
        )

    def describe_choices(self) -> str:
        return f"{self._network} Positions of your answer: {self.slots[0]} to {self.slots[-1]}."

    @property
    def _network(self) -> str:
        stages = "; ".join(
            f"{self._range(stage)}: {PLACES[stage[0]].outputs} channels"
            + (", the first of them halves the resolution" if PLACES[stage[0]].stride > 1 else "")
            for stage in _STAGES
        )
        return (
            f"A network of {len(PLACES)} layers in sequence, each one of {len(OPERATIONS)}"
            " operations. k3_e6 and the like are inverted residual blocks: depthwise kernel k,"
            " expansion e, _g2 with 1x1 convolutions in two groups and a channel shuffle; skip is"
            " the identity, or a 1x1 convolution where the number of channels changes. Stages:"
            f" {stages}. A 3x3 convolution of {STEM} channels stands before, a 1x1 convolution of"
            f" {HEAD} channels, pooling and a classifier after them."
        )

    def _range(self, stage: list[int]) -> str:
        first, last = self.positions[stage[0]], self.positions[stage[-1]]
        return first if first == last else f"{first} to {last}"

    def explain(self, architecture: Architecture) -> str:
        chosen = self.chosen(architecture)
        return "; ".join(
            f"{PLACES[stage[0]].outputs} channels: {', '.join(chosen[i] for i in stage)}"
            for stage in _STAGES
        )

    def layers(self, architecture: Architecture) -> tuple[Layer, ...]:
        boxes = [Layer("3x3", "convolution", "stem: 3x3 convolution", STEM)]
        for position, place, gene in zip(self.positions, PLACES, architecture.genes, strict=True):
            operation = OPERATIONS[gene]
            detail = f"{position}: {operation.name}, {place.inputs} to {place.outputs} channels"
            boxes.append(Layer(operation.symbol, operation.name, detail, place.outputs))
        boxes.append(Layer("1x1", "convolution", "head: 1x1 convolution", HEAD))
        return tuple(boxes)

    # -- meaning ------------------------------------------------------------

    def key(self, architecture: Architecture) -> str:
        """The text without the skips that are identities: where they stand does not matter."""
        genes = architecture.genes
        return "/".join(
            ".".join(
                OPERATIONS[genes[i]].symbol
                for i in stage
                if OPERATIONS[genes[i]].kernel or not PLACES[i].is_plain
            )
            for stage in _STAGES
        )

    def features(self, architecture: Architecture) -> dict[str, float]:
        """Counts and places of operations; kernels, expansions and depth of the whole and by stage.

        ``k3``, ``k5``, ``e1``, ``e3``, ``e6``, ``grouped``, ``depth``: layers of that kind;
        ``depth`` counts all but skips. ``kernels``, ``expansion``: sums over the layers.
        ``depth_stage2`` and the like: the same of a stage of several layers.
        """
        counts = super().features(architecture)
        for together, operations in self.counted_together.items():
            counts[together] = sum(counts[op] for op in operations)
        chosen = [OPERATIONS[gene] for gene in architecture.genes]
        counts["kernels"] = float(sum(op.kernel for op in chosen))
        counts["expansion"] = float(sum(op.expansion for op in chosen))
        for number, stage in enumerate(_STAGES, start=1):
            if len(stage) > 1:
                inside = [chosen[i] for i in stage]
                counts[f"depth_stage{number}"] = float(sum(op.kernel > 0 for op in inside))
                counts[f"kernels_stage{number}"] = float(sum(op.kernel for op in inside))
                counts[f"expansion_stage{number}"] = float(sum(op.expansion for op in inside))
        return counts

    # -- size ---------------------------------------------------------------

    def parameters(self, architecture: Architecture, shape: Shape) -> int:
        (fixed, _), (each, _) = _costs(shape)
        return fixed + sum(map(getitem, each, architecture.genes))

    def flops(self, architecture: Architecture, shape: Shape) -> float:
        (_, fixed), (_, each) = _costs(shape)
        return float(fixed + sum(map(getitem, each, architecture.genes)))

    def build(self, architecture: Architecture, shape: Shape) -> "nn.Module":
        from pelnas.spaces.mobile_network import MobileNetwork  # torch takes seconds to import

        small = _is_small(shape)
        chosen = zip(PLACES, architecture.genes, strict=True)
        parts = [_part(place, OPERATIONS[gene], small) for place, gene in chosen]
        return MobileNetwork([_stem(shape), *parts, _head()], shape.classes)


Counts = tuple[int, int]  # parameters and multiply-accumulates
Table = tuple[tuple[int, ...], ...]  # of each layer each operation


@lru_cache(maxsize=16)
def _costs(shape: Shape) -> tuple[Counts, tuple[Table, Table]]:
    """What is fixed of a network, and parameters and multiply-accumulates of each layer."""
    size: Size = (shape.height, shape.width)
    small = _is_small(shape)
    parameters: list[tuple[int, ...]] = []
    flops: list[tuple[int, ...]] = []
    stem, stem_flops, size = total_cost([_stem(shape)], size)
    for place in PLACES:
        costs = [total_cost([_part(place, op, small)], size) for op in OPERATIONS]
        parameters.append(tuple(cost[0] for cost in costs))
        flops.append(tuple(cost[1] for cost in costs))
        size = costs[0][2]
    head, head_flops, _ = total_cost([_head()], size)
    classifier = classifier_cost(HEAD, shape.classes)
    fixed = stem + head + classifier, stem_flops + head_flops + classifier
    return fixed, (tuple(parameters), tuple(flops))


def _is_small(shape: Shape) -> bool:
    return min(shape.height, shape.width) < SMALL


def _stem(shape: Shape) -> Convolution:
    return Convolution(shape.channels, STEM, 3, stride=1 if _is_small(shape) else 2)


def _head() -> Convolution:
    return Convolution(PLACES[-1].outputs, HEAD)


def _part(place: Place, op: Operation, small: bool) -> Part:
    stride = place.small_stride if small else place.stride
    if op.kernel:
        return InvertedResidual(
            place.inputs, place.outputs, op.kernel, op.expansion, stride, op.groups
        )
    if place.is_plain:
        return Identity(place.outputs)
    return Convolution(place.inputs, place.outputs, stride=stride)
