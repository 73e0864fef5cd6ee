"""Why an architecture is on a run's front, or why not, from the run's own data."""

from dataclasses import asdict
from math import isfinite

from pelnas.architecture import Evaluation
from pelnas.objectives import CostMetric
from pelnas.pareto import non_dominated
from pelnas.store import RunStore
from pelnas.tools.answers import nearest_of
from pelnas.tools.run_view import Findings, Subject
from pelnas.tools.shapes import Birth, Explanation, Row, Standing
from pelnas.tools.what_if import one_change
from pelnas.traces.lineage import story_of_candidate

SHOWN = 5  # dominators that a sentence names
NEIGHBOURS = 3


def explain(store: RunStore, named: str) -> Explanation:
    """Everything that the run can say of an architecture: by candidate id, text or index.

    ``rank``: 1 on the front, 2 on the front behind it, ...; ``None`` where it has no
    place (not evaluated, infeasible, held back by a directive). ``why``: one
    sentence with the ids it rests on. ``dominators``: evaluations at least as fast
    and as good, the best first. ``proxies``: with the percentage of the run's
    evaluations that have less. ``changes``: see ``one_change``.
    RunError: no such candidate. ArchitectureError: no architecture of the space.
    """
    findings = Findings(store)
    subject = findings.find(named)
    sources = store.sources()
    return {
        "run": store.name,
        "architecture": subject.text,
        "index": findings.space.index(subject.architecture),
        "operations": findings.space.explain(subject.architecture),
        "id": subject.candidate.id if subject.candidate else None,
        "evaluation": findings.brief(subject.evaluation) if subject.evaluation else None,
        "sources": {"score": sources.accuracy, "latency": sources.latency, "unit": sources.unit},
        **_standing(findings, subject),
        "neighbours": nearest_of(findings, subject, NEIGHBOURS),
        **one_change(findings, subject),
        "proxies": _proxies(findings, subject.evaluation),
        **_birth(findings, subject),
    }


def _standing(findings: Findings, subject: Subject) -> Standing:
    own = subject.evaluation
    standing = [e for e in findings.evaluations if e.id not in findings.excluded]
    above = [
        e for e in standing if own and own.cost.feasible and findings.objectives.dominates(e, own)
    ]
    above.sort(key=lambda e: (-e.score, e.latency_ms))
    refusals = [
        {"round": round_, "niche": niche} | asdict(refusal)
        for round_, niche, refusal in findings.store.refusals()
        if refusal.architecture == subject.text
    ]
    return {
        "on_front": own is not None and own.id in findings.on_front,
        "rank": _rank(findings, standing, own),
        "dominators": [findings.brief(e) for e in above],
        "dominates": [e.id for e in standing if own and findings.objectives.dominates(own, e)],
        "refusals": refusals,
        "why": _why(findings, subject, above, refusals),
    }


def _rank(findings: Findings, standing: list[Evaluation], own: Evaluation | None) -> int | None:
    """The number of the front that it stands on."""
    left, rank = standing, 0
    while own in left:
        rank += 1
        mask = non_dominated(findings.objectives.points(left))
        if not mask.any():
            return None
        if any(e is own for e, kept in zip(left, mask, strict=True) if kept):
            return rank
        left = [e for e, kept in zip(left, mask, strict=True) if not kept]
    return None


def _why(findings: Findings, subject: Subject, above: list[Evaluation], refusals: list[Row]) -> str:
    own = subject.evaluation
    if own is None:
        return _why_unknown(subject, refusals)
    if own.id in findings.on_front:
        count = len(findings.evaluations)
        if len(findings.objectives.costs) > 1:
            goods = f"as good in {', '.join(findings.objectives.metrics)} together"
            return f"{own.id} is on the front: of {count} evaluations none is {goods}"
        return f"{own.id} is on the front: of {count} evaluations none is as fast and as good"
    if not own.cost.feasible:
        return f"{own.id} is not on the front: the device cannot run it"
    if own.id in findings.excluded:
        directive, asks = findings.excluded[own.id]
        return f"{own.id} is not on the front: {directive} asks to {asks}"
    if not above:
        equal = next(
            (
                e.id
                for e in findings.front
                if findings.objectives.point(e) == findings.objectives.point(own)
            ),
            "another",
        )
        return f"{own.id} is not on the front: {equal} is equally fast and good, and came first"
    return _why_dominated(own, above, findings.objectives.first)


def _why_unknown(subject: Subject, refusals: list[Row]) -> str:
    if subject.candidate is not None:
        return f"{subject.candidate.id} is not on the front: it is not evaluated yet"
    if refusals:
        last = refusals[-1]
        place = f"round {last['round']}, niche {last['niche']}"
        by = f" by {last['directive']}" if last["directive"] else ""
        return f"it is not on the front: it was refused{by} in {place}: {last['reason']}"
    return "it is not on the front: nobody has proposed it in this run"


def _why_dominated(own: Evaluation, above: list[Evaluation], cost: CostMetric) -> str:
    best = above[0]
    more = f" and {len(above) - SHOWN} more" if len(above) > SHOWN else ""
    named = ", ".join(e.id for e in above[:SHOWN])
    gap, spread = best.score - own.score, own.prediction.uncertainty
    doubt = "; that is within its uncertainty" if 0 < gap <= spread else ""
    saved = f"{cost.of(own) - cost.of(best):.4g} {cost.unit or cost.name} less"
    return (
        f"{own.id} is not on the front: {named}{more} dominate it; {best.id} has {gap:.4g} more"
        f" score at {saved}{doubt}"
    )


def _proxies(findings: Findings, own: Evaluation | None) -> list[Row]:
    """Each proxy with the percentage of evaluations that have less, ties counted half."""
    rows = []
    for name, value in (own.prediction.proxies if own else {}).items():
        told = (e.prediction.proxies.get(name) for e in findings.evaluations)
        known = [other for other in told if other is not None and isfinite(other)]
        less = sum((o < value) + 0.5 * (o == value) for o in known)
        percentile = 100 * less / len(known) if known and isfinite(value) else None
        rows.append({"name": name, "value": value, "percentile": percentile, "of": len(known)})
    return rows


def _birth(findings: Findings, subject: Subject) -> Birth:
    """Who designed it, from what, in which call, and under which rules."""
    if subject.candidate is None:
        return {"born": None, "call": None, "rules": []}
    story = story_of_candidate(findings.store, subject.candidate.id)
    features = findings.space.features(subject.architecture)
    rules: list[Row] = [
        rule.to_dict()
        | {
            "predicate": str(rule.now.predicate),
            "claims": f"{rule.now.polarity} {rule.now.metric}",
            "satisfied": rule.now.predicate.holds(features),
            "evidence": list(rule.now.evidence),
        }
        for rule in story.rules
    ]
    call = story.call
    told = ("id", "round", "agent", "niche", "model", "answered_by", "outcome")
    return {
        "born": {"candidate": subject.candidate.id} | asdict(subject.candidate.design),
        "call": {name: getattr(call, name) for name in told} if call else None,
        "rules": rules,
    }
