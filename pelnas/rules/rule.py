"""A design rule: a claim that a program can test, its evidence and its verdict.

A rule says that architectures which satisfy a predicate do better (``helps``)
or worse (``hurts``) on one metric, within a scope. Whoever claims it, the
program measures it on every evaluation so far, and decides whether designers
may rely on it (``pelnas.rules.verdicts``).
"""

import hashlib
import json
import unicodedata
from collections.abc import Iterable, Mapping
from dataclasses import asdict, dataclass, fields, replace
from math import isfinite
from typing import Any, Literal, get_args

from pelnas.errors import PredicateError, SpaceError, StoreError
from pelnas.inputs.quantities import COSTS, Metric
from pelnas.predicate import COMPARISONS, Condition, Features, Predicate
from pelnas.rules.evidence import Observation

__all__ = [
    "Metric",
    "Observation",
    "Polarity",
    "Rule",
    "Scope",
    "Status",
    "bias",
    "carry",
    "propose",
    "render",
]

Polarity = Literal["helps", "hurts"]
Status = Literal["proposed", "in-force", "weakened", "retired"]

TEXT_LIMIT = 240  # characters


@dataclass(frozen=True, slots=True)
class Scope:
    """Where a rule is claimed to hold; ``niche`` is ``None`` for every niche."""

    space: str
    device: str
    dataset: str
    niche: int | None = None

    def everywhere(self) -> "Scope":
        """The same in every niche."""
        return replace(self, niche=None)


@dataclass(frozen=True, slots=True)
class Rule:
    """One claim with what the evaluations say about it; texts are cleaned on construction.

    ``id``: the same for the same claim (predicate, metric, polarity, scope).
    ``claimed``: the effect its author gave, 0 if none.
    ``measured``, ``error``: effect as in ``pelnas.rules.evidence``, positive where the
    claim is right, whatever its polarity; ``None`` before enough is known.
    ``side_effect``: the same effect of the predicate on the other metric,
    positive where its holders are better there too: the price is negative.
    ``support``, ``contradictions``: holders on the claim's side of the median of
    their niche, and on the other side. ``evidence``: ids of the most telling
    holders, at most 20, of either side. ``reason``: why this verdict.
    ``origin``: what earlier runs said, for a rule that was carried over.
    """

    id: str
    text: str
    polarity: Polarity
    metric: Metric
    predicate: Predicate
    scope: Scope
    claimed: float = 0.0
    measured: float | None = None
    error: float | None = None
    side_effect: float | None = None
    evidence: tuple[str, ...] = ()
    support: int = 0
    contradictions: int = 0
    born: int = 0
    author: str = ""
    status: Status = "proposed"
    reason: str = ""
    origin: str = ""

    def __post_init__(self) -> None:
        for name in ("text", "author", "reason", "origin"):
            object.__setattr__(self, name, _clean(getattr(self, name)))

    @property
    def signed_effect(self) -> float:
        """The measured effect of satisfying the predicate: positive is good; 0 if not measured."""
        effect = self.measured or 0.0
        return effect if self.polarity == "helps" else -effect

    def to_dict(self) -> dict[str, Any]:
        """Plain values for JSON; ``from_dict`` reads ``conditions``, people read ``predicate``."""
        record: dict[str, Any] = {field.name: getattr(self, field.name) for field in fields(self)}
        record["scope"] = asdict(self.scope)
        record["conditions"] = [[c.feature, c.op, c.value] for c in self.predicate.conditions]
        return record | {"predicate": str(self.predicate), "evidence": list(self.evidence)}

    @classmethod
    def from_dict(cls, record: Mapping[str, Any]) -> "Rule":
        """The inverse of ``to_dict``. StoreError: a record that is no rule."""
        try:
            values = {k: v for k, v in record.items() if k != "conditions"}
            conditions = (Condition(str(f), str(o), float(v)) for f, o, v in record["conditions"])
            values["predicate"] = Predicate(tuple(conditions))
            values["scope"] = Scope(**record["scope"])
            values["evidence"] = tuple(map(str, record["evidence"]))
            rule = cls(**values)
        except (KeyError, TypeError, ValueError) as error:
            raise StoreError(
                f"expected a stored rule, found a record that is none ({type(error).__name__}:"
                f" {error}): what holds it is damaged or of another version, use another copy"
            ) from None
        return _checked(rule)


def _checked(rule: Rule) -> Rule:
    """Refuse stored values that no rule can have."""
    known = (
        rule.polarity in get_args(Polarity)
        and rule.metric in ("accuracy", *COSTS)
        and rule.status in get_args(Status)
        and all(c.op in COMPARISONS for c in rule.predicate.conditions)
    )
    if not known:
        raise StoreError(
            f"stored rule {rule.id[:40]!r} has an unknown polarity, metric, status or comparison:"
            " what holds it is damaged or of another version, use another copy"
        )
    return rule


def _clean(text: str) -> str:
    """One line without control, format or surrogate characters, at most ``TEXT_LIMIT`` long."""
    if not text.isprintable():
        kept = (" " if c.isspace() else c for c in text if c.isspace() or _printable(c))
        text = "".join(kept)
    line = " ".join(text.split())
    return line if len(line) <= TEXT_LIMIT else line[: TEXT_LIMIT - 1].rstrip() + "…"


def _printable(character: str) -> bool:
    return not unicodedata.category(character).startswith("C")


def propose(
    text: str,
    polarity: Polarity,
    metric: Metric,
    predicate: Predicate,
    scope: Scope,
    *,
    claimed: float = 0.0,
    born: int = 0,
    author: str = "",
    origin: str = "",
) -> Rule:
    """A new claim, not yet measured. PredicateError: the empty predicate, which claims nothing."""
    if not predicate.conditions:
        raise PredicateError(
            "a rule needs a predicate with at least one condition, found none:"
            " write for example 'depth >= 2'"
        )
    claim = [[(c.feature, c.op, c.value) for c in predicate.conditions], metric, polarity]
    key = json.dumps([claim, asdict(scope)], sort_keys=True)
    return Rule(
        id="R" + hashlib.sha256(key.encode()).hexdigest()[:10],
        text=text,
        polarity=polarity,
        metric=metric,
        predicate=predicate,
        scope=scope,
        claimed=claimed if isfinite(claimed) else 0.0,
        born=born,
        author=author,
        origin=origin,
    )


# -- using --------------------------------------------------------------------


def bias(
    rules: Iterable[Rule], features: Features, weights: Mapping[Metric, float] | None = None
) -> float:
    """How strongly the rules in force speak for an architecture; positive: build it.

    The sum of the measured effects of the satisfied predicates, signed by what
    satisfying them does, times the weight of the metric (1 for each if
    ``None``). Rules of other niches are the caller's to leave out.
    """
    return sum(
        rule.signed_effect * (1.0 if weights is None else weights.get(rule.metric, 0.0))
        for rule in rules
        if rule.status == "in-force" and rule.predicate.holds(features)
    )


def carry(rule: Rule, scope: Scope, *, same_niches: bool = True) -> Rule:
    """The claim of an earlier run, to be tested anew under this run's device and dataset.

    Its evidence does not count here; what was found is kept as ``origin`` and
    its effect as the claim. It keeps its niche, or is widened to every niche
    where this run cuts the space differently (``same_niches=False``).
    SpaceError: a rule of another space, whose features mean nothing here.
    """
    if rule.scope.space != scope.space:
        raise SpaceError(
            f"rules of space {rule.scope.space} do not apply to {scope.space}:"
            f" load rules of a run in {scope.space}"
        )
    found = rule.reason or "not measured"
    outcome = (
        f"{rule.status} for {rule.scope.device or 'any device'}, {rule.scope.dataset}: {found}"
    )
    return propose(
        rule.text,
        rule.polarity,
        rule.metric,
        rule.predicate,
        replace(scope, niche=rule.scope.niche if same_niches else None),
        claimed=rule.claimed if rule.measured is None else rule.measured,
        author=rule.author,
        origin=f"{outcome}; {rule.origin}" if rule.origin else outcome,
    )


def render(rule: Rule) -> str:
    """One line with figures, for prompts and people; texts are JSON-quoted data in it.

    ``[in-force, helps accuracy 0.31±0.05, slower 0.40, 34 for, 8 against]
    "nor_conv_3x3 >= 2" - "Use at least two 3x3 convolutions."``
    """
    figures = [rule.status, f"{rule.polarity} {rule.metric}"]
    if rule.measured is not None and rule.error is not None:
        figures[1] += f" {rule.measured:.2f}±{rule.error:.2f}"
    if rule.side_effect is not None:
        better, worse = (
            ("faster", "slower")
            if rule.metric == "accuracy"
            else ("more accurate", "less accurate")
        )
        figures.append(f"{better if rule.side_effect > 0 else worse} {abs(rule.side_effect):.2f}")
    figures.append(f"{rule.support} for, {rule.contradictions} against")
    said = json.dumps(_clean(str(rule.predicate)), ensure_ascii=False)
    return f"[{', '.join(figures)}] {said} - {json.dumps(rule.text, ensure_ascii=False)}"
