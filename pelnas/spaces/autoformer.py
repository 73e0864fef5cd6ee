"""Vision transformers of AutoFormer: width, depth, and the heads and MLP ratio of every block.

Source: Chen et al., "AutoFormer: Searching Transformers for Visual
Recognition", ICCV 2021, table 1 (supernets Tiny and Small).
"""

import re
from collections.abc import Iterator
from functools import cached_property
from itertools import accumulate, groupby
from typing import TYPE_CHECKING

from pelnas.architecture import Architecture, Shape
from pelnas.errors import ArchitectureError, SpaceError
from pelnas.predicate import Condition, Predicate
from pelnas.spaces.base import Layer, SearchSpace

if TYPE_CHECKING:
    from torch import nn

PATCH = 16  # pixels a side
HEAD = 64  # channels of an attention head, whatever the embedding width
FIXED = 2  # positions before those of the blocks: embed, depth
_TEXT = re.compile(r"(?P<embed>[0-9]{1,4}):(?P<blocks>[0-9.x/]+)")


class AutoFormer(SearchSpace):
    """The Tiny space: embedding 192 to 240, 12 to 14 blocks of 3 or 4 heads and MLP ratio 3.5 or 4.

    Text: ``192:3x4/4x3.5/...``, the embedding width and, of each block, heads x MLP ratio.
    Heads and ratio of blocks beyond the chosen depth have no effect; every
    network has one index, and ``size`` counts networks.
    """

    name = "autoformer"
    embeds: tuple[int, ...] = (192, 216, 240)
    depths: tuple[int, ...] = (12, 13, 14)  # consecutive
    heads: tuple[int, ...] = (3, 4)
    ratios: tuple[float, ...] = (3.5, 4.0)

    def __init__(self) -> None:
        blocks = range(1, self.depths[-1] + 1)
        per_block = (f"block{block}.{kind}" for block in blocks for kind in ("heads", "mlp"))
        self.positions = ("embed", "depth", *per_block)
        self.choices = (
            tuple(f"embed{width}" for width in self.embeds),
            tuple(f"depth{depth}" for depth in self.depths),
            *(self._heads, self._ratios) * len(blocks),
        )
        #: Embedding width x depth, as in the second experiment of PEL-NAS (arXiv 2510.01472).
        self.complexity_niches = tuple(
            (f"width {width}, {depth} blocks", _niche(f"embed{width}", f"depth{depth}"))
            for width in self.embeds
            for depth in self.depths
        )

    @property
    def _heads(self) -> tuple[str, ...]:
        return tuple(f"heads{count}" for count in self.heads)

    @property
    def _ratios(self) -> tuple[str, ...]:
        return tuple(f"mlp{ratio:g}" for ratio in self.ratios)

    # -- text ---------------------------------------------------------------

    def format(self, architecture: Architecture) -> str:
        embed, blocks = self._read(architecture)
        return f"{embed}:" + "/".join(f"{heads}x{ratio:g}" for heads, ratio in blocks)

    def parse(self, text: str) -> Architecture:
        match = _TEXT.fullmatch(text.strip())
        if match is None:
            raise self._malformed(text, "other text")
        embeds = [str(width) for width in self.embeds]
        if match["embed"] not in embeds:
            raise self._malformed(text, f"width {match['embed']}")
        blocks = match["blocks"].split("/")
        if len(blocks) not in self.depths:
            raise self._malformed(text, f"{len(blocks)} blocks")
        genes = [embeds.index(match["embed"]), self.depths.index(len(blocks))]
        for number, block in enumerate(blocks, start=1):
            if block not in self._blocks:
                raise self._malformed(text, f"{block[:20]!r} as block {number}")
            genes += self._blocks[block]
        return self.of((*genes, *(0,) * (len(self.choices) - len(genes))))

    @cached_property
    def _blocks(self) -> dict[str, tuple[int, int]]:
        """Every text of a block with its two genes."""
        return {
            f"{heads}x{ratio:g}": (i, j)
            for i, heads in enumerate(self.heads)
            for j, ratio in enumerate(self.ratios)
        }

    def _malformed(self, text: str, found: str) -> ArchitectureError:
        return ArchitectureError(
            f"{self.name} expects a width of {_either(self.embeds)} and {_either(self.depths)} blocks"
            f" of {_either(self._blocks)}, such as {self._example[:20]}...;"
            f" found {found} in {text[:120]!r}: correct that part"
        )

    @property
    def _example(self) -> str:
        """The smallest depth, with heads and ratios in turn."""
        genes = [0, 0, *(0, 0, 1, 1) * self.depths[-1]][: len(self.choices)]
        return self.format(self.of(tuple(genes)))

    def describe(self) -> str:
        return (
            f"{self._network} Text form: the width, then heads x ratio of each block, for example"
            f" {self._example}."
        )

    def describe_choices(self) -> str:
        return f"{self._network} Positions of your answer: {', '.join(self.slots)}."

    @property
    def _network(self) -> str:
        embeds, depths = self.choices[:FIXED]
        return (
            f"A vision transformer on patches of {PATCH} pixels with a class token. embed is the"
            f" width of its tokens ({', '.join(embeds)}), depth its number of blocks"
            f" ({', '.join(depths)}). Each block has {_either(self.heads)} attention heads of"
            f" {HEAD} channels ({', '.join(self._heads)}), and an MLP whose hidden width is a multiple"
            f" of the embedding width ({', '.join(self._ratios)}); blocks may differ. Choices for"
            " blocks beyond the depth have no effect."
        )

    def explain(self, architecture: Architecture) -> str:
        embed, _ = self._read(architecture)
        runs = (
            f"{_span(first, count)}: {heads} heads of {HEAD} channels, MLP of {round(embed * ratio)}"
            for first, count, heads, ratio in self._runs(architecture)
        )
        return (
            f"tokens of {embed} channels from patches of {PATCH} pixels, and a class token;"
            f" {'; '.join(runs)}"
        )

    def layers(self, architecture: Architecture) -> tuple[Layer, ...]:
        embed, _ = self._read(architecture)
        blocks = (
            Layer(
                f"{heads}x{ratio:g}",
                f"heads{heads}",
                f"{_span(first, count)}: {heads} heads of {HEAD} channels, MLP of"
                f" {round(embed * ratio)}",
                embed,
                count,
            )
            for first, count, heads, ratio in self._runs(architecture)
        )
        patches = f"patches of {PATCH}x{PATCH} pixels to tokens of {embed} channels"
        return (Layer(f"/{PATCH}", "patch", patches, embed), *blocks)

    def _read(self, architecture: Architecture) -> tuple[int, list[tuple[int, float]]]:
        """The embedding width, and heads and MLP ratio of each active block."""
        genes = architecture.genes
        active = genes[FIXED : FIXED + 2 * self.depths[genes[1]]]
        pairs = zip(active[::2], active[1::2], strict=True)
        return self.embeds[genes[0]], [(self.heads[i], self.ratios[j]) for i, j in pairs]

    def _runs(self, architecture: Architecture) -> Iterator[tuple[int, int, int, float]]:
        """Equal blocks in a row: the number of the first, how many, their heads and ratio."""
        runs = [(block, len(list(run))) for block, run in groupby(self._read(architecture)[1])]
        starts = accumulate((count for _, count in runs), initial=1)
        for (block, count), first in zip(runs, starts, strict=False):
            yield first, count, *block

    # -- meaning ------------------------------------------------------------

    def active(self, genes: tuple[int, ...]) -> range:
        return range(FIXED + 2 * self.depths[genes[1]])

    def key(self, architecture: Architecture) -> str:
        """The text: no two of these networks compute the same function."""
        return self.format(architecture)

    def features(self, architecture: Architecture) -> dict[str, float]:
        """Choices of active positions, and sums over the blocks.

        ``embed``, ``depth``; ``heads``, ``mlp``: sums of heads and of MLP ratios;
        ``hidden``: sum of the MLPs' hidden widths; ``units``: ``embed * depth``.
        """
        embed, blocks = self._read(architecture)
        ratios = sum(ratio for _, ratio in blocks)
        return super().features(architecture) | {
            "embed": float(embed),
            "depth": float(len(blocks)),
            "heads": float(sum(heads for heads, _ in blocks)),
            "mlp": ratios,
            "hidden": embed * ratios,
            "units": float(embed * len(blocks)),
        }

    # -- one index a network ----------------------------------------------------

    @property
    def size(self) -> int:
        return len(self.embeds) * sum(map(self._count, range(len(self.depths))))

    def _count(self, depth: int) -> int:
        """Networks of one width and of the depth with this gene."""
        count: int = len(self._blocks) ** self.depths[depth]
        return count

    def at(self, index: int) -> Architecture:
        """The architecture of an index: by width, then depth, then block by block."""
        if not 0 <= index < self.size:
            return super().at(index)  # says what is wrong
        embed, rest = divmod(index, self.size // len(self.embeds))
        depth = 0
        while rest >= (count := self._count(depth)):
            rest, depth = rest - count, depth + 1
        genes: list[int] = []
        for _ in range(self.depths[depth]):
            rest, ratio = divmod(rest, len(self.ratios))
            rest, heads = divmod(rest, len(self.heads))
            genes = [heads, ratio, *genes]
        inactive = len(self.choices) - FIXED - len(genes)
        return self.of((embed, depth, *genes, *(0,) * inactive))

    def index(self, architecture: Architecture) -> int:
        embed, depth, *_ = genes = architecture.genes
        index = 0
        for place in self.active(genes)[FIXED:]:
            index = index * len(self.choices[place]) + genes[place]
        shallower = sum(map(self._count, range(depth)))
        return embed * (self.size // len(self.embeds)) + shallower + index

    # -- size (formulae checked against the built network in the tests) --------

    def parameters(self, architecture: Architecture, shape: Shape) -> int:
        width, blocks = self._read(architecture)
        total = (shape.channels * PATCH**2 + 1) * width  # patches
        total += (1 + self._tokens(shape)) * width  # class token, places
        for heads, ratio in blocks:
            inner, hidden = heads * HEAD, round(width * ratio)
            total += 2 * 2 * width  # norms
            total += (width + 1) * 3 * inner + (inner + 1) * width
            total += (width + 1) * hidden + (hidden + 1) * width
        return total + 2 * width + (width + 1) * shape.classes

    def flops(self, architecture: Architecture, shape: Shape) -> float:
        """Multiply-accumulates of one image: patches, linear layers, and attention's two products.

        Biases count as one each, as in the ``flops`` proxy; queries times keys and
        weights times values are ``tokens^2 * heads * 64`` each. Norms, softmax,
        activations and additions are not counted.
        """
        width, blocks = self._read(architecture)
        tokens = self._tokens(shape)
        total = (tokens - 1) * (shape.channels * PATCH**2 + 1) * width
        for heads, ratio in blocks:
            inner, hidden = heads * HEAD, round(width * ratio)
            total += tokens * ((width + 1) * 3 * inner + (inner + 1) * width)
            total += 2 * tokens**2 * inner
            total += tokens * ((width + 1) * hidden + (hidden + 1) * width)
        return float(total + (width + 1) * shape.classes)

    @staticmethod
    def _tokens(shape: Shape) -> int:
        """Patches, and the class token."""
        return (shape.height // PATCH) * (shape.width // PATCH) + 1

    def check_shape(self, shape: Shape) -> None:
        if min(shape.height, shape.width) < PATCH or shape.height % PATCH or shape.width % PATCH:
            near = max(PATCH, round(shape.height / PATCH) * PATCH)
            raise SpaceError(
                f"{self.name} cuts images into patches of {PATCH}x{PATCH} pixels, found images of"
                f" {shape.height}x{shape.width}: use multiples of {PATCH}, for example"
                f" --resolution {near}"
            )

    def build(self, architecture: Architecture, shape: Shape) -> "nn.Module":
        """The network. SpaceError: sides that are no multiples of the patch."""
        from pelnas.spaces.transformer import VisionTransformer  # torch takes seconds to import

        self.check_shape(shape)
        width, blocks = self._read(architecture)
        return VisionTransformer(
            width=width,
            blocks=[(heads, round(width * ratio)) for heads, ratio in blocks],
            head=HEAD,
            patch=PATCH,
            size=(shape.height // PATCH, shape.width // PATCH),
            classes=shape.classes,
            channels=shape.channels,
        )


class AutoFormerSmall(AutoFormer):
    """The Small space: embedding 320 to 448, blocks of 5 to 7 heads and MLP ratio 3 to 4."""

    name = "autoformer_small"
    embeds = (320, 384, 448)
    heads = (5, 6, 7)
    ratios = (3.0, 3.5, 4.0)


def _niche(embed: str, depth: str) -> Predicate:
    return Predicate(
        (Condition(f"{embed}@embed", "==", 1.0), Condition(f"{depth}@depth", "==", 1.0))
    )


def _span(first: int, count: int) -> str:
    return f"block {first}" if count == 1 else f"blocks {first} to {first + count - 1}"


def _either(values: object) -> str:
    *most, last = map(str, values)  # type: ignore[call-overload]
    return f"{', '.join(most)} or {last}"
