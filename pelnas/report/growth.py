"""How the front grew with the evaluations spent on it."""

from collections.abc import Sequence

import numpy as np

from pelnas.architecture import Evaluation
from pelnas.pareto import hypervolume

CHECKPOINTS = 80  # points of the curve


def growth(evaluations: Sequence[Evaluation]) -> tuple[list[int], list[float]]:
    """(evaluations, hypervolume of the front of the first so many), never falling.

    Normalised by the ranges of all of them: a figure to watch a run by, not
    comparable between runs. Empty without a feasible evaluation.
    """
    latency = np.array([e.latency_ms for e in evaluations])
    score = np.array([e.score for e in evaluations])
    usable = np.isfinite(latency) & np.isfinite(score)
    latency, score = latency[usable], score[usable]
    if not len(latency):
        return [], []
    ranges = (latency.min(), latency.max()), (score.min(), score.max())
    steps = np.unique(np.linspace(1, len(latency), min(len(latency), CHECKPOINTS)).astype(int))
    return steps.tolist(), [hypervolume(latency[:n], score[:n], *ranges) for n in steps]


def final_hypervolume(evaluations: Sequence[Evaluation]) -> float:
    """The last value of ``growth``; 0 without a feasible evaluation."""
    _, values = growth(evaluations)
    return values[-1] if values else 0.0
