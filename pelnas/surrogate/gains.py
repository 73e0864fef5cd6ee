"""How much hypervolume each of many points adds to a front, while points are added to it.

All columns are minimised. Gains are shares of boxes, see ``gained``; those of several boxes are
added up.
"""

from abc import ABC, abstractmethod
from collections.abc import Sequence
from typing import Self

import numpy as np
from numpy.typing import NDArray

from pelnas.pareto import Box, non_dominated, normalised

Floats = NDArray[np.float64]
REFERENCE = 1.1  # of the hypervolume, in the box of the front


class Gains(ABC):
    """What m candidates would add to a front, in several draws of where they may lie.

    ``values`` (draws, m): higher is better.
    """

    values: Floats

    @classmethod
    def of(cls, front: Floats, drawn: Floats, boxes: Sequence[Box]) -> "Gains":
        """``front`` (n, k), non-dominated; ``drawn`` (draws, m, k); in all boxes together."""
        kind = GainsOnCurve if front.shape[1] == 2 else GainsInSpace
        return kind(front, drawn, boxes)

    @abstractmethod
    def choose(self, candidate: int) -> None:
        """Add this candidate to the front of each draw, where it lies there."""


class GainsOnCurve(Gains):
    """Of two columns: the front is a curve, and its gains are counted anew."""

    def __init__(self, front: Floats, drawn: Floats, boxes: Sequence[Box]) -> None:
        self._drawn, self._boxes = drawn, boxes
        self._held = [front] * len(drawn)
        self.values = np.array([self._gains(front, points) for points in drawn])

    def choose(self, candidate: int) -> None:
        for place, points in enumerate(self._drawn):
            held, point = self._held[place], points[candidate]
            if not (held <= point).all(axis=1).any():  # else it moves no front
                both = np.vstack([held, point])
                self._held[place] = both[non_dominated(both)]
                self.values[place] = self._gains(self._held[place], points)

    def _gains(self, front: Floats, points: Floats) -> Floats:
        gains: Floats = np.sum([gained(front, points, box) for box in self._boxes], axis=0)
        return gains


class GainsInSpace(Gains):
    """Of any number of columns: what is lost to a point that is added is taken off."""

    def __init__(self, front: Floats, drawn: Floats, boxes: Sequence[Box]) -> None:
        self._drawn = [normalised(drawn, box) for box in boxes]
        fronts = [normalised(front, box) for box in boxes]
        self._free = [[Undominated.by(each)] * len(drawn) for each in fronts]
        self.values = np.zeros(drawn.shape[:2])
        for placed, free in zip(self._drawn, self._free, strict=True):
            self.values += [
                space.volumes(points) for space, points in zip(free, placed, strict=True)
            ]

    def choose(self, candidate: int) -> None:
        for placed, free in zip(self._drawn, self._free, strict=True):
            for place, points in enumerate(placed):
                free[place], taken = free[place].without(points[candidate])
                self.values[place] -= taken.volumes(points)
        np.maximum(self.values, 0.0, out=self.values)  # of rounding


class Undominated:
    """The part of space that no point dominates, up to the reference, 1 in every column.

    As disjoint boxes: ``low`` and ``high`` (b, k). A point takes its share out of those that
    reach beyond it (Lacour, Klamroth & Fonseca, Computers & Operations Research 79, 2017, on
    such decompositions).
    """

    def __init__(self, low: Floats, high: Floats) -> None:
        self._low, self._high = low, high

    @classmethod
    def by(cls, front: Floats) -> Self:
        """What points (n, k) leave."""
        columns = front.shape[1]
        left = cls(np.full((1, columns), -np.inf), np.ones((1, columns)))
        for point in front[np.argsort(front.sum(axis=1), kind="stable")]:
            left, _ = left.without(point)
        return left

    def volumes(self, points: Floats) -> Floats:
        """Of what each of the points (m, k) dominates in here, (m,)."""
        shares = np.ones((len(points), len(self._low)))
        for low, high, column in zip(self._low.T, self._high.T, points.T, strict=True):
            shares *= np.maximum(high - np.maximum(low, column[:, None]), 0.0)
        volumes: Floats = shares.sum(axis=1)
        return volumes

    def without(self, point: Floats) -> tuple[Self, Self]:
        """What a point (k,) leaves of it, and what it takes."""
        hit = (self._high > point).all(axis=1)
        low, high = self._low[hit], self._high[hit]
        left = [(self._low[~hit], self._high[~hit])]
        for column, value in enumerate(point):
            beyond = low[:, column] < value
            end = high[beyond]
            end[:, column] = value
            left.append((low[beyond], end))
            low[:, column] = np.maximum(low[:, column], value)
        lows, highs = zip(*left, strict=True)
        return type(self)(np.vstack(lows), np.vstack(highs)), type(self)(low, high)


def around(front: Floats) -> Box:
    """The box of a front (n, k), all minimised, with the reference at ``REFERENCE``."""
    low, high = front.min(axis=0), front.max(axis=0)
    return low, low + REFERENCE * np.where(high > low, high - low, 1.0)


def gained(front: Floats, points: Floats, box: Box) -> Floats:
    """The hypervolume (m,) that each of m points alone adds to a front, as a share of a box.

    ``front`` (n, 2), non-dominated, and ``points`` (m, 2): all minimised. The far corner of the
    box is the reference; what is better than the near corner counts as far as it is better.
    """
    low, high = box
    width = np.where(high > low, high - low, 1.0)
    held, points = (front - low) / width, (points - low) / width
    held = np.minimum(held[np.argsort(held[:, 0])], 1.0)
    edges = np.concatenate([[-np.inf], held[:, 0], [1.0]])
    best = np.minimum.accumulate(held[:, 1])  # rounding may leave two points at one edge
    steps = np.concatenate([[1.0], best])
    widths = np.maximum(edges[1:] - np.maximum(edges[:-1], points[:, :1]), 0.0)
    gains: Floats = (widths * np.maximum(steps - points[:, 1:], 0.0)).sum(axis=1)
    return gains
