"""Which networks to measure on a device, so that their latencies say most about all others."""

import numpy as np
from numpy.typing import NDArray

from pelnas.devices.cost_features import CostFeatures, Floats, Rows
from pelnas.devices.few_shot import Belief

Indices = NDArray[np.intp]
CANDIDATES = 2_000  # networks that a choice is made from
JUDGED = 600  # networks whose variance an informative choice reduces
#: The first so many are informative; the rest are random, since an extreme choice alone makes a
#: model believe that all networks are as hard to predict as the extreme ones.
INFORMED = 40


def chosen(
    features: CostFeatures, belief: Belief, pool: Rows, count: int, rng: np.random.Generator
) -> Indices:
    """Which of ``pool`` to measure, (count,), most informative first; fewer where there are no more."""
    order = rng.permutation(len(pool))
    candidates, judged = order[:CANDIDATES], order[-JUDGED:]
    first = candidates[
        informative(
            features,
            belief,
            pool.take(candidates),
            pool.take(judged),
            min(count, INFORMED),
        )
    ]
    rest = candidates[~np.isin(candidates, first)]
    beyond = order[CANDIDATES:]
    picked: Indices = np.concatenate([first, rest, beyond])[:count]
    return picked


def informative(
    features: CostFeatures, belief: Belief, candidates: Rows, judged: Rows, count: int
) -> Indices:
    """Candidates whose measurement in turn most reduces the mean variance over ``judged``.

    Of the Gaussian process that is believed in: the values that will be measured play no part, so
    that a board can measure all of them in one go (active learning after Cohn; Seo et al.,
    "Gaussian process regression: active data selection and test point rejection", IJCNN 2000).
    Indices of ``candidates``, most
    informative first, each once; at most as many as there are.
    """
    count, weights, noise = min(count, len(candidates)), belief.weights, belief.noise
    across = features.total(weights, judged, candidates)  # what is left of the covariances
    left = features.diagonal(weights, candidates)
    explained = np.empty((count, len(candidates)))
    picked: list[int] = []
    free = np.ones(len(candidates), dtype=bool)
    for step in range(count):
        gain = (across**2).sum(axis=0) / (left + noise)
        best = int(np.where(free, gain, -np.inf).argmax())
        free[best] = False
        picked.append(best)
        one = candidates.take(np.array([best]))
        column = features.total(weights, candidates, one)[:, 0]
        column -= explained[:step].T @ explained[:step, best]
        root = np.sqrt(max(column[best], 0.0) + noise)
        explained[step] = column / root
        across -= np.outer(across[:, best] / root, explained[step])
        left = np.maximum(left - explained[step] ** 2, 0.0)
    return np.array(picked, dtype=np.intp)


def farthest_first(points: Floats, count: int, start: int) -> Indices:
    """From ``start`` on, in turn the point farthest from all chosen ones, by index.

    ``points`` (n, k). Gonzalez, "Clustering to minimize the maximum intercluster distance", 1985.
    """
    picked = [start]
    apart = ((points - points[start]) ** 2).sum(axis=1)
    while len(picked) < min(count, len(points)):
        apart[picked[-1]] = -1.0
        picked.append(int(apart.argmax()))
        apart = np.minimum(apart, ((points - points[picked[-1]]) ** 2).sum(axis=1))
    return np.array(picked, dtype=np.intp)
