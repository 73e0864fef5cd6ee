"""Cells in the manner of NAS-Bench-201: a complete graph of nodes with an operation on every edge.

The text form, the isomorphism key, the counts and the description are the same
for the benchmark's space and for the tiny one; only the number of nodes and
the size of the network around the cell differ.

Source: Dong & Yang, "NAS-Bench-201: Extending the Scope of Reproducible
Neural Architecture Search", ICLR 2020.
"""

import re
from collections.abc import Collection, Mapping, Sequence
from functools import cached_property
from itertools import pairwise
from math import ceil
from types import MappingProxyType
from typing import TYPE_CHECKING

from pelnas.architecture import Architecture, Shape
from pelnas.errors import ArchitectureError
from pelnas.spaces.base import SearchSpace
from pelnas.spaces.footprint import BYTES, Footprint, Pass, peak

if TYPE_CHECKING:
    from torch import nn

OPERATIONS = ("none", "skip_connect", "nor_conv_1x1", "nor_conv_3x3", "avg_pool_3x3")
NONE = OPERATIONS.index("none")
IDENTITY = "skip_connect"
KERNELS = {"nor_conv_1x1": 1, "nor_conv_3x3": 3}
#: How many operations PyTorch runs on an edge: ReLU, convolution and norm are three.
OPERATIONS_RUN = {
    "none": 1,
    "skip_connect": 0,
    "nor_conv_1x1": 3,
    "nor_conv_3x3": 3,
    "avg_pool_3x3": 1,
}
EXPLAINED = {
    "none": "zero (no connection)",
    "skip_connect": "identity",
    "nor_conv_1x1": "ReLU, 1x1 convolution, batch norm",
    "nor_conv_3x3": "ReLU, 3x3 convolution, batch norm",
    "avg_pool_3x3": "3x3 average pooling",
}
MOST_PARSED = 1_000  # texts of nodes that are kept: every cell of a table is made of a few
_EDGE = re.compile(r"(?P<op>\w+)~(?P<source>[0-9]{1,3})")


class CellSpace(SearchSpace):
    """Cells of ``nodes`` nodes, stacked in three stages with residual reductions between.

    Node 0 is the input, the last node the output; node j adds up its edges
    from every i < j. Genes follow the text: edges into node 1, then node 2, ...
    """

    noun = "cell"
    nodes: int
    cells_per_stage: int
    channels: int
    counted_together = MappingProxyType({"convolutions": tuple(KERNELS)})
    #: Cells of one size differ in how they are wired, which only a pass over images sees.
    proxies = ("nwot", "synflow", "jacov", "flops")

    def __init__(self) -> None:
        self.edges = tuple((i, j) for j in range(1, self.nodes) for i in range(j))
        self.positions = tuple(f"{i}->{j}" for i, j in self.edges)
        self.choices = (OPERATIONS,) * len(self.edges)
        self._open_paths: dict[tuple[bool, ...], list[tuple[int, ...]]] = {}  # by edges of "none"
        self._flops: dict[tuple[int, Shape], float] = {}  # by the sizes of all kernels together
        self._parsed: dict[tuple[int, str], tuple[int, ...]] = {}  # the edges into a node, by text

    # -- text ---------------------------------------------------------------

    def format(self, architecture: Architecture) -> str:
        chosen = dict(zip(self.edges, self.chosen(architecture), strict=True))
        return "+".join(
            "|" + "".join(f"{chosen[i, j]}~{i}|" for i in range(j)) for j in range(1, self.nodes)
        )

    def parse(self, text: str) -> Architecture:
        blocks = text.strip().split("+")
        if len(blocks) != self.nodes - 1:
            raise self._malformed(text, f"{len(blocks)} nodes")
        genes: tuple[int, ...] = ()
        for target, block in enumerate(blocks, start=1):
            known = self._parsed.get((target, block))
            if known is None:
                known = self._parse_node(text, target, block)
                if len(self._parsed) < MOST_PARSED:
                    self._parsed[target, block] = known
            genes += known
        return self.of(genes)

    def _parse_node(self, text: str, target: int, block: str) -> tuple[int, ...]:
        inner = block.strip()
        if not (inner.startswith("|") and inner.endswith("|") and len(inner) > 1):
            raise self._malformed(text, f"node {target} as {block[:60]!r}")
        genes = []
        edges = inner[1:-1].split("|")
        if len(edges) != target:
            raise self._malformed(
                text, f"{len(edges)} edges into node {target} in place of {target}"
            )
        for source, edge in enumerate(edges):
            match = _EDGE.fullmatch(edge)
            if match is None or int(match["source"]) != source:
                raise self._malformed(
                    text, f"edge {edge[:60]!r} in place of an edge from node {source}"
                )
            if match["op"] not in OPERATIONS:
                raise self._malformed(text, f"unknown operation {match['op'][:40]!r}")
            genes.append(OPERATIONS.index(match["op"]))
        return tuple(genes)

    def _malformed(self, text: str, found: str) -> ArchitectureError:
        example = self.format(self.of((3,) * len(self.edges)))
        return ArchitectureError(
            f"{self.name} expects a cell like {example} with operations {', '.join(OPERATIONS)};"
            f" found {found} in {text[:160]!r}: correct that part"
        )

    @cached_property
    def slots(self) -> tuple[str, ...]:
        return tuple(f"edge{i}_{j}" for i, j in self.edges)

    def describe(self) -> str:
        example = self.format(self.of(tuple(k % len(OPERATIONS) for k in range(len(self.edges)))))
        return (
            f"{self._graph(self.positions)} Text form: for each node from 1 on, its incoming edges as"
            f" |operation~source|, joined by '+', for example {example}. {self._network}"
        )

    def describe_choices(self) -> str:
        first = f"{self.slots[0]} is the edge {self.positions[0]}, from node 0 to node 1"
        return f"{self._graph(self.slots)} {first}. {self._network}"

    def _graph(self, names: Sequence[str]) -> str:
        operations = "; ".join(f"{name}: {meaning}" for name, meaning in EXPLAINED.items())
        return (
            f"A cell is a graph of {self.nodes} nodes: node 0 is the input, node {self.nodes - 1} the"
            f" output, and each node adds up one edge from every earlier node. Each of the"
            f" {len(self.edges)} edges ({', '.join(names)}) carries one operation. {operations}."
        )

    @property
    def _network(self) -> str:
        return (
            f"The cell is stacked {self.cells_per_stage} times in each of"
            f" three stages of {self.channels}, {2 * self.channels} and {4 * self.channels} channels."
        )

    def explain(self, architecture: Architecture) -> str:
        chosen = zip(self.edges, self.chosen(architecture), strict=True)
        return "; ".join(f"node {j} gets node {i} through {EXPLAINED[op]}" for (i, j), op in chosen)

    # -- meaning ------------------------------------------------------------

    def key(self, architecture: Architecture) -> str:
        """Node expressions with identities inlined and sums sorted; a zero edge stays a zero term.

        The benchmark's own definition of a unique cell, by which NAS-Bench-201
        has 6,466 of them (section 2.1 of the paper); equal keys compute the
        same function.
        """
        chosen = dict(zip(self.edges, self.chosen(architecture), strict=True))
        expressions = ["0"]
        for j in range(1, self.nodes):
            terms = sorted(self._term(chosen[i, j], expressions[i]) for i in range(j))
            expressions.append("+".join(terms))
        return expressions[-1]

    @staticmethod
    def _term(op: str, source: str) -> str:
        if op == "none" or source == "#":
            return "#"
        return source if op == IDENTITY else f"({source})@{op}"

    def features(self, architecture: Architecture) -> dict[str, float]:
        """Counts and places of operations, and of the live graph: convolutions, depth, paths.

        ``convolutions``: 1x1 and 3x3 together. ``live_convolutions``: those on a
        path from input to output without a ``none``. ``depth``: most convolutions
        on one live path. ``paths``: live paths. ``live_skip``: 1 where some live
        path has only identities.
        """
        counts = super().features(architecture)
        chosen = self.chosen(architecture)
        for together, operations in self.counted_together.items():
            counts[together] = sum(counts[op] for op in operations)
        paths = self._live_paths(architecture.genes)
        kernels = [op in KERNELS for op in chosen]
        live = {k for path in paths for k in path}
        depths = [sum(kernels[k] for k in path) for path in paths]
        counts["live_convolutions"] = float(sum(kernels[k] for k in live))
        counts["depth"] = float(max(depths, default=0))
        counts["paths"] = float(len(paths))
        counts["live_skip"] = float(any(all(chosen[k] == IDENTITY for k in path) for path in paths))
        return counts

    @cached_property
    def _paths(self) -> tuple[tuple[int, ...], ...]:
        """Every route from the input to the output, as the places of its edges."""

        def routes(node: int) -> list[tuple[int, ...]]:
            if node == self.nodes - 1:
                return [(node,)]
            return [(node, *rest) for nxt in range(node + 1, self.nodes) for rest in routes(nxt)]

        place = {edge: k for k, edge in enumerate(self.edges)}
        return tuple(tuple(place[edge] for edge in pairwise(route)) for route in routes(0))

    # -- what a device has to do ----------------------------------------------

    def _live_paths(self, genes: tuple[int, ...]) -> list[tuple[int, ...]]:
        """The routes on which no edge is ``none``."""
        cut = tuple([gene == NONE for gene in genes])
        known = self._open_paths.get(cut)
        if known is None:  # of two to the number of edges
            known = [path for path in self._paths if not any(cut[k] for k in path)]
            self._open_paths[cut] = known
        return known

    def live(self, genes: tuple[int, ...]) -> Collection[int]:
        """The edges on routes on which no edge is ``none``."""
        return {place for path in self._live_paths(genes) for place in path}

    def routes(self, genes: tuple[int, ...]) -> Sequence[tuple[str, ...]]:
        """Of the routes on which no edge is ``none``."""
        chosen = [OPERATIONS[gene] for gene in genes]
        return [
            tuple([chosen[k] for k in path if chosen[k] != IDENTITY])
            for path in self._live_paths(genes)
        ]

    def executed(self, genes: tuple[int, ...]) -> Collection[int]:
        """The edges into nodes that the output is computed from."""
        used, found = {self.nodes - 1}, []
        for place in reversed(range(len(self.edges))):
            source, target = self.edges[place]
            if target in used:
                found.append(place)
                if genes[place] != NONE:
                    used.add(source)
        return found

    def workload(
        self, architecture: Architecture, shape: Shape
    ) -> Mapping[str, Mapping[str, float]]:
        """How often each operation is chosen, executed, and on a live path from input to output.

        Which of them a runtime carries out depends on how it prunes. ``connected``: whether
        there is a live path.
        """
        genes = architecture.genes
        chosen, executed, live = self.chosen(architecture), self.executed(genes), self.live(genes)
        views = {
            "chosen": range(len(chosen)),
            "executed": executed,
            "live": live,
        }
        counted = {
            name: {op: float(sum(chosen[k] == op for k in places)) for op in OPERATIONS}
            for name, places in views.items()
        }
        return counted | {"connected": {"connected": float(bool(live))}}

    # -- size (formulae checked against the built network in the tests) --------

    def parameters(self, architecture: Architecture, shape: Shape) -> int:
        total = (
            shape.channels * self.channels * 9 + 2 * self.channels
        )  # stem: 3x3 convolution, batch norm
        for stage, width in enumerate(self._widths):
            if stage:
                total += self._reduction_parameters(width)
            total += self.cells_per_stage * sum(
                KERNELS[op] ** 2 * width * width + 2 * width
                for op in self.chosen(architecture)
                if op in KERNELS
            )
        last = self._widths[-1]
        return total + 2 * last + last * shape.classes + shape.classes  # final norm, classifier

    def flops(self, architecture: Architecture, shape: Shape) -> float:
        kernels = sum([KERNELS.get(op, 0) ** 2 for op in self.chosen(architecture)])
        known = self._flops.get((kernels, shape))
        if known is None:
            known = self._flops[kernels, shape] = self._flops_of(kernels, shape)
        return known

    def _flops_of(self, kernels: int, shape: Shape) -> float:
        """Of cells whose convolutions have so many weights for each pair of channels."""
        total = shape.channels * self.channels * 9 * shape.height * shape.width
        for stage, width in enumerate(self._widths):
            pixels = ceil(shape.height / 2**stage) * ceil(shape.width / 2**stage)
            if stage:
                total += (width // 2 * width * 9 + width * width * 9 + width // 2 * width) * pixels
            total += self.cells_per_stage * pixels * kernels * width * width
        return float(total + (self._widths[-1] + 1) * shape.classes)

    @property
    def _widths(self) -> tuple[int, int, int]:
        return (self.channels, 2 * self.channels, 4 * self.channels)

    @staticmethod
    def _reduction_parameters(width: int) -> int:
        """A residual block of two 3x3 convolutions with norms, and a 1x1 on the shortcut."""
        half = width // 2
        return half * width * 9 + 2 * width + width * width * 9 + 2 * width + half * width

    def footprint(self, architecture: Architecture, shape: Shape) -> Footprint:
        convolutions = sum(op in KERNELS for op in self.chosen(architecture))
        norms = self.channels  # of the stem, and below of reductions and cells; the last one stays
        for stage, width in enumerate(self._widths):
            norms += (2 if stage else 0) * width + self.cells_per_stage * convolutions * width
        size = BYTES * (self.parameters(architecture, shape) - norms)
        pass_ = self._pass(architecture, shape)
        return Footprint(BYTES * peak(pass_.steps, pass_.sizes), size)

    def _pass(self, architecture: Architecture, shape: Shape) -> Pass:
        """Every operation of a forward pass; of the equal cells of a stage one is enough."""
        found = Pass()
        height, width = shape.height, shape.width
        image = found.buffer(shape.channels * height * width)
        values = found.then(image, [self.channels * height * width] * 2)  # stem: convolution, norm
        for stage, channels in enumerate(self._widths):
            if stage:
                height, width = ceil(height / 2), ceil(width / 2)
                values = self._reduce(found, values, channels * height * width)
            values = self._through_cell(found, architecture, values)
        head = [found.sizes[values]] * 2 + [self._widths[-1], shape.classes]
        found.then(values, head)  # norm, ReLU, pooling, classifier
        return found

    @staticmethod
    def _reduce(found: Pass, values: int, size: int) -> int:
        before = found.sizes[values]
        shortcut = found.then(values, [size // 2, size])  # pooling, convolution
        residual = found.then(values, [before, size, size] + [size] * 3)  # twice ReLU to norm
        return found.operation((shortcut, residual), size)

    def _through_cell(self, found: Pass, architecture: Architecture, values: int) -> int:
        size = found.sizes[values]
        nodes: dict[int, int] = {0: values}
        for (source, target), op in zip(self.edges, self.chosen(architecture), strict=True):
            term = found.then(nodes[source], [size] * OPERATIONS_RUN[op])
            total = nodes.get(target)
            nodes[target] = term if total is None else found.operation((total, term), size)
        return nodes[self.nodes - 1]

    def build(self, architecture: Architecture, shape: Shape) -> "nn.Module":
        from pelnas.spaces.network import CellNetwork  # torch takes seconds to import

        return CellNetwork(
            edges=tuple(zip(self.edges, self.chosen(architecture), strict=True)),
            channels=self.channels,
            cells_per_stage=self.cells_per_stage,
            classes=shape.classes,
            images=shape.channels,
        )
