"""How the front grew with the evaluations spent on it."""

from collections.abc import Container, Sequence

import numpy as np

from pelnas.architecture import Evaluation
from pelnas.objectives import DEFAULT, Objectives
from pelnas.pareto import Box, box_of, hypervolume

CHECKPOINTS = 80  # points of the curve


def growth(
    evaluations: Sequence[Evaluation],
    within: Box | None = None,
    excluded: Container[str] = (),
    objectives: Objectives = DEFAULT,
) -> tuple[list[int], list[float]]:
    """(evaluations, hypervolume of the front of the first so many), never falling.

    The last value is that of the front as it is shown: those in ``aside``, ids of
    candidates that break a directive, are counted and set ranges, and are on no front.

    Normalised by the ranges of all of them: a figure to watch a run by, not
    comparable between runs unless these are given the same ranges, ``within``.
    Empty without a feasible evaluation.
    """
    points = objectives.points(evaluations)
    usable = np.isfinite(points).all(axis=1)
    points, box = points[usable], within or box_of(points)
    if box is None or not len(points):
        return [], []
    steps = np.unique(np.linspace(1, len(points), min(len(points), CHECKPOINTS)).astype(int))
    standing = np.array([e.id not in excluded for e in evaluations])[usable]

    def volume(first: int) -> float:
        return hypervolume(points[:first][standing[:first]], box)

    return steps.tolist(), [volume(step) for step in steps]
