"""What people ask of a run, answered from its store: plain values with the ids that they rest on.

Rounds and niches count from 0. Scores: higher is better, in the run's own unit;
latency in ms, lower is better. A run may be asked while its search writes to it.
"""

from collections.abc import Mapping, Sequence
from dataclasses import asdict
from math import hypot, isfinite

import numpy as np

from pelnas.architecture import Candidate, Evaluation
from pelnas.calls.usage import flat
from pelnas.directives import Directives
from pelnas.errors import InputError, RunError
from pelnas.objectives import DEFAULT, Objectives
from pelnas.report import front_points, niche_rows
from pelnas.store import RunStore
from pelnas.store.folder import in_use
from pelnas.tools.run_view import Findings, Subject, minus
from pelnas.tools.shapes import (
    Afford,
    Brief,
    Comparison,
    Differences,
    Neighbour,
    Row,
    Status,
    Tried,
)


def status(store: RunStore) -> Status:
    """How a run stands: its state, rounds, best finds, spend, and the directives given."""
    front, given = front_points(store), store.directives()
    directives = Directives(given)
    pause = directives.pause
    best = max(front, key=lambda point: point.score, default=None)
    fastest = min(front, key=lambda point: point.latency_ms, default=None)
    begun, _ = store.designed()
    origin = store.origin()
    return {
        "run": store.name,
        "state": _state(store, pause is not None),
        "reason": store.reason,
        "paused_by": pause.id if pause else None,
        "rounds_begun": begun,
        "rounds": directives.applied(store.config).rounds,
        "unit": store.sources().unit,
        "on_front": len(front),
        "best": {"id": best.id, "score": best.score} if best else None,
        "fastest": {"id": fastest.id, "latency_ms": fastest.latency_ms} if fastest else None,
        "spent": asdict(store.spent()),
        "forked_from": origin.in_words() if origin else None,
        "directives": [
            {"id": d.id, "asks": d.order.say(), "author": d.author, "status": d.status}
            for d in given
        ],
    }


def front(store: RunStore) -> list[Row]:
    """The answer of the run by latency, each point with its id and the rules its designer saw."""
    return [point.to_dict() for point in front_points(store)]


def compare(store: RunStore, first: str, second: str) -> Comparison:
    """Two architectures side by side: what differs, and which of them dominates.

    Differences are the second minus the first, ``None`` where one is not evaluated;
    ``within_uncertainty``: the scores differ by less than their uncertainties together.
    RunError, ArchitectureError: see ``Findings.find``.
    """
    findings = Findings(store)
    a, b = findings.find(first), findings.find(second)
    return {
        "first": _shown(findings, a),
        "second": _shown(findings, b),
        "changed": findings.changed(a.architecture, b.architecture),
        **_differences(findings.objectives, a.evaluation, b.evaluation),
    }


def niches(store: RunStore) -> list[Row]:
    """Every niche with its counts and the ids of its points on the front."""
    points = front_points(store)
    return [
        row.to_dict() | {"front": [point.id for point in points if point.niche == row.niche]}
        for row in niche_rows(store)
    ]


def rules(store: RunStore, every: bool = False) -> list[Row]:
    """The rules in force (or ``every`` one) with measured effect and the candidates behind it."""
    taken = Directives(store.directives()).retired_rules
    return [
        rule.to_dict() | {"retired_by": taken.get(rule.id)}
        for rule in store.rules()
        if every or (rule.status == "in-force" and rule.id not in taken)
    ]


def tried(store: RunStore, niche: int) -> Tried:
    """What was planned, designed and refused in a niche. InputError: there is no such niche."""
    rows = niches(store)
    if not 0 <= niche < len(rows):
        raise InputError(
            f"run {store.name} has niches 0 to {len(rows) - 1}, found {niche}: give one of these"
        )
    findings = Findings(store)
    return {
        "niche": rows[niche],
        "plans": [{"round": r} | asdict(e) for r, e in store.plans() if e.niche == niche],
        "designs": [_designed(findings, c) for c in store.candidates(niche=niche)],
        "refusals": [{"round": r} | asdict(x) for r, n, x in store.refusals() if n == niche],
    }


def nearest(store: RunStore, named: str, limit: int = 3) -> list[Neighbour]:
    """The points of the front nearest to an architecture, without itself.

    By latency where it is known, else by how many operations differ; with other objectives by
    all costs together, each relative to the extent of the front in it.
    RunError, ArchitectureError: see ``Findings.find``.
    """
    findings = Findings(store)
    return nearest_of(findings, findings.find(named), limit)


def nearest_of(findings: Findings, subject: Subject, limit: int) -> list[Neighbour]:
    """The same over what was read already."""
    own = subject.evaluation
    rows: list[Neighbour] = []
    for point in findings.front:
        if point.candidate.architecture == subject.text:
            continue
        there = findings.space.read(point.candidate.architecture)
        known = own is not None and own.cost.feasible
        row: Neighbour = {
            **findings.brief(point),
            "changed": findings.changed(subject.architecture, there),
            "score_difference": point.score - own.score if own else None,
            "latency_difference_ms": point.latency_ms - own.latency_ms if known and own else None,
            "cost_differences": _cost_differences(findings.objectives, own, point),
        }
        if findings.objectives == DEFAULT:
            del row["cost_differences"]  # latency says it already
        rows.append(row)
    spans = _spans(findings.objectives, findings.front)
    return sorted(rows, key=lambda row: _distance(row, spans))[:limit]


def afford(store: RunStore, latency_ms: float) -> Afford:
    """What a latency budget costs in accuracy: the best within it beside the best of all.

    ``score_lost``: how much score the budget costs; ``None`` where nothing found is
    within it; ``next``: the first point beyond. InputError: no finite number.
    """
    if not isfinite(latency_ms):
        raise InputError(f"expected a latency in ms, found {latency_ms}: give a number such as 4")
    findings = Findings(store)
    within = [e for e in findings.front if e.latency_ms <= latency_ms]
    beyond = [e for e in findings.front if e.latency_ms > latency_ms]
    most = max(within, key=lambda e: e.score, default=None)
    best = max(findings.front, key=lambda e: e.score, default=None)
    further = min(beyond, key=lambda e: e.latency_ms, default=None)
    return {
        "latency_ms": latency_ms,
        "unit": store.sources().unit,
        "within": findings.brief(most) if most else None,
        "best": findings.brief(best) if best else None,
        "next": findings.brief(further) if further else None,
        "score_lost": best.score - most.score if best and most else None,
    }


def call(store: RunStore, id_: str) -> Row:
    """A model call with its prompt, answer and cost. RunError: the run has none of this id."""
    found = store.call(id_)
    if found is None:
        raise RunError(
            f"run {store.name} has no call {id_[:40]!r}: ids look like r3.designer.n2.a0 and stand"
            " in what explains an architecture (/why) or was tried in a niche (/niche)"
        )
    return flat(found)


def _state(store: RunStore, paused: bool) -> str:
    if store.status == "finished":
        return "finished"
    if not in_use(store.folder):
        return "stopped"
    return "paused" if paused else "running"


def _shown(findings: Findings, subject: Subject) -> Brief:
    if subject.evaluation:
        return findings.brief(subject.evaluation)
    return {"id": subject.candidate.id if subject.candidate else None, "architecture": subject.text}


def _differences(objectives: Objectives, a: Evaluation | None, b: Evaluation | None) -> Differences:
    if a is None or b is None or not (a.cost.feasible and b.cost.feasible):
        return {
            "score_difference": None,
            "latency_difference_ms": None,
            "within_uncertainty": None,
            "dominates": None,
        }
    gap = b.score - a.score
    first, second = objectives.dominates(a, b), objectives.dominates(b, a)
    found: Differences = {
        "score_difference": gap,
        "latency_difference_ms": b.latency_ms - a.latency_ms,
        "within_uncertainty": abs(gap) < hypot(a.prediction.uncertainty, b.prediction.uncertainty),
        "dominates": a.id if first else b.id if second else None,
    }
    if objectives != DEFAULT:
        found["cost_differences"] = _cost_differences(objectives, a, b)
    return found


def _designed(findings: Findings, candidate: Candidate) -> Row:
    """A design with what became of it."""
    evaluation, design = findings.by_id.get(candidate.id), candidate.design
    found = findings.brief(evaluation) if evaluation else {"id": candidate.id}
    evaluated = evaluation is not None
    return {**found, **asdict(design), "round": candidate.round, "evaluated": evaluated}


def _cost_differences(
    objectives: Objectives, a: Evaluation | None, b: Evaluation | None
) -> dict[str, float | None]:
    """The second minus the first, by cost."""
    one, other = objectives.named(a), objectives.named(b)
    return {name: minus(other[name], one[name]) for name in one}


def _spans(objectives: Objectives, front: Sequence[Evaluation]) -> Mapping[str, float]:
    """How far the front reaches in each cost."""
    if not front:
        return {}
    costs = objectives.points(front)[:, :-1]
    return dict(zip(objectives.names, np.ptp(costs, axis=0).tolist(), strict=True))


def _distance(row: Neighbour, spans: Mapping[str, float]) -> tuple[float, int, float]:
    """By latency; with other objectives by all costs, each in shares of the front's extent."""
    latency = row["latency_difference_ms"]
    found = 0.0 if latency is None else abs(latency)
    if "cost_differences" in row:
        shares = [
            abs(difference) / (spans[name] or 1.0)
            for name, difference in row["cost_differences"].items()
            if difference is not None
        ]
        found = hypot(*shares)
    return (found, len(row["changed"]), row["latency_ms"] or 0.0)
