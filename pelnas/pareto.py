"""Fronts and their quality, thin over moocore. Latency is minimised, the score maximised."""

from collections.abc import Sequence

import numpy as np
from numpy.typing import ArrayLike, NDArray

Floats = NDArray[np.float64]


def _costs(latency: ArrayLike, score: ArrayLike) -> Floats:
    """Points (n, 2), both columns minimised."""
    return np.column_stack([np.asarray(latency, float), -np.asarray(score, float)])


def non_dominated(latency: ArrayLike, score: ArrayLike) -> NDArray[np.bool_]:
    """Mask (n,) of the points that no other point dominates.

    Of equal points the first stays, so that a re-run yields the same front. A
    point whose latency is infinite (infeasible) or whose values are NaN is
    never on the front.
    """
    from moocore import is_nondominated

    costs = _costs(latency, score)
    usable = np.isfinite(costs).all(axis=1)
    mask = np.zeros(len(costs), dtype=bool)
    if usable.any():
        mask[usable] = is_nondominated(costs[usable], keep_weakly=False)
    return mask


def non_dominated_sort(latency: ArrayLike, score: ArrayLike, enough: int) -> list[int]:
    """Indices of the first front, then of the front without it, ..., until ``enough`` or all."""
    latency, score = np.asarray(latency, float), np.asarray(score, float)
    left = np.arange(len(latency))
    chosen: list[int] = []
    while len(chosen) < enough and len(left):
        mask = non_dominated(latency[left], score[left])
        if not mask.any():
            break
        chosen += [int(i) for i in left[mask]]
        left = left[~mask]
    return chosen


def evenly_spaced(latency: Sequence[float], limit: int) -> list[int]:
    """At most ``limit`` indices, evenly spaced in the order of latency, both ends included."""
    order = sorted(range(len(latency)), key=lambda i: (latency[i], i))
    if len(order) <= limit:
        return order
    if limit == 1:
        return [order[len(order) // 2]]
    picks = np.linspace(0, len(order) - 1, limit).round().astype(int)
    return [order[i] for i in dict.fromkeys(picks.tolist())]


def hypervolume(
    latency: ArrayLike,
    score: ArrayLike,
    latency_range: tuple[float, float],
    score_range: tuple[float, float],
) -> float:
    """Dominated share of the unit square, higher is better, between 0 and 1.

    Latency and error (the negated score) are min-max normalised by the given
    ranges; the reference is (1, 1), so a point beyond a range adds nothing.
    Source: Zitzler & Thiele, PPSN 1998; computed by moocore.
    """
    from moocore import hypervolume as dominated

    points = _costs(latency, score)
    points = points[np.isfinite(points).all(axis=1)]
    if not len(points):
        return 0.0
    low = np.array([latency_range[0], -score_range[1]])
    high = np.array([latency_range[1], -score_range[0]])
    width = np.where(high > low, high - low, 1.0)
    return float(dominated((points - low) / width, ref=[1.0, 1.0]))


def igd(
    latency: ArrayLike,
    score: ArrayLike,
    true_latency: ArrayLike,
    true_score: ArrayLike,
    latency_range: tuple[float, float],
    score_range: tuple[float, float],
) -> float:
    """Mean distance from the points of the true front to the nearest found one; lower is better.

    In the normalised coordinates of ``hypervolume``. Source: Coello Coello &
    Reyes Sierra, MICAI 2004; computed by moocore.
    """
    from moocore import igd as distance

    low = np.array([latency_range[0], -score_range[1]])
    width = np.array([latency_range[1], -score_range[0]]) - low
    found = (_costs(latency, score) - low) / width
    true = (_costs(true_latency, true_score) - low) / width
    return float(distance(found, ref=true))
