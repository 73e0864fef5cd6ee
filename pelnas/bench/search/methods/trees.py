"""Thompson sampling on extremely randomised trees (Geurts, Ernst & Wehenkel, 2006).

One ensemble for the logarithm of latency and one for accuracy. A tree of each, drawn at random,
stands for a draw from the posterior; what it promises to add most hypervolume is evaluated.
"""

import numpy as np

from pelnas.bench.search.methods.encoding import best, children, one_hot, strangers
from pelnas.bench.search.problem import Trial
from pelnas.pareto import Floats, non_dominated
from pelnas.surrogate.gains import around, gained

TREES = 50
BATCH = 10  # evaluations between two fits
CHILDREN, STRANGERS = 300, 200  # networks among which a draw chooses


def search(trial: Trial) -> None:
    """Batches, each network by a draw of its own."""
    trial.evaluate(trial.first)
    while True:
        pool = [*children(trial, best(trial), CHILDREN), *strangers(trial, STRANGERS)]
        pool = list(dict.fromkeys(pool))
        if not pool:
            trial.evaluate([trial.space.sample(trial.rng)])
            continue
        trial.evaluate([pool[i] for i in _chosen(trial, one_hot(trial.space, pool))])


def _chosen(trial: Trial, pool: Floats) -> list[int]:
    from sklearn.ensemble import ExtraTreesRegressor

    seen = trial.finite(trial.points)
    rows = one_hot(trial.space, list(trial.tried))
    targets = np.column_stack([np.log(np.maximum(seen[:, 0], 1e-9)), seen[:, 1]])
    front = targets[non_dominated(targets)]
    forests = [
        ExtraTreesRegressor(
            TREES, bootstrap=True, random_state=int(trial.rng.integers(2**31)), n_jobs=1
        ).fit(rows, target)
        for target in targets.T
    ]
    chosen: list[int] = []
    narrow = pool.astype(np.float32)
    for _ in range(min(BATCH, len(pool))):
        trees = [forest.estimators_[trial.rng.integers(TREES)] for forest in forests]
        drawn = np.column_stack([tree.predict(narrow) for tree in trees])
        gains = gained(front, drawn, around(front))
        gains[chosen] = -1.0
        chosen.append(_first_of_most(gains, trial.rng))
        front = np.vstack([front, drawn[chosen[-1]]])
        front = front[non_dominated(front)]
    return chosen


def _first_of_most(gains: Floats, rng: np.random.Generator) -> int:
    """A random one of the largest: a single tree gives many networks the same value."""
    return int(rng.choice(np.flatnonzero(gains >= gains.max())))
