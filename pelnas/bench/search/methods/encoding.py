"""Architectures as columns of zeros and ones, and networks that may be worth evaluating."""

from collections.abc import Sequence

import numpy as np

from pelnas.architecture import Architecture
from pelnas.bench.search.problem import Trial
from pelnas.evolution import crossover
from pelnas.pareto import Floats, non_dominated_sort
from pelnas.sampling import mutate
from pelnas.spaces import SearchSpace

PARENTS = 40  # best members that children are made of


def one_hot(space: SearchSpace, architectures: Sequence[Architecture]) -> Floats:
    """One column for each choice of each position (n, choices); positions without effect are 0."""
    sizes = [len(options) for options in space.choices]
    first = np.concatenate([[0], np.cumsum(sizes)[:-1]])
    columns = np.zeros((len(architectures), sum(sizes)))
    for row, architecture in enumerate(architectures):
        active = list(space.active(architecture.genes))
        columns[row, first[active] + np.array(architecture.genes)[active]] = 1.0
    return columns


def best(trial: Trial, count: int = PARENTS) -> list[Architecture]:
    """The members of the first fronts of everything tried."""
    members = list(trial.tried)
    return [members[i] for i in non_dominated_sort(trial.points, count)[:count]]


def children(trial: Trial, parents: Sequence[Architecture], count: int) -> list[Architecture]:
    """New networks: mutations and mutated crossovers of parents, each at most once."""
    space, rng = trial.space, trial.rng
    found: dict[Architecture, None] = {}
    for _ in range(4 * count):
        one, other = (parents[i] for i in rng.integers(len(parents), size=2))
        child = crossover(space, one, other, rng) if rng.random() < 0.5 else one
        child = mutate(space, child, rng)
        if child not in trial.tried:
            found[child] = None
        if len(found) == count:
            break
    return list(found)


def strangers(trial: Trial, count: int) -> list[Architecture]:
    """New networks drawn uniformly, each at most once."""
    drawn = (trial.space.sample(trial.rng) for _ in range(2 * count))
    return list(dict.fromkeys(a for a in drawn if a not in trial.tried))[:count]
