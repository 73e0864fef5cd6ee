"""How the front grew with the evaluations spent on it."""

from collections.abc import Container, Sequence
from math import isfinite

import numpy as np
from numpy.typing import NDArray

from pelnas.architecture import Evaluation
from pelnas.pareto import hypervolume

CHECKPOINTS = 80  # points of the curve
Floats = NDArray[np.float64]
Ranges = tuple[tuple[float, float], tuple[float, float]]  # of latency in ms and of score


def growth(
    evaluations: Sequence[Evaluation],
    within: Ranges | None = None,
    excluded: Container[str] = (),
) -> tuple[list[int], list[float]]:
    """(evaluations, hypervolume of the front of the first so many), never falling.

    The last value is that of the front as it is shown: those in ``aside``, ids of
    candidates that break a directive, are counted and set ranges, and are on no front.

    Normalised by the ranges of all of them: a figure to watch a run by, not
    comparable between runs unless these are given the same ranges, ``within``.
    Empty without a feasible evaluation.
    """
    latency, score = _feasible(evaluations)
    bounds = within or ranges(evaluations)
    if bounds is None or not len(latency):
        return [], []
    steps = np.unique(np.linspace(1, len(latency), min(len(latency), CHECKPOINTS)).astype(int))
    standing = np.array([e.id not in excluded for e in evaluations])[_usable(evaluations)]

    def volume(first: int) -> float:
        kept = standing[:first]
        return hypervolume(latency[:first][kept], score[:first][kept], *bounds)

    return steps.tolist(), [volume(step) for step in steps]


def ranges(evaluations: Sequence[Evaluation]) -> Ranges | None:
    """Least and greatest latency and score; ``None`` without a feasible evaluation."""
    latency, score = _feasible(evaluations)
    if not len(latency):
        return None
    return (
        (float(latency.min()), float(latency.max())),
        (float(score.min()), float(score.max())),
    )


def _feasible(evaluations: Sequence[Evaluation]) -> tuple[Floats, Floats]:
    usable = _usable(evaluations)
    latency = np.array([e.latency_ms for e in evaluations])
    score = np.array([e.score for e in evaluations])
    return latency[usable], score[usable]


def _usable(evaluations: Sequence[Evaluation]) -> NDArray[np.bool_]:
    return np.array([isfinite(e.latency_ms) and isfinite(e.score) for e in evaluations], dtype=bool)
