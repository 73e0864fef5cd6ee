"""Evaluate candidates: the accuracy of each, then its cost, recorded as they arrive."""

import time
from collections.abc import Callable, Iterable, Iterator, Sequence
from contextlib import contextmanager
from functools import partial
from math import inf, isfinite
from typing import Any

from pelnas.architecture import Candidate, Cost, Evaluation, Prediction
from pelnas.directives import Boundary
from pelnas.graph.search.confirm import confirmed, confirms
from pelnas.graph.session.session import Session
from pelnas.objectives import DEFAULT, Objectives
from pelnas.store import RunStore

MOMENT = 0.1  # seconds
Record = Callable[[], None]


def evaluate_round(session: Session, round_: int) -> bool:
    """What the candidates of a round lack; False where a limit of time ended it early."""
    store = session.store
    unscored, uncosted = store.without_prediction(round_), store.without_cost(round_)
    return evaluate(session, unscored, uncosted, Boundary(round_, "evaluate"))


def score_ahead(session: Session, round_: int) -> None:
    """Have workers score the candidates of a round while something else goes on; nothing is recorded.

    Once in a process for each round; ``evaluate_round`` takes what was found, or what went wrong.
    """
    if session.is_first(f"scored ahead {round_}"):
        waiting = session.store.without_prediction(round_)
        session.problem.evaluator.begin([candidate.architecture for candidate in waiting])


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
        pairs = zip(waiting, predictions, strict=True)
        return _record_all(session, (partial(_record_prediction, session, *p) for p in pairs), at)


def evaluate_draft(session: Session, candidate: Candidate) -> Evaluation:
    """Score and cost a design of the step under way; what is recorded already is taken from there.

    One draft at a time in the whole run: a latency that is measured beside a computation is wrong.
    BudgetExhausted: in a replay, where time was up in the run that it repeats.
    """
    store, text, round_ = session.store, candidate.architecture, candidate.round
    with session.measuring():
        if candidate.id in {each.id for each in store.without_prediction(round_)}:
            _record_prediction(session, candidate, next(session.problem.evaluator.predict([text])))
        if candidate.id in {each.id for each in store.without_cost(round_)}:
            _record_cost(session, candidate, next(session.costs([text])))
    return store.evaluation(candidate.id)


def _record_prediction(session: Session, candidate: Candidate, prediction: Prediction) -> None:
    evaluator, counts = session.problem.evaluator, session.config.counts_footprint
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


def _record_cost(session: Session, candidate: Candidate, cost: Cost) -> None:
    objectives = Objectives.of(session.config.objectives)
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


def _other_costs(session: Session, candidate: Candidate, objectives: Objectives) -> dict[str, Any]:
    """The costs of a candidate for whoever watches, where latency alone does not say them."""
    if objectives == DEFAULT:
        return {}
    evaluation = session.store.evaluation(candidate.id)
    values = [cost.of(evaluation) for cost in objectives.costs]
    return {"costs": [value if isfinite(value) else None for value in values]}


def _cost(session: Session, waiting: Sequence[Candidate], at: Boundary) -> bool:
    with session.tracer.tool("latency", "lookup_latency", len(waiting)):
        costs = session.costs([candidate.architecture for candidate in waiting])
        if waiting and confirms(session):
            return _cost_confirmed(session, waiting, costs, at)
        pairs = zip(waiting, costs, strict=True)
        return _record_all(session, (partial(_record_cost, session, *pair) for pair in pairs), at)


def _cost_confirmed(
    session: Session, waiting: Sequence[Candidate], costs: Iterable[Cost], at: Boundary
) -> bool:
    """Record what was measured until a limit of time, all at once: each has been compared with all."""
    found = []
    for cost in costs:  # the device keeps them, should the run be stopped in between
        found.append(cost)
        session.step(at.round, at.node)
        if session.meter.minutes_left() == 0:
            break
    measured = waiting[: len(found)]
    settled = confirmed(session, measured, found)
    with session.store.together():
        for pair in zip(measured, settled, strict=True):
            _record_cost(session, *pair)
    session.step(at.round, at.node)
    return len(found) == len(waiting) and session.meter.minutes_left() != 0


def _record_all(session: Session, records: Iterable[Record], at: Boundary) -> bool:
    """Record what comes, as it comes; False where a limit of time ended it early."""
    with _grouped(session.store) as store:
        for record in records:
            if store(record):
                session.step(at.round, at.node)
                if session.meter.minutes_left() == 0:
                    return False
    return True


@contextmanager
def _grouped(store: RunStore) -> Iterator[Callable[[Record], bool]]:
    """One transaction for all records that come within a moment of the one before.

    Each transaction waits for the disk, and tables answer a thousand times as fast. What is
    yielded answers whether a record is stored, with those before it; at the end all are.
    """
    waiting: list[Record] = []
    stored = -inf

    def flush() -> None:
        nonlocal stored
        records = waiting.copy()
        waiting.clear()
        with store.together():
            for record in records:
                record()
        stored = time.monotonic()

    def add(record: Record) -> bool:
        waiting.append(record)
        if time.monotonic() - stored < MOMENT:
            return False
        flush()
        return True

    try:
        yield add
    finally:
        if waiting:
            flush()
