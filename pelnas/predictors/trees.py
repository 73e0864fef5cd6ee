"""Regression trees as plain arrays, fitted elsewhere and loaded from a small file."""

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

Floats = NDArray[np.float64]

LEAF = -1  # the feature of a node that asks nothing


@dataclass(frozen=True, eq=False)
class Trees:
    """An ensemble of sums of regression trees (gradient boosting, Friedman 2001).

    ``names``: of the columns that ``predict`` takes. ``start`` (members,): what
    each member begins its sum with; ``roots`` (members, trees): the node at which
    each of its trees begins. By node: ``feature`` asked (``LEAF``: none),
    ``threshold`` (at most: go ``left``, else ``right``), ``value`` of a leaf.
    ``scale``: how many times the members' deviation the error was, where the
    trees were judged on what they had not seen.
    """

    names: tuple[str, ...]
    scale: float
    start: NDArray[np.float32]
    roots: NDArray[np.int32]
    feature: NDArray[np.int16]
    threshold: NDArray[np.float32]
    left: NDArray[np.int32]
    right: NDArray[np.int32]
    value: NDArray[np.float32]

    def members(self, columns: Floats) -> Floats:
        """What each member predicts for rows (n, names): (members, n)."""
        rows = columns.astype(np.float32)
        place = np.broadcast_to(self.roots[..., None], (*self.roots.shape, len(rows))).copy()
        each = np.arange(len(rows))
        while True:
            asked = self.feature[place]
            inner = asked != LEAF
            if not inner.any():
                break
            below = rows[each, np.maximum(asked, 0)] <= self.threshold[place]
            after = np.where(below, self.left[place], self.right[place])
            place = np.where(inner, after, place)
        sums: Floats = self.value[place].sum(axis=1, dtype=np.float64) + self.start[:, None]
        return sums

    def predict(self, columns: Floats) -> tuple[Floats, Floats]:
        """Mean over the members and one standard deviation of the error, each (n,)."""
        found = self.members(columns)
        return found.mean(axis=0), self.scale * found.std(axis=0)
