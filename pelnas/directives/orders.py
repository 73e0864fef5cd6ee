"""What a person may ask of a running search: orders, as frozen values.

They hold only checked numbers, names and quoted texts: nothing in them is ever run.
"""

import re
import unicodedata
from dataclasses import dataclass
from math import isfinite
from pathlib import PurePath
from typing import Literal, get_args

from pydantic import ValidationError

from pelnas.config import ROLES, Budget
from pelnas.errors import DirectiveError
from pelnas.inputs import bounds
from pelnas.predicate import Predicate
from pelnas.rules.evidence import Metric

Quantity = Literal["latency", "energy", "parameters", "flops", "accuracy"]
Comparison = Literal["<=", ">="]
Polarity = Literal["helps", "hurts"]

QUANTITIES: tuple[Quantity, ...] = get_args(Quantity)
UNITS = {"latency": " ms", "energy": " mJ", "parameters": "", "flops": "", "accuracy": ""}
ROUNDS_LIMIT = int(bounds.ROUNDS.high)
TEXT_LIMIT = 240  # characters of any text in an order, as rules themselves have it


@dataclass(frozen=True, slots=True)
class Bound:
    """A quantity at most (``<=``) or at least (``>=``) a value.

    Units: latency in ms, energy in mJ, parameters and FLOPs (multiply-accumulates)
    as plain counts, accuracy in the unit of the run's scores.
    """

    quantity: Quantity
    comparison: Comparison
    value: float

    def __post_init__(self) -> None:
        _need(
            self.quantity in QUANTITIES, f"a metric, one of {', '.join(QUANTITIES)}", self.quantity
        )
        _need(self.comparison in get_args(Comparison), "<= or >=", self.comparison)
        _need(isfinite(self.value), "a finite number", self.value)

    def holds(self, value: float | None) -> bool:
        """Whether a value satisfies it; what is unknown (``None``) does not."""
        if value is None:
            return False
        return value <= self.value if self.comparison == "<=" else value >= self.value


@dataclass(frozen=True, slots=True)
class Limit:
    """Only architectures that satisfy every bound; in one niche, or in all (``None``)."""

    bounds: tuple[Bound, ...]
    niche: int | None = None

    def __post_init__(self) -> None:
        _need(bool(self.bounds), "at least one bound such as latency<=5", "none")
        _need_niche(self.niche)


@dataclass(frozen=True, slots=True)
class Focus:
    """Spend most designs on a range of latency (``bounds``) or on a ``niche``: one of the two."""

    bounds: tuple[Bound, ...] = ()
    niche: int | None = None

    def __post_init__(self) -> None:
        _need(
            bool(self.bounds) != (self.niche is not None), "a range of latency or a niche", "both"
        )
        for bound in self.bounds:
            _need(bound.quantity == "latency", "a focus on latency", bound.quantity)
        _need_niche(self.niche)


@dataclass(frozen=True, slots=True)
class Ban:
    """No architecture with this feature: ``OPERATION``, or ``OPERATION@POSITION``."""

    feature: str
    niche: int | None = None

    def __post_init__(self) -> None:
        _need_word(self.feature)
        _need_niche(self.niche)


@dataclass(frozen=True, slots=True)
class Require:
    """Only architectures with this feature: ``OPERATION``, or ``OPERATION@POSITION``."""

    feature: str
    niche: int | None = None

    def __post_init__(self) -> None:
        _need_word(self.feature)
        _need_niche(self.niche)


@dataclass(frozen=True, slots=True)
class Seed:
    """Try this architecture next; its text or its index."""

    architecture: str

    def __post_init__(self) -> None:
        _need_line(self.architecture, "an architecture")


@dataclass(frozen=True, slots=True)
class Pin:
    """Keep this architecture among the parents and in the report; it is tried if it was not yet."""

    architecture: str

    def __post_init__(self) -> None:
        _need_line(self.architecture, "an architecture")


@dataclass(frozen=True, slots=True)
class Weigh:
    """How much rules about an objective count when the built-in designer chooses; 1 unless said."""

    objective: Metric
    weight: float

    def __post_init__(self) -> None:
        _need(self.objective in get_args(Metric), "accuracy or latency", self.objective)
        _need(
            isfinite(self.weight) and 0 <= self.weight <= 100, "a weight of 0 to 100", self.weight
        )


@dataclass(frozen=True, slots=True)
class Claim:
    """What a rule says: see ``pelnas.rules.rule``."""

    text: str
    predicate: Predicate
    polarity: Polarity
    metric: Metric
    niche: int | None = None

    def __post_init__(self) -> None:
        _need_line(self.text, "a rule's text")
        _need(
            bool(self.predicate.conditions),
            "a predicate such as nor_conv_3x3 >= 2",
            self.predicate,
        )
        _need(self.polarity in get_args(Polarity), "helps or hurts", self.polarity)
        _need(self.metric in get_args(Metric), "accuracy or latency", self.metric)
        _need_niche(self.niche)


@dataclass(frozen=True, slots=True)
class AddRule:
    """Measure this claim like any other rule; its author is ``person``."""

    claim: Claim


@dataclass(frozen=True, slots=True)
class EditRule:
    """Put this claim in the place of a rule."""

    rule: str
    claim: Claim

    def __post_init__(self) -> None:
        _need_word(self.rule)


@dataclass(frozen=True, slots=True)
class RetireRule:
    """No longer show this rule to designers, whatever its evidence."""

    rule: str

    def __post_init__(self) -> None:
        _need_word(self.rule)


@dataclass(frozen=True, slots=True)
class SetRounds:
    """End after so many rounds in all."""

    rounds: int

    def __post_init__(self) -> None:
        _need(self.rounds in bounds.ROUNDS, f"{bounds.ROUNDS} rounds", self.rounds)


@dataclass(frozen=True, slots=True)
class SetBudget:
    """Another limit of a budget over the whole run; ``None``: no limit."""

    name: str
    limit: float | None

    def __post_init__(self) -> None:
        names = tuple(Budget.model_fields)
        _need(self.name in names, f"a budget, one of {', '.join(names)}", self.name)
        if self.limit is None:
            return
        try:
            Budget.model_validate({self.name: self.limit})
        except ValidationError as error:
            problem = error.errors()[0]["msg"].lower()
            raise DirectiveError(
                f"a budget of {self.limit:g} {self.name} cannot be set ({problem}): correct it"
            ) from None


@dataclass(frozen=True, slots=True)
class SetModel:
    """Another model for a role, from the next node on."""

    role: str
    model: str

    def __post_init__(self) -> None:
        _need(self.role in ROLES, f"a role, one of {', '.join(ROLES)}", self.role)
        _need_word(self.model)
        provider, _, name = self.model.partition(":")
        _need(bool(provider and name), "a model as provider:model", self.model)
        if provider == "hand":  # it makes its folder: whoever steers may not choose any
            folder = PurePath(name)
            below = not folder.is_absolute() and not {"..", "~"} & {*folder.parts, name[:1]}
            _need(below, "a folder below the search's own, such as hand:answers", self.model)


@dataclass(frozen=True, slots=True)
class Pause:
    """Wait after the piece of work under way."""


@dataclass(frozen=True, slots=True)
class Resume:
    """End the pause."""


@dataclass(frozen=True, slots=True)
class Stop:
    """Finish the round, then end with a report; ends a pause, too."""


@dataclass(frozen=True, slots=True)
class Undo:
    """Take back an earlier directive."""

    directive: str

    def __post_init__(self) -> None:
        known = re.fullmatch(r"d[1-9][0-9]{0,8}", self.directive) is not None
        _need(known, "the id of a directive such as d3", self.directive)


Order = (
    Limit
    | Focus
    | Ban
    | Require
    | Seed
    | Pin
    | Weigh
    | AddRule
    | EditRule
    | RetireRule
    | SetRounds
    | SetBudget
    | SetModel
    | Pause
    | Resume
    | Stop
    | Undo
)
#: Orders that hold architectures back.
Constraint = Limit | Ban | Require
#: Orders that speak of architectures, niches or features, which have to exist.
Grounded = Limit | Focus | Ban | Require | Seed | Pin | AddRule | EditRule
#: Orders about the clock alone: they change no result and are honoured at once.
Control = Pause | Resume


def _need(satisfied: bool, expected: str, found: object) -> None:
    if not satisfied:
        raise DirectiveError(f"expected {expected}, found {str(found)[:80]!r}: correct that part")


def _need_niche(niche: int | None) -> None:
    _need(niche is None or niche in bounds.NICHE, "the number of a niche", niche)


def _need_line(text: str, what: str) -> None:
    """One line of visible characters: nothing that could hide, or pass for another line."""
    visible = all(not unicodedata.category(c).startswith("C") for c in text)
    _need(
        bool(text) and visible and " ".join(text.split()) == text and len(text) <= TEXT_LIMIT,
        f"{what} as one line of 1 to {TEXT_LIMIT} characters",
        text,
    )


def _need_word(text: str) -> None:
    _need_line(text, "a name")
    _need(" " not in text, "a name without blanks", text)
