"""Two runs side by side: what differs in settings, fronts, rules, directives, spend and rates."""

from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import asdict, dataclass
from math import isfinite
from typing import Any

import numpy as np

from pelnas.architecture import Evaluation
from pelnas.config import differences
from pelnas.objectives import DEFAULT
from pelnas.pareto import Floats, hypervolume, minimised
from pelnas.report.front import archive_of, finite
from pelnas.report.spend import Spend, shares, spend_of
from pelnas.rules.rule import Rule
from pelnas.store import RunStore


@dataclass(frozen=True, slots=True)
class Seen:
    """What a run knows of an architecture: lower latency and higher score are better."""

    latency_ms: float
    score: float
    on_front: bool
    costs: tuple[float, ...] = ()  # of the run's objectives, where latency is not the only one

    @property
    def place(self) -> tuple[float, ...]:
        """Costs, then the score."""
        return (*(self.costs or (self.latency_ms,)), self.score)


@dataclass(frozen=True, slots=True)
class Member:
    """An architecture that is on the front of a run; ``None`` for a run that never evaluated it."""

    architecture: str
    a: Seen | None
    b: Seen | None

    @property
    def where(self) -> str:
        """On whose front: ``a``, ``b`` or ``both``."""
        on_a, on_b = (seen is not None and seen.on_front for seen in (self.a, self.b))
        return "both" if on_a and on_b else "a" if on_a else "b"


@dataclass(frozen=True, slots=True)
class Verdict:
    """What a run says of a claim. ``measured``: its effect, positive where the claim is right."""

    id: str
    status: str
    measured: float | None
    error: float | None
    support: int
    contradictions: int


@dataclass(frozen=True, slots=True)
class ClaimChange:
    """A claim of which two runs say different things; ``None`` for one that does not know it."""

    claim: str
    niche: int | None
    text: str
    a: Verdict | None
    b: Verdict | None


@dataclass(frozen=True, slots=True)
class Asked:
    """A directive that two runs were given differently; ``None``: it was not given there."""

    command: str
    author: str
    a: str | None
    b: str | None


@dataclass(frozen=True, slots=True)
class Difference:
    """Run ``b`` beside run ``a``; each pair is (a, b).

    ``settings``: those that differ. ``front``: the members of both fronts, by score.
    ``hypervolume``: of each front within the ranges of all feasible evaluations of
    both, between 0 and 1, higher is better; ``None`` where ``incomparable`` says why.
    ``rules``, ``directives``: those that differ. ``rates``: shares of what was proposed
    (invalid answers: of calls), ``None`` where nothing was.
    """

    runs: tuple[str, str]
    settings: Mapping[str, tuple[Any, Any]]
    front: tuple[Member, ...]
    hypervolume: tuple[float, float] | None
    incomparable: str
    rules: tuple[ClaimChange, ...]
    directives: tuple[Asked, ...]
    spend: tuple[Spend, Spend]
    rates: tuple[Mapping[str, float | None], Mapping[str, float | None]]

    def to_dict(self) -> dict[str, Any]:
        """Plain values for JSON; a number that is not finite becomes ``None``."""
        plain: dict[str, Any] = _plain(asdict(self))
        for member, found in zip(plain["front"], self.front, strict=True):
            member["where"] = found.where
            for seen in (member["a"], member["b"]):
                if seen is not None and not seen["costs"]:  # latency says it already
                    del seen["costs"]
        return plain


def difference(a: RunStore, b: RunStore) -> Difference:
    """What is different in run ``b`` from run ``a``."""
    why_not, seen = incomparable(a, b), (seen_by(a), seen_by(b))
    return Difference(
        runs=(a.name, b.name),
        settings=differences(a.config, b.config),
        front=tuple(members(*seen)),
        hypervolume=None if why_not else volumes(*seen),
        incomparable=why_not,
        rules=tuple(claim_changes(_own_rules(a), _own_rules(b))),
        directives=tuple(asked_differently(_asked(a), _asked(b))),
        spend=(spend_of(a), spend_of(b)),
        rates=(shares(a), shares(b)),
    )


# -- fronts -----------------------------------------------------------------------


def incomparable(a: RunStore, b: RunStore) -> str:
    """Why the fronts of two runs cannot be measured by one scale; '' where they can."""
    one, other = a.sources(), b.sources()
    for what, there, here in (
        ("devices", a.config.device, b.config.device),
        ("data sets", one.dataset, other.dataset),
        ("scores", f"{one.unit} ({one.accuracy})", f"{other.unit} ({other.accuracy})"),
        ("latencies", one.latency, other.latency),
        ("objectives", _listed(a), _listed(b)),
    ):
        if there != here:
            return f"the {what} differ: {there} and {here}"
    return ""


def _listed(store: RunStore) -> str:
    return " and ".join(store.config.objectives)


def members(a: Mapping[str, Seen], b: Mapping[str, Seen]) -> list[Member]:
    """The members of two fronts, by score, then latency: in ``a``, where it is known there.

    Along a front both grow; and of two devices, scores alone can be put into one order.
    """
    found = [
        Member(text, a.get(text), b.get(text))
        for text in {**a, **b}
        if any(run[text].on_front for run in (a, b) if text in run)
    ]

    def place(member: Member) -> tuple[float, float, str]:
        seen = member.a or member.b or Seen(0.0, 0.0, False)
        return seen.score, seen.latency_ms, member.architecture

    return sorted(found, key=place)


def volumes(a: Mapping[str, Seen], b: Mapping[str, Seen]) -> tuple[float, float]:
    """The hypervolume of each front within the ranges of all that can run; 0 for an empty one."""
    everything = [s for seen in (a, b) for s in seen.values() if all(map(isfinite, s.place))]
    if not everything:
        return 0.0, 0.0

    def points(seen: Iterable[Seen]) -> Floats:
        both = list(seen)
        return minimised(*zip(*(s.place for s in both), strict=True)) if both else np.zeros((0, 2))

    box = points(everything).min(axis=0), points(everything).max(axis=0)

    def volume(seen: Mapping[str, Seen]) -> float:
        return hypervolume(points(s for s in seen.values() if s.on_front), box)

    return volume(a), volume(b)


def seen_by(store: RunStore) -> dict[str, Seen]:
    """Everything that a run has evaluated, by architecture."""
    archive = archive_of(store)
    front = {evaluation.id for evaluation in archive.union()}

    def seen(evaluation: Evaluation) -> Seen:
        on_front = evaluation.id in front
        if archive.objectives == DEFAULT:
            return Seen(evaluation.latency_ms, evaluation.score, on_front)
        costs = tuple(cost.of(evaluation) for cost in archive.objectives.costs)
        return Seen(evaluation.latency_ms, evaluation.score, on_front, costs)

    return {e.candidate.architecture: seen(e) for e in archive.evaluations}


# -- rules and directives ------------------------------------------------------------


def claim_changes(a: Sequence[Rule], b: Sequence[Rule]) -> list[ClaimChange]:
    """Claims that only one run knows, or of which verdict or evidence differ; in the order of ``a``.

    A claim is the same whatever device or data set it is about.
    """
    one, other = {_claim(r): r for r in a}, {_claim(r): r for r in b}
    changes = []
    for claim in {**one, **other}:
        rule = one.get(claim) or other[claim]
        there, here = _verdict(one.get(claim)), _verdict(other.get(claim))
        if there != here:
            changes.append(ClaimChange(claim[0], rule.scope.niche, rule.text, there, here))
    return changes


def _claim(rule: Rule) -> tuple[str, int | None]:
    return f"{rule.predicate} {rule.polarity} {rule.metric}", rule.scope.niche


def _verdict(rule: Rule | None) -> Verdict | None:
    if rule is None:
        return None
    return Verdict(
        rule.id, rule.status, rule.measured, rule.error, rule.support, rule.contradictions
    )


def _own_rules(store: RunStore) -> list[Rule]:
    """Without those that a fork has left behind, which are about another device or data set."""
    own = store.config.device, store.sources().dataset
    return [rule for rule in store.rules() if (rule.scope.device, rule.scope.dataset) == own]


Given = tuple[str, str, str]  # command, author, status


def asked_differently(a: Sequence[Given], b: Sequence[Given]) -> list[Asked]:
    """Directives that were given in one run alone, or that stand differently, in their order."""
    one, other = _numbered(a), _numbered(b)
    return [
        Asked(key[0], key[1], one.get(key), other.get(key))
        for key in {**one, **other}
        if one.get(key) != other.get(key)
    ]


def _numbered(given: Sequence[Given]) -> dict[tuple[str, str, int], str]:
    """Statuses by command, author, and how often the same was asked before."""
    times: Counter[tuple[str, str]] = Counter()
    found = {}
    for *asked, status in given:
        key = asked[0], asked[1]
        found[*key, times[key]] = status
        times[key] += 1
    return found


def _asked(store: RunStore) -> list[Given]:
    return [(d.order.command, d.author, d.status) for d in store.directives()]


def _plain(value: Any) -> Any:
    if isinstance(value, dict):
        return {name: _plain(inner) for name, inner in value.items()}
    if isinstance(value, list | tuple):
        return [_plain(inner) for inner in value]
    return finite(value)
