"""Rules measured on all evaluations so far, and the verdict that follows for each.

``pelnas.rules.evidence`` holds the formula. Verdicts, by the measured effect e (positive: the
claim is right) and its error s:

- ``proposed``: fewer than 5 holders or 5 others in niches that have both;
- ``retired``: e <= 0, or e + 2 s < 0.1 (no effect worth a rule is left);
- ``in-force``: e >= 0.1 and e > 3 s; once in force, e > 2 s keeps it there;
- ``weakened``: anything between: the sign is right, the rest is not sure.

Many claims are tested. Three errors let through 0.135 % of the false claims
that were made blindly, so that some hundreds of them a run leave less than one
false rule; claims that were picked because the data showed them have to meet a
stricter bound, see ``candidate_rules``. Every verdict is taken again as
evaluations come in, and a retired rule may come back.
"""

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import replace
from typing import Any

import numpy as np

from pelnas.inputs.quantities import Metric
from pelnas.rules.evidence import Evidence, Observation
from pelnas.rules.rule import Rule, Scope, Status, propose
from pelnas.rules.screening import in_words, screen

MIN_HOLDERS = 5  # fewer architectures on either side are anecdotes
MIN_EFFECT = 0.1  # Cliff's delta: 55 of 100 pairs decided the right way; 0.147 is "small"
ENTER = 3.0  # standard errors to come into force: 0.135 % of false claims pass
STAY = 2.0  # standard errors to stay there, so that verdicts do not flicker
EVIDENCE_LIMIT = 20  # ids kept with a rule; the counts are over all


def measure(rule: Rule, observations: Sequence[Observation]) -> Rule:
    """The rule with its effect, evidence and verdict on these observations; nothing else counts.

    The order of observations makes no difference. All of them are taken to be
    of the rule's space, device and dataset; its niche is picked here.
    """
    (measured,) = measure_all([rule], Evidence(observations))
    return measured


def measure_all(rules: Iterable[Rule], evidence: Evidence) -> list[Rule]:
    """``measure`` for each rule; those of one niche and metric are measured together."""
    rules = list(rules)
    groups: dict[tuple[int | None, Metric], list[int]] = {}
    for place, rule in enumerate(rules):
        groups.setdefault((rule.scope.niche, rule.metric), []).append(place)
    measured: dict[int, Rule] = {}
    for (niche, metric), places in groups.items():
        alike = [rules[place] for place in places]
        if not evidence.measures(metric):  # of an earlier run with other objectives
            measured.update((place, rules[place]) for place in places)
            continue
        found = _measure(alike, evidence.within(niche), metric)
        measured.update(zip(places, found, strict=True))
    return [measured[place] for place in range(len(rules))]


def _measure(rules: Sequence[Rule], evidence: Evidence, metric: Metric) -> Iterator[Rule]:
    """Rules about one metric on the evidence of their niche."""
    holds = np.column_stack([evidence.holders(rule.predicate) for rule in rules])
    found = evidence.effects(holds, metric)
    other: Metric = "latency" if metric == "accuracy" else "accuracy"
    price = evidence.effects(holds, other).effect.tolist()
    better = (np.flatnonzero(evidence.side(metric) > 0), np.flatnonzero(evidence.side(metric) < 0))
    above, below = (holds[rows].sum(axis=0).tolist() for rows in better)
    telling = np.argsort(-evidence.distance(metric), kind="stable")  # by id where equally far
    for k, rule in enumerate(rules):
        helps = rule.polarity == "helps"
        most = telling[holds[telling, k]][:EVIDENCE_LIMIT]
        counted: dict[str, Any] = {
            "evidence": tuple(evidence.ids[row] for row in most),
            "support": above[k] if helps else below[k],
            "contradictions": below[k] if helps else above[k],
        }
        sides = int(found.holders[k]), int(found.others[k])
        effect = float(found.effect[k]) if helps else -float(found.effect[k])
        yield _judged(rule, counted, sides, effect, float(found.error[k]), price[k])


def _judged(
    rule: Rule,
    counted: dict[str, Any],
    sides: tuple[int, int],
    effect: float,
    error: float,
    price: float,
) -> Rule:
    held, rest = sides
    if min(held, rest) < MIN_HOLDERS:
        few = f"{held} that satisfy it and {rest} others to compare with, {MIN_HOLDERS} of each needed"
        return replace(
            rule,
            **counted,
            measured=None,
            error=None,
            side_effect=None,
            status="proposed",
            reason=few,
        )
    status, why = _verdict(effect, error, rule.status == "in-force")
    return replace(
        rule,
        **counted,
        measured=effect,
        error=error,
        side_effect=price,
        status=status,
        reason=f"{effect:+.2f}±{error:.2f} over {held} that satisfy it and {rest} others: {why}",
    )


def _verdict(effect: float, error: float, in_force: bool) -> tuple[Status, str]:
    if effect <= 0:
        return "retired", "the evidence points the other way"
    if effect + 2 * error < MIN_EFFECT:
        return "retired", f"an effect of {MIN_EFFECT:g} is ruled out"
    bound = STAY if in_force else ENTER
    if effect < MIN_EFFECT:
        return "weakened", f"the effect is below {MIN_EFFECT:g}"
    if effect > bound * error:
        return "in-force", f"the claim is right by more than {bound:g} errors"
    return "weakened", f"the claim is right by less than {bound:g} errors"


def candidate_rules(
    evidence: Evidence,
    feature_names: Iterable[str],
    scope: Scope,
    metric: Metric,
    limit: int,
    *,
    born: int = 0,
    author: str = "builtin:evolver",
    noun: str = "network",
) -> list[Rule]:
    """What the evaluations themselves suggest: at most ``limit`` claims, the surest first.

    Simple predicates are screened by their measured effect, see
    ``pelnas.rules.screening``; with evaluations that are pure noise, one screening in
    twenty at most yields anything. Deterministic, and indifferent to the order
    of observations and names. ``claimed`` is the effect found;
    ``noun``: what the text of a rule calls an architecture.
    """
    found = screen(evidence, feature_names, metric, scope.niche, limit)
    return [
        propose(
            in_words(finding, metric, noun),
            "helps" if finding.effect > 0 else "hurts",
            metric,
            finding.predicate,
            scope,
            claimed=abs(finding.effect),
            born=born,
            author=author,
        )
        for finding in found
    ]
