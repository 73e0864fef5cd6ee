"""Orders about designs: which are let in, on which most are spent, and which to try."""

import re
from collections.abc import Mapping
from dataclasses import dataclass, replace
from math import isfinite
from typing import TYPE_CHECKING, ClassVar, Literal, Self, cast, get_args

from pelnas.directives.order import (
    NUMBER,
    Order,
    Records,
    in_niche,
    need,
    need_line,
    need_niche,
    need_word,
    number,
    read_number,
    read_words,
    split_niche,
    wrong,
)
from pelnas.errors import ArchitectureError, DirectiveError
from pelnas.inputs.quantities import COSTS, UNITS, CostName
from pelnas.predicate import Features
from pelnas.spaces import SearchSpace

if TYPE_CHECKING:
    from pelnas.directives.conflicts import Standing
    from pelnas.directives.directive import Directive

Quantity = CostName | Literal["accuracy"]
Comparison = Literal["<=", ">="]

QUANTITIES: tuple[Quantity, ...] = (*COSTS, "accuracy")
ALIASES: dict[str, Quantity] = {
    "latency_ms": "latency",
    "energy_mj": "energy",
    "params": "parameters",
    "score": "accuracy",
    **{quantity: quantity for quantity in QUANTITIES},
}
_BOUND = re.compile(rf"\s*(?P<quantity>[a-z_]+)\s*(?P<how><=|>=)\s*(?P<value>{NUMBER})(?=\s|$)")


@dataclass(frozen=True, slots=True)
class Bound:
    """A quantity at most (``<=``) or at least (``>=``) a value.

    Units: latency in ms, energy in mJ, parameters and FLOPs (multiply-accumulates)
    as plain counts, memory (peak of the activations) and size (of the weights) in bytes,
    accuracy in the unit of the run's scores.
    """

    quantity: Quantity
    comparison: Comparison
    value: float

    def __post_init__(self) -> None:
        need(
            self.quantity in QUANTITIES, f"a metric, one of {', '.join(QUANTITIES)}", self.quantity
        )
        need(self.comparison in get_args(Comparison), "<= or >=", self.comparison)
        need(isfinite(self.value), "a finite number", self.value)

    def __str__(self) -> str:
        return f"{self.quantity}{self.comparison}{number(self.value)}"

    def say(self) -> str:
        """``latency at most 5 ms``."""
        how = "at most" if self.comparison == "<=" else "at least"
        value = self.value
        unit = f" {UNITS.get(self.quantity, '')}".rstrip()
        shown = f"{value:,.0f}" if value == int(value) and abs(value) < 1e15 else number(value)
        return f"{self.quantity} {how} {shown}{unit}"

    def holds(self, value: float | None) -> bool:
        """Whether a value satisfies it; what is unknown (``None``) does not."""
        if value is None:
            return False
        return value <= self.value if self.comparison == "<=" else value >= self.value


class Constraint(Order):
    """An order that holds architectures back, in one niche or in all."""

    __slots__ = ()
    informs = True
    grounded = True

    def concerns(self, niche: int | None) -> bool:
        return niche is None or self.place in (None, niche)

    def excludes(self, features: Features) -> bool:
        """Whether it refuses what has these features."""
        return False

    def excess(self, values: Mapping[Quantity, float | None]) -> str:
        """Which of its bounds known quantities break, '' for none; those not given are not judged."""
        return ""


@dataclass(frozen=True, slots=True)
class Limit(Constraint):
    """Only architectures that satisfy every bound; in one niche, or in all (``None``)."""

    bounds: tuple[Bound, ...]
    niche: int | None = None

    prefix = "/limit"
    forms = (
        (
            "latency<=5 parameters<=300000 [in niche 2]",
            f"only within these bounds; of {', '.join(QUANTITIES)}",
        ),
    )

    def __post_init__(self) -> None:
        need(bool(self.bounds), "at least one bound such as latency<=5", "none")
        need_niche(self.niche)

    @classmethod
    def read(cls, rest: str, form: str) -> Self:
        found, niche = split_niche(rest)
        return cls(_read_bounds(found, form), niche)

    @property
    def arguments(self) -> str:
        return " ".join(map(str, self.bounds)) + in_niche(self.niche)

    def say(self, space: SearchSpace | None = None) -> str:
        return f"keep to {_ranges(self.bounds)}{in_niche(self.niche)}"

    def on(self, *quantities: Quantity) -> bool:
        """Whether it limits any of these."""
        return any(bound.quantity in quantities for bound in self.bounds)

    def check(self, beside: "Standing") -> Order:
        if self.on("energy") and not beside.ground.tells_energy():
            raise DirectiveError(
                "this run's device does not report energy: limit latency, parameters or flops instead"
            )
        if self.on("memory", "size") and not beside.ground.counts_footprint:
            raise DirectiveError(
                "this run counts neither memory nor size: start one with such a limit, as in"
                " --limit memory<=500000"
            )
        beside.need_possible(self)
        return self

    def excess(self, values: Mapping[Quantity, float | None]) -> str:
        for bound in self.bounds:
            if bound.quantity in values and not bound.holds(values[bound.quantity]):
                value = values[bound.quantity]
                found = "unknown, or the device cannot run it" if value is None else f"{value:.6g}"
                return f"keep to {bound.say()}, found {found}"
        return ""

    def not_in_fork(self, same_unit: bool) -> str:
        if self.on("accuracy") and not same_unit:
            return "scores have another unit in this fork"
        return ""


@dataclass(frozen=True, slots=True)
class _OfFeature(Constraint):
    """On a feature: ``OPERATION``, or ``OPERATION@POSITION``."""

    feature: str
    niche: int | None = None

    how: ClassVar[str]

    def __post_init__(self) -> None:
        need_word(self.feature)
        need_niche(self.niche)

    @classmethod
    def read(cls, rest: str, form: str) -> Self:
        feature, niche = split_niche(rest)
        return cls(read_words(feature, 1, form)[0], niche)

    @property
    def arguments(self) -> str:
        return f"{self.feature}{in_niche(self.niche)}"

    def say(self, space: SearchSpace | None = None) -> str:
        operation, _, position = self.feature.partition("@")
        where = f" at {position}" if position else ""
        return f"design nothing {self.how} {operation}{where}{in_niche(self.niche)}"

    def check(self, beside: "Standing") -> Order:
        _need_feature(self.feature, beside.ground.partition.space)
        beside.need_possible(self)
        return self


class Ban(_OfFeature):
    """No architecture with this feature: ``OPERATION``, or ``OPERATION@POSITION``."""

    __slots__ = ()
    prefix, how = "/ban", "with"
    forms = (("OPERATION[@POSITION] [in niche 2]", "design nothing with it"),)

    def excludes(self, features: Features) -> bool:
        return features.get(self.feature, 0) > 0


class Require(_OfFeature):
    """Only architectures with this feature: ``OPERATION``, or ``OPERATION@POSITION``."""

    __slots__ = ()
    prefix, how = "/require", "without"
    forms = (("OPERATION[@POSITION] [in niche 2]", "design nothing without it"),)

    def excludes(self, features: Features) -> bool:
        return not features.get(self.feature, 0) > 0


@dataclass(frozen=True, slots=True)
class Focus(Order):
    """Spend most designs on a range of latency (``bounds``) or on a ``niche``: one of the two."""

    bounds: tuple[Bound, ...] = ()
    niche: int | None = None

    prefix = "/focus"
    forms = (
        ("latency<=5 [latency>=2]", "spend most designs on this range of latency"),
        ("niche 3", "spend most designs on this niche"),
    )
    informs = True
    grounded = True

    def __post_init__(self) -> None:
        need(bool(self.bounds) != (self.niche is not None), "a range of latency or a niche", "both")
        for bound in self.bounds:
            need(bound.quantity == "latency", "a focus on latency", bound.quantity)
        need_niche(self.niche)

    @classmethod
    def read(cls, rest: str, form: str) -> Self:
        niche = re.fullmatch(r"niche\s+([0-9]{1,3})", rest)
        if niche:
            return cls(niche=int(niche[1]))
        if not rest:
            raise wrong(form, rest)
        return cls(bounds=_read_bounds(rest, form))

    @property
    def arguments(self) -> str:
        return " ".join(map(str, self.bounds)) or f"niche {self.niche}"

    def say(self, space: SearchSpace | None = None) -> str:
        return f"spend most designs on {_ranges(self.bounds) or f'niche {self.niche}'}"

    def check(self, beside: "Standing") -> Order:
        beside.need_satisfiable(Limit(self.bounds) if self.bounds else None, self.niche)
        return self


@dataclass(frozen=True, slots=True)
class Wanted(Order):
    """An architecture that is to be tried; its text or its index."""

    architecture: str

    grounded = True

    def __post_init__(self) -> None:
        need_line(self.architecture, "an architecture")

    @classmethod
    def read(cls, rest: str, form: str) -> Self:
        if not rest:
            raise wrong(form, rest)
        return cls(rest)

    def check(self, beside: "Standing") -> Order:
        space = beside.ground.partition.space
        try:
            official = replace(self, architecture=space.format(space.read(self.architecture)))
        except ArchitectureError as error:
            raise DirectiveError(str(error)) from None
        beside.need_allowed(official.architecture)
        return official

    def outcome(self, given: "Directive", records: Records) -> str:
        tried = (e for e in records.evaluations if e.candidate.architecture == self.architecture)
        found = next(tried, None)
        if found is None or given.effect is None:
            return "not tried yet"
        before = "already " if given.effect.follows(found.candidate.round) else ""
        place = f"{before}tried as {found.id} in round {found.candidate.round + 1}"
        return f"{place}: score {found.score:.4g}, {found.latency_ms:.4g} ms"

    def _explained(self, space: SearchSpace | None) -> str:
        if space is None:
            return self.architecture
        try:
            return f"{self.architecture} ({space.explain(space.read(self.architecture))})"
        except ArchitectureError:
            return self.architecture


class Seed(Wanted):
    """Try this architecture next; its text or its index."""

    __slots__ = ()
    prefix = "/seed"
    forms = (("ARCHITECTURE", "try it next"),)

    def say(self, space: SearchSpace | None = None) -> str:
        return f"try {self._explained(space)} next"


class Pin(Wanted):
    """Keep this architecture among the parents and in the report; it is tried if it was not yet."""

    __slots__ = ()
    prefix = "/pin"
    forms = (("ARCHITECTURE", "keep it among the parents and in the report"),)

    def say(self, space: SearchSpace | None = None) -> str:
        return f"keep {self._explained(space)} among the parents and in the report"


def _ranges(bounds: tuple[Bound, ...]) -> str:
    return " and ".join(bound.say() for bound in bounds)


def _read_bounds(rest: str, form: str) -> tuple[Bound, ...]:
    bounds, position = [], 0
    while position < len(rest):
        found = _BOUND.match(rest, position)
        if found is None or found["quantity"] not in ALIASES:
            raise wrong(form, rest[position:].strip())
        how = cast(Comparison, found["how"])
        bounds.append(Bound(ALIASES[found["quantity"]], how, read_number(found["value"], form)))
        position = found.end()
    return tuple(bounds)


def _need_feature(feature: str, space: SearchSpace) -> None:
    operation, at, position = feature.partition("@")
    if operation not in space.operations:
        raise DirectiveError(
            f"operation {operation!r} does not exist in {space.name}:"
            f" use one of {', '.join(space.operations)}"
        )
    if at and position not in space.positions:
        raise DirectiveError(
            f"position {position!r} does not exist in {space.name}:"
            f" use one of {', '.join(space.positions[:20])}"
        )
    if at and operation not in space.choices[space.positions.index(position)]:
        options = space.choices[space.positions.index(position)]
        raise DirectiveError(f"{position} takes no {operation}: use one of {', '.join(options)}")
