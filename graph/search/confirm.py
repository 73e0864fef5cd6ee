"""Latencies that would put a network on the front are measured again before they are recorded.

Of hundreds of networks that were each measured once, those come out in front that looked faster
than they are (the winner's curse). So their first measurement only says whose latency matters;
what is recorded of these is another one, made with more care. It may take a network off the front
and bring up one behind it, which is then measured again, too.
"""

from collections.abc import Sequence
from dataclasses import replace

import numpy as np

from pelnas.architecture import Candidate, Cost, Evaluation
from pelnas.graph.session.session import Session
from pelnas.objectives import Objectives
from pelnas.pareto import non_dominated


def confirms(session: Session) -> bool:
    """Whether latency is an objective, and the device can measure it again."""
    return session.problem.evaluator.device.confirms and "latency" in session.config.objectives


def confirmed(
    session: Session, candidates: Sequence[Candidate], costs: Sequence[Cost]
) -> list[Cost]:
    """The costs of these candidates, which have scores; until a limit of time is reached.

    What was measured for a directive stays: somebody has decided by it.
    """
    objectives = Objectives.of(session.config.objectives)
    front, held = session.archive().union(), _evaluations(session, candidates, costs)
    company = [each.candidate.architecture for each in front]
    final = {i for i, c in enumerate(candidates) if session.store.measured(c.architecture)}
    while session.meter.minutes_left() != 0:
        on_front = non_dominated(objectives.points([*front, *held]))[len(front) :]
        unsure = [int(i) for i in np.flatnonzero(on_front) if int(i) not in final]
        if not unsure:
            break
        texts = [candidates[i].architecture for i in unsure]
        found = session.problem.evaluator.confirm(texts, company)
        for i, cost in zip(unsure, found, strict=True):
            held[i] = replace(held[i], cost=cost)
        final.update(unsure)
        company = texts + company
    return [each.cost for each in held]


def _evaluations(
    session: Session, candidates: Sequence[Candidate], costs: Sequence[Cost]
) -> list[Evaluation]:
    """What these would be recorded as."""
    predictions = session.store.predictions()
    evaluator, counts = session.problem.evaluator, session.config.counts_footprint
    found = []
    for candidate, cost in zip(candidates, costs, strict=True):
        text = candidate.architecture
        counted = evaluator.footprint(text) if counts else None
        memory, size = (counted.memory, counted.size) if counted else (None, None)
        found.append(
            Evaluation(candidate, predictions[text], cost, *evaluator.sizes(text), memory, size)
        )
    return found
