"""Regularised evolution (Real et al., AAAI 2019), the oldest member dies, for two objectives.

The paper has one objective. Here each tournament draws a weight of the two, as ParEGO does
(Knowles, IEEE TEC 2006), and the member with the least augmented Tchebycheff value wins.
"""

from collections import deque

import numpy as np

from pelnas.bench.search.problem import Trial
from pelnas.pareto import Floats
from pelnas.sampling import mutate

SHARE = 0.25  # of the population that a tournament draws, as in the paper (25 of 100)
AUGMENTED = 0.05  # weight of the sum beside the maximum, as in ParEGO


def search(trial: Trial) -> None:
    """One mutation of one choice at a time; as many members as the first population has."""
    members = deque(trial.first)
    trial.evaluate(trial.first)
    size = max(2, round(SHARE * len(members)))
    while True:
        drawn = [members[i] for i in trial.rng.choice(len(members), size, replace=False)]
        points = trial.finite(trial.evaluate(drawn))
        parent = drawn[int(np.argmin(scalarised(points, trial.finite(trial.points), trial.rng)))]
        child = mutate(trial.space, parent, trial.rng)
        trial.evaluate([child])
        members.append(child)
        members.popleft()


def scalarised(points: Floats, known: Floats, rng: np.random.Generator) -> Floats:
    """The augmented Tchebycheff value (n,) of points (n, 2) under a random weight, minimised."""
    low, high = known.min(axis=0), known.max(axis=0)
    placed = (points - low) / np.where(high > low, high - low, 1.0)
    share = rng.random()
    weighed: Floats = placed * np.array([share, 1.0 - share])
    return np.asarray(weighed.max(axis=1) + AUGMENTED * weighed.sum(axis=1))
