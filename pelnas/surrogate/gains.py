"""How much hypervolume each of many points adds to a front, while points are added to it.

All columns are minimised. Gains are shares of boxes, see ``gained``; those of several boxes are
added up.
"""

from collections.abc import Sequence
from typing import Self

import numpy as np
from numpy.typing import NDArray

from pelnas.pareto import Box, normalised

Floats = NDArray[np.float64]
REFERENCE = 1.1  # of the hypervolume, in the box of the front


class Gains:
    """What m candidates would add to a front, in several draws of where they may lie.

    ``values`` (draws, m): higher is better. What is lost to a candidate that is chosen is taken
    off, so that its cost follows from what it takes and not from the whole front.
    """

    def __init__(self, front: Floats, drawn: Floats, boxes: Sequence[Box]) -> None:
        """``front`` (n, k), non-dominated; ``drawn`` (draws, m, k); in all boxes together."""
        nearest = np.min([low for low, _ in boxes], axis=0)
        corners = [low + _widths((low, high)) for low, high in boxes]
        whole = nearest, np.max(corners, axis=0)
        self._drawn = normalised(drawn, whole)
        self._corners = [normalised(corner, whole) for corner in corners]
        self._sizes = [float((_widths(box) / _widths(whole)).prod()) for box in boxes]
        self._free = [Undominated.by(normalised(front, whole))] * len(drawn)
        self.values: Floats = np.array(
            [
                self._shares(free, points)
                for free, points in zip(self._free, self._drawn, strict=True)
            ]
        )

    def choose(self, candidate: int) -> None:
        """Add this candidate to the front of each draw, where it lies there."""
        for draw in np.flatnonzero(self.values[:, candidate]):
            points = self._drawn[draw]
            self._free[draw], taken = self._free[draw].without(points[candidate])
            losing = np.flatnonzero(self.values[draw])
            self.values[draw, losing] -= self._shares(taken, points[losing])
            self.values[draw, candidate] = 0.0
        np.maximum(self.values, 0.0, out=self.values)  # of rounding

    def _shares(self, part: "Undominated", points: Floats) -> Floats:
        """Of all boxes, what the points dominate of a part of space."""
        found = np.zeros(len(points))
        for corner, size in zip(self._corners, self._sizes, strict=True):
            found += part.volumes(points, corner) / size
        return found


class Undominated:
    """The part of space that no point dominates, up to 1 in every column.

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

    def volumes(self, points: Floats, reference: Floats) -> Floats:
        """Of what each of the points (m, k) dominates in here up to a reference (k,), (m,)."""
        shares = np.ones((len(points), len(self._low)))
        ends = np.minimum(self._high, reference)
        for low, end, column in zip(self._low.T, ends.T, points.T, strict=True):
            shares *= np.maximum(end - np.maximum(low, column[:, None]), 0.0)
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
        return type(self)(np.concatenate(lows), np.concatenate(highs)), type(self)(low, high)


def around(front: Floats) -> Box:
    """The box of a front (n, k), all minimised, with the reference at ``REFERENCE``."""
    low, high = front.min(axis=0), front.max(axis=0)
    return low, low + REFERENCE * _widths((low, high))


def _widths(box: Box) -> Floats:
    """Of a box by column; 1 where it has none, as ``normalised`` takes it."""
    low, high = box
    widths: Floats = np.where(high > low, high - low, 1.0)
    return widths


def gained(front: Floats, points: Floats, box: Box) -> Floats:
    """The hypervolume (m,) that each of m points alone adds to a front, as a share of a box.

    ``front`` (n, 2), non-dominated, and ``points`` (m, 2): all minimised. The far corner of the
    box is the reference; what is better than the near corner counts as far as it is better.
    """
    held, points = normalised(front, box), normalised(points, box)
    held = np.minimum(held[np.argsort(held[:, 0])], 1.0)
    edges = np.concatenate([[-np.inf], held[:, 0], [1.0]])
    best = np.minimum.accumulate(held[:, 1])  # rounding may leave two points at one edge
    steps = np.concatenate([[1.0], best])
    widths = np.maximum(edges[1:] - np.maximum(edges[:-1], points[:, :1]), 0.0)
    gains: Floats = (widths * np.maximum(steps - points[:, 1:], 0.0)).sum(axis=1)
    return gains
