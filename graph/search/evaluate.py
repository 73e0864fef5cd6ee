"""Evaluate candidates: the accuracy of each, then its cost, recorded as they arrive."""

from collections.abc import Sequence
from math import isfinite
from typing import Any

from pelnas.architecture import Candidate
from pelnas.directives import Boundary
from pelnas.graph.session.session import Session
from pelnas.objectives import DEFAULT, Objectives


def evaluate_round(session: Session, round_: int) -> bool:
    """What the candidates of a round lack; False where a limit of time ended it early."""
    store = session.store
    unscored, uncosted = store.without_prediction(round_), store.without_cost(round_)
    return evaluate(session, unscored, uncosted, Boundary(round_, "evaluate"))


def evaluate(
    session: Session, unscored: Sequence[Candidate], uncosted: Sequence[Candidate], at: Boundary
) -> bool:
    """Score these and cost those; between two of them the run is ``at`` this boundary.

    False where a limit of time ended it early.
    """
    return _predict(session, unscored, at) and _cost(session, uncosted, at)


def _predict(session: Session, waiting: Sequence[Candidate], at: Boundary) -> bool:
    evaluator, counts = session.problem.evaluator, session.config.counts_footprint
    with session.tracer.tool("score", "score_architecture", len(waiting)):
        texts = [candidate.architecture for candidate in waiting]
        predictions = evaluator.predict(texts) if texts else ()  # none: a kill came at the end
        for candidate, prediction in zip(waiting, predictions, strict=True):
            parameters, flops = evaluator.sizes(candidate.architecture)
            counted = evaluator.footprint(candidate.architecture) if counts else None
            with session.store.together():  # so that each is reported once, as it is scored once
                if counted is not None:
                    session.store.record_footprint(candidate.id, counted.memory, counted.size)
                session.store.record_prediction(candidate.id, prediction, parameters, flops)
                session.event(
                    "predicted",
                    round=candidate.round,
                    niche=candidate.niche,
                    candidate=candidate.id,
                    score=prediction.score,
                )
            session.step(at.round, at.node)
            if session.meter.minutes_left() == 0:
                return False
    return True


def _other_costs(session: Session, candidate: Candidate, objectives: Objectives) -> dict[str, Any]:
    """The costs of a candidate for whoever watches, where latency alone does not say them."""
    if objectives == DEFAULT:
        return {}
    evaluation = session.store.evaluation(candidate.id)
    values = [cost.of(evaluation) for cost in objectives.costs]
    return {"costs": [value if isfinite(value) else None for value in values]}


def _cost(session: Session, waiting: Sequence[Candidate], at: Boundary) -> bool:
    objectives = Objectives.of(session.config.objectives)
    with session.tracer.tool("latency", "lookup_latency", len(waiting)):
        costs = session.costs([candidate.architecture for candidate in waiting])
        for candidate, cost in zip(waiting, costs, strict=True):
            with session.store.together():
                session.store.record_cost(candidate.id, cost)
                session.event(
                    "evaluated",
                    round=candidate.round,
                    niche=candidate.niche,
                    candidate=candidate.id,
                    latency_ms=cost.latency_ms,
                    **_other_costs(session, candidate, objectives),
                )
            session.step(at.round, at.node)
            if session.meter.minutes_left() == 0:
                return False
    return True
