"""The interface of a search space, and what all spaces of categorical choices share."""

import re
import string
from abc import ABC, abstractmethod
from collections.abc import Collection, Iterator, Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property
from math import prod
from types import MappingProxyType
from typing import TYPE_CHECKING, Any, ClassVar

import numpy as np

from pelnas.architecture import Architecture, Shape
from pelnas.errors import ArchitectureError
from pelnas.plugins import code_digest
from pelnas.predicate import Predicate

if TYPE_CHECKING:
    from torch import nn

    from pelnas.spaces.footprint import Footprint

MOST_CHOICES = 500  # over all positions: beyond, providers refuse a schema of them
SLOT = 40  # characters of a position's name in an answer; providers take up to 64
LISTED = 8  # names that a sentence gives of many
MAX_DIGITS = 40  # of an index; Python refuses to read numbers of thousands of digits


@dataclass(frozen=True, slots=True)
class Layer:
    """One box of a drawing. ``kind`` decides its colour; ``detail`` is shown on demand.

    ``channels``: of its output, 0 where it has no meaning; ``repeats``: of the same layer.
    """

    label: str  # a few characters
    kind: str
    detail: str = ""
    channels: int = 0
    repeats: int = 1


class SearchSpace(ABC):
    """A set of networks, each a tuple of choices, with a text form and a builder.

    A space is a value: it holds no state and two instances are interchangeable.
    ``choices[i]`` are the operations that may stand at ``positions[i]``.
    """

    name: str
    noun: str = "network"  # what sentences call an architecture
    positions: tuple[str, ...]
    choices: tuple[tuple[str, ...], ...]
    #: The space's own complexity niches, disjoint and exhaustive, or () for none.
    complexity_niches: tuple[tuple[str, Predicate], ...] = ()
    #: Features that count several operations together, by name.
    counted_together: ClassVar[Mapping[str, tuple[str, ...]]] = MappingProxyType({})
    #: The proxies of the training-free score; those of ``pelnas.predictors.sizes`` alone need no
    #: images.
    proxies: tuple[str, ...] = ("params", "flops", "entropy")

    @cached_property
    def code(self) -> str:
        """What cached values of its networks depend on beside their text; '' for a built-in space."""
        return code_digest(type(self))

    # -- text ---------------------------------------------------------------

    @abstractmethod
    def format(self, architecture: Architecture) -> str:
        """The official text of an architecture; ``parse(format(a)) == a``."""

    @abstractmethod
    def parse(self, text: str) -> Architecture:
        """Read the official text. ArchitectureError: what was expected and what was found."""

    @abstractmethod
    def describe(self) -> str:
        """The space in a few sentences, for a prompt: positions, operations, text form."""

    def describe_choices(self) -> str:
        """The space for a prompt that asks for one choice for each position (``slots``)."""
        both = zip(self.slots, self.positions, strict=True)
        names = (slot if slot == place else f"{slot}: {place}" for slot, place in both)
        return f"{self.describe()} Names of the positions in your answer: {', '.join(names)}."

    @abstractmethod
    def explain(self, architecture: Architecture) -> str:
        """One architecture operation by operation, for a prompt or a person."""

    def layers(self, architecture: Architecture) -> tuple[Layer, ...]:
        """The network from input to output, for a drawing; one layer for each choice unless said."""
        genes = architecture.genes
        active = [(self.positions[i], self.choices[i][genes[i]]) for i in self.active(genes)]
        return tuple(Layer(op, op, place) for place, op in active)

    # -- choices, for who answers a schema ------------------------------------

    @cached_property
    def is_by_choices(self) -> bool:
        """Whether a JSON schema can list the choices at every position.

        Not of a space without positions, or of one with too many choices for the schemas
        that providers take; its architectures are written as text.
        """
        choices = getattr(self, "choices", ())
        same = len(choices) == len(getattr(self, "positions", ())) > 0
        return same and all(choices) and sum(map(len, choices)) <= MOST_CHOICES

    @cached_property
    def slots(self) -> tuple[str, ...]:
        """Names of the positions in an answer: letters, digits and ``_``, as every provider takes."""
        named = [re.sub(r"[^A-Za-z0-9]+", "_", place).strip("_") for place in self.positions]
        named = [name if name[:1].isalpha() else f"p{name}" for name in named]
        if len(set(named)) < len(named) or any(len(name) > SLOT for name in named):
            return tuple(f"p{i}" for i in range(len(named)))
        return tuple(named)

    def choices_schema(self, options: Sequence[Sequence[str]] | None = None) -> dict[str, Any]:
        """The JSON schema of one architecture: an operation for each slot, all needed, no others.

        ``options``: what is left at each position; everything unless said.
        """
        left = self.choices if options is None else options
        return {
            "type": "object",
            "properties": {
                slot: {"type": "string", "enum": list(operations)}
                for slot, operations in zip(self.slots, left, strict=True)
            },
            "required": list(self.slots),
            "additionalProperties": False,
        }

    def choices_of(self, architecture: Architecture) -> dict[str, str]:
        """The operation at each slot; ``architecture_of(choices_of(a)) == a``."""
        return dict(zip(self.slots, self.chosen(architecture), strict=True))

    def architecture_of(self, choices: Mapping[str, object]) -> Architecture:
        """The architecture with these operations, by slot or position.

        ArchitectureError: a position is unknown, missing, or has no such operation.
        """
        names = {name: i for n in (self.positions, self.slots) for i, name in enumerate(n)}
        unknown = next((name for name in choices if name not in names), None)
        if unknown is not None:
            raise ArchitectureError(
                f"{self.name} has no position {str(unknown)[:40]!r}: use {listed(self.slots)}"
            )
        given: dict[int, object] = {}
        for name, operation in choices.items():
            if given.setdefault(names[name], operation) != operation:
                raise ArchitectureError(f"{name} is given twice: choose one operation for it")
        return self.of(tuple(self._gene(i, given.get(i)) for i in range(len(self.choices))))

    def proposed(self, given: str | Mapping[str, object]) -> Architecture:
        """An architecture in any form of an answer: official text, choices by position, or letters."""
        if not isinstance(given, str):
            return self.architecture_of(given)
        try:
            return self.parse(given)
        except ArchitectureError:
            chosen = self._of_letters(given)
            if chosen is None:
                raise
        return self.architecture_of(chosen)

    # -- letters, for short prompts and answers ---------------------------------

    @cached_property
    def letters(self) -> Mapping[str, str]:
        """A letter for each operation; none where a space has no positions or too many operations."""
        fits = self.is_by_choices and len(self.operations) <= len(string.ascii_letters)
        return dict(zip(self.operations, string.ascii_letters, strict=False)) if fits else {}

    def in_letters(self, architecture: Architecture) -> str:
        """The letters of the operations in the order of the positions, separated by spaces.

        ``proposed(in_letters(a)) == a``, in a space that has letters.
        """
        return " ".join(self.letters[operation] for operation in self.chosen(architecture))

    def _of_letters(self, text: str) -> dict[str, object] | None:
        """The choices that a row of letters names, ``None`` for any other text.

        ArchitectureError: too many letters, or too few.
        """
        operations = {letter: operation for operation, letter in self.letters.items()}
        found = re.findall(r"[^\s,]+", text)
        if not found or not all(each in operations for each in found):
            return None
        if len(found) != len(self.slots):
            raise ArchitectureError(
                f"{self.name} has {len(self.slots)} positions, found {len(found)} letters:"
                f" give one letter for each of {listed(self.slots)}"
            )
        return {slot: operations[letter] for slot, letter in zip(self.slots, found, strict=True)}

    def _gene(self, place: int, operation: object) -> int:
        options = self.choices[place]
        if isinstance(operation, str) and operation in options:
            return options.index(operation)
        found = "nothing" if operation is None else repr(operation)[:40]
        raise ArchitectureError(
            f"{self.slots[place]} takes one of {', '.join(options)}, found {found}: choose one"
        )

    # -- meaning ------------------------------------------------------------

    @abstractmethod
    def key(self, architecture: Architecture) -> str:
        """Equal for architectures that compute the same function (isomorphism key).

        Equal keys share their accuracy, not their measured latency.
        """

    @abstractmethod
    def parameters(self, architecture: Architecture, shape: Shape) -> int:
        """Trainable parameters of the whole network."""

    @abstractmethod
    def flops(self, architecture: Architecture, shape: Shape) -> float:
        """Multiply-accumulates of one forward pass of one image."""

    @abstractmethod
    def build(self, architecture: Architecture, shape: Shape) -> "nn.Module":
        """The network: (batch, *shape.pixels) to logits (batch, shape.classes)."""

    def input_shape(self, architecture: Architecture, shape: Shape) -> Shape:
        """Of the images that the deployed network takes, where the search has images of ``shape``.

        The same, except where a network sets its own resolution.
        """
        return shape

    def workload(
        self, architecture: Architecture, shape: Shape
    ) -> Mapping[str, Mapping[str, float]]:
        """Views of what a device has to do, each as numbers that latency nearly is a weighted sum of.

        The same names for every network; ``UNIT@PLACE`` are parts of one sum over places.
        """
        size = {
            "flops": float(self.flops(architecture, shape)),
            "parameters": float(self.parameters(architecture, shape)),
        }
        return {"size": size, "operations": self.operation_counts(architecture)}

    def footprint(self, architecture: Architecture, shape: Shape) -> "Footprint":
        """Peak memory of the activations and size of the weights, see ``pelnas.spaces.footprint``.

        Counted on the network that is built, which takes some hundredths of a second; a space
        that knows a formula overrides it.
        """
        from pelnas.spaces.footprint import counted, unweighted

        return counted(unweighted(lambda: self.build(architecture, shape)), shape.pixels)

    def check_shape(self, shape: Shape) -> None:
        """SpaceError: the networks of this space cannot take such images."""

    # -- shared by every space of choices -------------------------------------

    @property
    def size(self) -> int:
        """How many architectures there are."""
        return prod(map(len, self.choices))

    @cached_property
    def operations(self) -> tuple[str, ...]:
        """Every operation that may be chosen anywhere, in order of first mention."""
        return tuple(dict.fromkeys(op for options in self.choices for op in options))

    def of(self, genes: tuple[int, ...]) -> Architecture:
        """The architecture with these genes. ArchitectureError: wrong length or range."""
        if len(genes) != len(self.choices):
            raise ArchitectureError(
                f"{self.name} has {len(self.choices)} positions, found {len(genes)} genes:"
                f" give one choice for each of {listed(self.positions)}"
            )
        for position, options, gene in zip(self.positions, self.choices, genes, strict=True):
            if not 0 <= gene < len(options):
                raise ArchitectureError(
                    f"position {position} of {self.name} takes 0 to {len(options) - 1},"
                    f" found {gene}: use one of {', '.join(options)}"
                )
        return self.canonical(tuple(genes))

    def canonical(self, genes: tuple[int, ...]) -> Architecture:
        """As ``of``, of genes that are known to fit: a choice without effect makes no other network."""
        active = self.active(genes)
        if len(active) < len(genes):
            genes = tuple(gene if i in active else 0 for i, gene in enumerate(genes))
        return Architecture(self.name, genes)

    def active(self, genes: tuple[int, ...]) -> Collection[int]:
        """The positions whose choices have an effect beside these; all unless a space says so.

        A position without effect, such as a layer beyond the chosen depth, takes its first choice.
        """
        return range(len(genes))

    def executed(self, genes: tuple[int, ...]) -> Collection[int]:
        """The positions whose choices a runtime carries out, what is not used by any output left out."""
        return self.active(genes)

    def live(self, genes: tuple[int, ...]) -> Collection[int]:
        """The positions that the output depends on: those on a path from the input to it.

        Networks that agree on these compute the same, whatever stands elsewhere.
        """
        return self.active(genes)

    def routes(self, genes: tuple[int, ...]) -> Sequence[tuple[str, ...]]:
        """The operations on each path from the input to the output, identities left out.

        () in a space of chains, where the one path says no more than the choices do.
        """
        return ()

    def chosen(self, architecture: Architecture) -> tuple[str, ...]:
        """The operation at each position."""
        pairs = zip(self.choices, architecture.genes, strict=True)
        return tuple([options[gene] for options, gene in pairs])  # asked for often: no generator

    def features(self, architecture: Architecture) -> dict[str, float]:
        """Numbers that predicates speak about.

        ``OP``: how often an operation is chosen; ``OP@POSITION``: 1 where it
        stands there; both of active positions alone. Spaces add their own. Absent names count as 0.
        """
        counts: dict[str, float] = dict.fromkeys(self.operations, 0.0)
        for position in self.active(architecture.genes):
            op, placed = self._named[position][architecture.genes[position]]
            counts[op] += 1
            counts[placed] = 1.0
        return counts

    def operation_counts(self, architecture: Architecture) -> dict[str, float]:
        """How often each operation is chosen, in active positions alone: a part of ``features``."""
        genes, counts = architecture.genes, dict.fromkeys(self.operations, 0.0)
        for position in self.active(genes):
            counts[self.choices[position][genes[position]]] += 1
        return counts

    @cached_property
    def _named(self) -> tuple[tuple[tuple[str, str], ...], ...]:
        """Each choice of each position with the name of its feature."""
        places = zip(self.positions, self.choices, strict=True)
        return tuple(tuple((op, f"{op}@{at}") for op in options) for at, options in places)

    @cached_property
    def feature_names(self) -> frozenset[str]:
        """Every name that ``features`` may return."""
        placed = (
            f"{op}@{position}"
            for position, options in zip(self.positions, self.choices, strict=True)
            for op in options
        )
        first = self.of(tuple(0 for _ in self.choices))
        return frozenset(placed) | frozenset(self.features(first))

    def sample(self, rng: np.random.Generator) -> Architecture:
        """Uniform over the genomes."""
        return self.canonical(tuple(int(rng.integers(len(options))) for options in self.choices))

    def neighbours(self, architecture: Architecture) -> Iterator[Architecture]:
        """Every architecture that differs in one active choice, in a fixed order."""
        genes = architecture.genes
        for position in self.active(genes):
            for gene in range(len(self.choices[position])):
                if gene != genes[position]:
                    yield self.canonical((*genes[:position], gene, *genes[position + 1 :]))

    def at(self, index: int) -> Architecture:
        """The architecture of an index from 0 to ``size - 1``. ArchitectureError: out of range."""
        if not 0 <= index < self.size:
            raise ArchitectureError(
                f"{self.name} has indices 0 to {self.size - 1}, found {index}: give one of these"
            )
        genes: list[int] = []
        for options in reversed(self.choices):
            index, gene = divmod(index, len(options))
            genes.append(gene)
        return self.canonical(tuple(reversed(genes)))

    def index(self, architecture: Architecture) -> int:
        """The inverse of ``at``."""
        index = 0
        for options, gene in zip(self.choices, architecture.genes, strict=True):
            index = index * len(options) + gene
        return index

    def read(self, text: str) -> Architecture:
        """An architecture from its official text or its index in decimal digits."""
        stripped = text.strip()
        is_index = stripped.isdecimal() and len(stripped) <= MAX_DIGITS
        return self.at(int(stripped)) if is_index else self.parse(stripped)


def listed(names: Sequence[str]) -> str:
    """The names separated by commas; of many the first ones and the last."""
    if len(names) <= LISTED:
        return ", ".join(names)
    return f"{', '.join(names[: LISTED - 1])}, ... {names[-1]}"
