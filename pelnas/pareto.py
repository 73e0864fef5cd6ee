"""Fronts and their quality, thin over moocore. Every column of a point is minimised.

A point has its costs first and the negated score last: see ``minimised``.
"""

from collections.abc import Iterator, Sequence

import numpy as np
from numpy.typing import ArrayLike, NDArray

Floats = NDArray[np.float64]
Box = tuple[Floats, Floats]  # the least and the greatest value of every column, (k,) each


def minimised(*columns: ArrayLike) -> Floats:
    """Points (n, k) of k - 1 costs, lower is better, and a score, higher is better, (n,) each."""
    *costs, score = (np.asarray(column, float) for column in columns)
    return np.column_stack([*costs, -score])


def box_of(points: ArrayLike) -> Box | None:
    """The box that finite points fill, by which fronts are normalised; ``None`` without one."""
    finite = _finite(points)
    return (finite.min(axis=0), finite.max(axis=0)) if len(finite) else None


def non_dominated(points: ArrayLike) -> NDArray[np.bool_]:
    """Mask (n,) of the points (n, k) that no other point dominates.

    Of equal points the first stays, so that a re-run yields the same front. A
    point with an infinite cost (infeasible) or a NaN is never on the front.
    """
    from moocore import is_nondominated

    costs = np.asarray(points, float)
    mask = np.zeros(len(costs), dtype=bool)
    if not len(costs):
        return mask
    usable = np.isfinite(costs).all(axis=1)
    if usable.any():
        mask[usable] = is_nondominated(costs[usable], keep_weakly=False)
    return mask


def non_dominated_sort(points: ArrayLike, enough: int) -> list[int]:
    """Indices of the first front, then of the front without it, ..., until ``enough`` or all."""
    chosen: list[int] = []
    for front in fronts(points):
        chosen += front
        if len(chosen) >= enough:
            break
    return chosen


def fronts(points: ArrayLike) -> Iterator[list[int]]:
    """Indices of the first front, then of the front without it, and so on; none of infinite points."""
    costs = np.asarray(points, float)
    left = np.arange(len(costs))
    while len(left):
        mask = non_dominated(costs[left])
        if not mask.any():
            return
        yield left[mask].tolist()
        left = left[~mask]


def evenly_spaced(latency: Sequence[float], limit: int) -> list[int]:
    """At most ``limit`` indices, evenly spaced in the order of latency, both ends included."""
    order = sorted(range(len(latency)), key=lambda i: (latency[i], i))
    if len(order) <= limit:
        return order
    if limit == 1:
        return [order[len(order) // 2]]
    picks = np.linspace(0, len(order) - 1, limit).round().astype(int)
    return [order[i] for i in dict.fromkeys(picks.tolist())]


def spread_out(points: ArrayLike, limit: int) -> list[int]:
    """At most ``limit`` indices of points (n, k) that lie far apart; along a curve evenly spaced.

    With two columns a front is a curve, and the choice is spaced along its first column.
    With more, the best in each column come first, then always the point farthest from all
    chosen ones, distances normalised by the box of the points (farthest-first traversal:
    Gonzalez, Theoretical Computer Science 38, 1985).
    """
    values = np.asarray(points, float)
    if len(values) <= limit or values.shape[1] <= 2:
        return evenly_spaced([float(value) for value in values[:, 0]] if len(values) else [], limit)
    placed = normalised(values, (values.min(axis=0), values.max(axis=0)))
    chosen = list(dict.fromkeys(placed.argmin(axis=0).tolist()))[:limit]
    nearest = np.min([np.linalg.norm(placed - placed[i], axis=1) for i in chosen], axis=0)
    while len(chosen) < limit:
        nearest[chosen] = -1.0
        chosen.append(int(nearest.argmax()))
        nearest = np.minimum(nearest, np.linalg.norm(placed - placed[chosen[-1]], axis=1))
    return chosen


def normalised(points: Floats, box: Box) -> Floats:
    """Points with every column from 0, the box's least value, to 1, its greatest."""
    low, high = box
    placed: Floats = (points - low) / np.where(high > low, high - low, 1.0)
    return placed


def hypervolume(points: ArrayLike, box: Box | None) -> float:
    """Dominated share of the unit cube, higher is better, between 0 and 1.

    Points (n, k) are min-max normalised by the box; the reference is 1 in every
    column, so a point beyond the box adds nothing. Without a box, as of no points, it is 0.
    Source: Zitzler & Thiele, PPSN 1998; computed by moocore.
    """
    from moocore import hypervolume as dominated

    finite = _finite(points)
    if not len(finite) or box is None:
        return 0.0
    return float(dominated(normalised(finite, box), ref=[1.0] * finite.shape[1]))


def igd(points: ArrayLike, true: ArrayLike, box: Box) -> float:
    """Mean distance from the points of the true front to the nearest found one; lower is better.

    In the normalised coordinates of ``hypervolume``. Source: Coello Coello &
    Reyes Sierra, MICAI 2004; computed by moocore.
    """
    from moocore import igd as distance

    found, wanted = (normalised(np.asarray(each, float), box) for each in (points, true))
    return float(distance(found, ref=wanted))


def _finite(points: ArrayLike) -> Floats:
    """The points (n, k) without those that have an infinite or undefined value."""
    values = np.asarray(points, float)
    return values[np.isfinite(values).all(axis=1)] if len(values) else values
