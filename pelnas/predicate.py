"""A condition over the features of an architecture that a program can check.

One small language serves niches ("no 3x3"), design rules ("at least two
avg_pool_3x3") and whatever else must be decided by the program and not by a
model. Its text form is ``FEATURE OP NUMBER`` joined by ``and``, for example
``nor_conv_3x3 >= 2 and avg_pool_3x3@0->1 == 0``.
"""

import operator
import re
from collections.abc import Callable, Collection, Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from pelnas.errors import PredicateError

Features = Mapping[str, float]

COMPARISONS: dict[str, Callable[[float, float], bool]] = {
    ">=": operator.ge,
    "<=": operator.le,
    "==": operator.eq,
    "!=": operator.ne,
    ">": operator.gt,
    "<": operator.lt,
}
_ARRAYS: dict[str, Any] = {  # the same comparisons, of arrays
    ">=": np.greater_equal,
    "<=": np.less_equal,
    "==": np.equal,
    "!=": np.not_equal,
    ">": np.greater,
    "<": np.less,
}
MAX_CONDITIONS = 6  # more than that describes one network and is no rule
_CONDITION = re.compile(
    r"\s*(?P<feature>\S+)\s+(?P<op>>=|<=|==|!=|>|<|=)\s+(?P<value>[-+0-9.eE]+)\s*"
)


@dataclass(frozen=True, slots=True, order=True)
class Condition:
    """``feature op value``; a feature that an architecture does not have counts as 0."""

    feature: str
    op: str
    value: float

    def holds(self, features: Features) -> bool:
        return COMPARISONS[self.op](features.get(self.feature, 0.0), self.value)

    def compared(self, values: NDArray[np.float64]) -> NDArray[np.bool_]:
        """The same for many values of the feature at once, (n,)."""
        return np.asarray(_ARRAYS[self.op](values, self.value))

    def __str__(self) -> str:
        short = f"{self.value:g}"
        exact = short if float(short) == self.value else repr(self.value)
        return f"{self.feature} {self.op} {exact}"


@dataclass(frozen=True, slots=True, order=True)
class Predicate:
    """A conjunction of conditions, kept sorted so that equal meanings compare equal.

    The empty predicate holds for every architecture.
    """

    conditions: tuple[Condition, ...] = ()

    def __post_init__(self) -> None:
        object.__setattr__(self, "conditions", tuple(sorted(set(self.conditions))))

    def holds(self, features: Features) -> bool:
        return all(condition.holds(features) for condition in self.conditions)

    def __str__(self) -> str:
        return " and ".join(map(str, self.conditions)) or "any"

    def __and__(self, other: "Predicate") -> "Predicate":
        return Predicate(self.conditions + other.conditions)


def parse_predicate(text: str, known: Collection[str] | None = None) -> Predicate:
    """Read the text form; ``parse_predicate(str(p)) == p`` for every predicate.

    ``known``: the features that may be named; ``None`` allows any.
    Raises PredicateError: unreadable text, an unknown feature, a value that is
    not finite, or more than ``MAX_CONDITIONS`` conditions.
    """
    if text.strip() == "any":
        return Predicate()
    parts = re.split(r"\s+and\s+", text.strip())
    if len(parts) > MAX_CONDITIONS:
        raise PredicateError(
            f"a predicate has at most {MAX_CONDITIONS} conditions, found {len(parts)}: use fewer"
        )
    return Predicate(tuple(_parse_condition(part, known) for part in parts))


def _parse_condition(text: str, known: Collection[str] | None) -> Condition:
    match = _CONDITION.fullmatch(text)
    if match is None:
        raise PredicateError(
            f"expected 'FEATURE OP NUMBER' with OP one of {', '.join(COMPARISONS)},"
            f" found {text[:80]!r}: write for example '{min(known or ('depth',))} >= 2'"
        )
    feature, op = (
        match["feature"],
        match["op"].replace("=", "==") if match["op"] == "=" else match["op"],
    )
    if known is not None and feature not in known:
        raise PredicateError(
            f"feature {feature[:60]!r} does not exist: use one of {', '.join(sorted(known)[:40])}"
        )
    try:
        value = float(match["value"])
    except ValueError:
        raise PredicateError(f"{match['value']!r} is not a number: write for example 2") from None
    if value != value or value in (float("inf"), float("-inf")):
        raise PredicateError(f"{match['value']!r} is not a finite number: write for example 2")
    return Condition(feature, op, value)
