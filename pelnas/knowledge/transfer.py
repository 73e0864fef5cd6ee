"""Which rules of earlier runs may hold here, and how strongly: claims for the verdicts to test.

Of each predicate and metric the effects that runs found are averaged, each run weighing as much as
its place is like this one: by the device for costs, by the data set for accuracy. Pure.
"""

from collections import defaultdict
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from math import exp, isfinite

from pelnas.inputs.quantities import Metric
from pelnas.knowledge.base import Entry, Near
from pelnas.knowledge.place import Place
from pelnas.predicate import Predicate
from pelnas.rules.rule import Rule, Scope, propose

MOST = 8  # claims for each metric and niche, and as many for every niche
REACH = 0.1  # of dissimilarity, 1 - correlation, at which a run weighs 1/e
LEAST = 0.05  # weight below which a run says nothing
UNKNOWN = 0.5  # weight of a data set of another name whose proxies are unknown
DEVICELESS: tuple[Metric, ...] = ("accuracy", "memory", "size")  # hold on every device
NAMED = 3  # places that the origin of a claim names
EVERY = ""  # the label of a rule about every niche


@dataclass(frozen=True, slots=True)
class Claim:
    """What runs elsewhere let expect here. ``rule``: to be tested; its ``claimed`` is the effect.

    ``weight``: how much stands behind it: the sum over runs, 1 for a run at an equal place.
    """

    rule: Rule
    weight: float

    @property
    def strength(self) -> float:
        """By which claims are chosen: the effect, less where little stands behind it."""
        return self.rule.claimed * self.weight / (1 + self.weight)


def weight_of(metric: Metric, near: Near, place: Place) -> float:
    """How much a run's rules about a metric count at a place, 0 to 1."""
    if metric == "accuracy":
        alike = near.dataset_similarity
        if alike is None:
            return 1.0 if near.dataset == place.dataset else UNKNOWN
    elif metric in DEVICELESS:
        return 1.0
    else:
        alike = near.device_similarity
        if alike is None:
            return 0.0
    return exp(-(1 - min(alike, 1.0)) / REACH)


def claims(
    entries: Sequence[Entry],
    near: Sequence[Near],
    place: Place,
    niches: Sequence[str],
    known: frozenset[str],
    metrics: Sequence[Metric],
) -> list[Claim]:
    """At most ``MOST`` claims for each metric and niche, the strongest first.

    ``niches``: labels here; a rule about a niche of another label is left out. ``known``: the
    features of the space; a rule that names others is left out, too.
    """
    runs = {each.run: each for each in near}
    labels = {label: index for index, label in enumerate(niches)}
    scope = Scope(place.space, place.device, place.dataset)
    found: dict[tuple[Metric, int | None, Predicate], list[tuple[float, Entry]]] = defaultdict(list)
    for entry in entries:
        rule, run = entry.rule, runs.get(entry.run)
        if run is None or rule.metric not in metrics or not _usable(rule, known):
            continue
        if entry.niche != EVERY and entry.niche not in labels:
            continue
        weight = weight_of(rule.metric, run, place)
        if weight >= LEAST:
            found[rule.metric, labels.get(entry.niche), rule.predicate].append((weight, entry))
    groups: dict[tuple[Metric, int | None], list[Claim]] = defaultdict(list)
    for (metric, niche, _), said in found.items():
        groups[metric, niche].append(_claim(said, Scope(*_of(scope), niche)))
    chosen = [
        claim
        for each in groups.values()
        for claim in sorted(each, key=lambda c: (-c.strength, c.rule.id))[:MOST]
    ]
    return sorted(chosen, key=lambda c: (-c.strength, c.rule.id))


def _of(scope: Scope) -> tuple[str, str, str]:
    return scope.space, scope.device, scope.dataset


def _usable(rule: Rule, known: frozenset[str]) -> bool:
    return (
        rule.measured is not None
        and isfinite(rule.measured)
        and abs(rule.measured) <= 1
        and bool(rule.predicate.conditions)
        and all(c.feature in known and isfinite(c.value) for c in rule.predicate.conditions)
    )


def _claim(said: Sequence[tuple[float, Entry]], scope: Scope) -> Claim:
    """What several runs found of one predicate, as one claim."""
    whole = sum(weight for weight, _ in said)
    effect = sum(weight * entry.rule.signed_effect for weight, entry in said) / whole
    _, first = max(said, key=lambda each: (each[0], abs(each[1].rule.signed_effect), each[1].id))
    rule = first.rule
    places: Mapping[str, None] = dict.fromkeys(
        f"{entry.rule.scope.device}, {entry.rule.scope.dataset}"
        for _, entry in sorted(said, key=lambda each: -each[0])
    )
    others = f" and {len(places) - NAMED} more" if len(places) > NAMED else ""
    origin = f"in force for {'; '.join(list(places)[:NAMED])}{others}: {effect:+.2f} expected here"
    claim = propose(
        rule.text if rule.signed_effect * effect > 0 else str(rule.predicate),
        "helps" if effect > 0 else "hurts",
        rule.metric,
        rule.predicate,
        scope,
        claimed=abs(effect),
        author=rule.author,
        origin=origin,
    )
    return Claim(claim, whole)
