"""Evaluate candidates: the accuracy of each, then its cost, recorded as they arrive."""

from collections.abc import Sequence

from pelnas.architecture import Candidate
from pelnas.directives import Boundary
from pelnas.graph.session.session import Session


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
    evaluator = session.problem.evaluator
    with session.tracer.tool("score", "score_architecture", len(waiting)):
        texts = [candidate.architecture for candidate in waiting]
        predictions = evaluator.predict(texts) if texts else ()  # none: a kill came at the end
        for candidate, prediction in zip(waiting, predictions, strict=True):
            parameters, flops = evaluator.sizes(candidate.architecture)
            with session.store.together():  # so that each is told once, as it is scored once
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


def _cost(session: Session, waiting: Sequence[Candidate], at: Boundary) -> bool:
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
                )
            session.step(at.round, at.node)
            if session.meter.minutes_left() == 0:
                return False
    return True
