"""How the front grew with the evaluations spent on it."""

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

from pelnas.architecture import Evaluation
from pelnas.pareto import hypervolume

CHECKPOINTS = 80  # points of the curve
Floats = NDArray[np.float64]
Ranges = tuple[tuple[float, float], tuple[float, float]]  # of latency in ms and of score


def growth(
    evaluations: Sequence[Evaluation], within: Ranges | None = None
) -> tuple[list[int], list[float]]:
    """(evaluations, hypervolume of the front of the first so many), never falling.

    Normalised by the ranges of all of them: a figure to watch a run by, not
    comparable between runs unless these are given the same ranges, ``within``.
    Empty without a feasible evaluation.
    """
    latency, score = _feasible(evaluations)
    bounds = within or ranges(evaluations)
    if bounds is None or not len(latency):
        return [], []
    steps = np.unique(np.linspace(1, len(latency), min(len(latency), CHECKPOINTS)).astype(int))
    return steps.tolist(), [hypervolume(latency[:n], score[:n], *bounds) for n in steps]


def ranges(evaluations: Sequence[Evaluation]) -> Ranges | None:
    """Least and greatest latency and score; ``None`` without a feasible evaluation."""
    latency, score = _feasible(evaluations)
    if not len(latency):
        return None
    return (
        (float(latency.min()), float(latency.max())),
        (float(score.min()), float(score.max())),
    )


def final_hypervolume(evaluations: Sequence[Evaluation]) -> float:
    """The last value of ``growth``; 0 without a feasible evaluation."""
    _, values = growth(evaluations)
    return values[-1] if values else 0.0


def _feasible(evaluations: Sequence[Evaluation]) -> tuple[Floats, Floats]:
    latency = np.array([e.latency_ms for e in evaluations])
    score = np.array([e.score for e in evaluations])
    usable = np.isfinite(latency) & np.isfinite(score)
    return latency[usable], score[usable]
