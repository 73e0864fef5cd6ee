"""Members of a niche that a surrogate expects to widen the front most.

An evolutionary search on the surrogate's expectation finds what may lie on the niche's part
of the front; of that, each design is the one with the most hypervolume to gain under a draw from
the posterior (Thompson sampling), beside the front and what was chosen before. The front is the
expected one: where accuracy is observed through noise, the luckiest networks do not bar the way.
"""

from collections.abc import Callable, Iterator, Mapping, Sequence
from itertools import islice

import numpy as np

from pelnas.architecture import Architecture
from pelnas.inputs.quantities import CostName, Metric
from pelnas.pareto import hypervolume, minimised, non_dominated, non_dominated_sort
from pelnas.partition import Partition
from pelnas.spaces import SearchSpace
from pelnas.surrogate.model import Surrogate
from pelnas.surrogate.process import Floats

POPULATION = 60  # of the inner search, and children of a generation
STRANGERS = 5  # random members among those that the inner search begins with
GENERATIONS = 25
TRIES = 4  # draws for each child that is wanted: many lie outside the niche or are known
POOL = 200  # of what the inner search saw, the best by expectation
CROSSOVER = 0.7  # of the children of the inner search; half of these are mutated, too
CHANGES = 1.7  # choices that a mutation draws anew, on average
REFERENCE = 1.1  # of the hypervolume, in the box of the front

#: Expected costs and score of an architecture.
Values = dict[Architecture, tuple[float, ...]]


def propose(
    surrogate: Surrogate,
    partition: Partition,
    niche: int,
    count: int,
    taken: Callable[[Architecture], bool],
    rng: np.random.Generator,
    weights: Mapping[Metric, float] | None = None,
    costs: Sequence[CostName] = ("latency",),
) -> list[Architecture]:
    """At most ``count`` new members of a niche, in the order in which they were chosen.

    ``taken``: whether an architecture may not be proposed. ``weights``: of the objectives, 1
    unless said; more of one prefers what gains at that end of the front. ``costs``: those of
    the surrogate, in its order.
    """
    with surrogate.working():
        pool = [each for each in _pool(surrogate, partition, niche, rng) if not taken(each)]
        return [pool[i] for i in _chosen(surrogate, pool, count, rng, weights or {}, costs)]


def _chosen(
    surrogate: Surrogate,
    pool: Sequence[Architecture],
    count: int,
    rng: np.random.Generator,
    weights: Mapping[Metric, float],
    costs: Sequence[CostName],
) -> list[int]:
    if not pool:
        return []
    known = surrogate.expected
    low, high = known.min(axis=0), known.max(axis=0)
    names: tuple[Metric, ...] = (*costs, "accuracy")
    wanted = np.array([weights.get(name, 1.0) for name in names]) - 1.0
    chances = surrogate.feasible(pool)
    chosen: list[int] = []
    for drawn in surrogate.draw(pool, min(count, len(pool)), rng):
        gains = chances * gained(np.vstack([known, drawn[chosen]]), drawn)
        if wanted.any():
            place = np.clip((drawn - low) / np.where(high > low, high - low, 1.0), 0.0, 1.0)
            place[:, :-1] = 1.0 - place[:, :-1]  # all: higher is better
            gains *= np.prod((1.0 + place) ** wanted, axis=1)
        gains[chosen] = -1.0
        chosen.append(int(np.argmax(gains)))
    return chosen


def _pool(
    surrogate: Surrogate, partition: Partition, niche: int, rng: np.random.Generator
) -> list[Architecture]:
    """What an evolutionary search within the niche found best by expectation."""
    population = _parents(surrogate, partition, niche)
    population += islice(partition.sample(niche, rng), STRANGERS)
    values: Values = {}
    for _ in range(GENERATIONS):
        known = values.keys() | set(population)
        members = [*population, *_children(partition, niche, population, known, rng)]
        fresh = [each for each in members if each not in values]
        if fresh:
            values.update(zip(fresh, map(tuple, surrogate.expect(fresh).tolist()), strict=True))
        population = _best(members, values, POPULATION)
    return _best(list(values), values, POOL)


def _parents(surrogate: Surrogate, partition: Partition, niche: int) -> list[Architecture]:
    """The evaluated members of a niche, the best by expectation."""
    inside = [i for i, e in enumerate(surrogate.seen) if partition.locate(e.architecture) == niche]
    points = minimised(*surrogate.expected[inside].T)
    order = non_dominated_sort(points, enough=POPULATION // 2)
    return [surrogate.seen[inside[i]].architecture for i in order[: POPULATION // 2]]


def _children(
    partition: Partition,
    niche: int,
    population: Sequence[Architecture],
    known: set[Architecture],
    rng: np.random.Generator,
) -> list[Architecture]:
    """New members of the niche, at most as many as a population has."""
    found: dict[Architecture, None] = {}
    for child in _offspring(partition.space, population, rng) if population else ():
        if child not in known and partition.locate(child) == niche:
            found[child] = None
            if len(found) == POPULATION:
                break
    return list(found)


def _offspring(
    space: SearchSpace, population: Sequence[Architecture], rng: np.random.Generator
) -> Iterator[Architecture]:
    """Uniform crossover of two members, mutation, or both; all draws at once."""
    genes = np.array([each.genes for each in population])
    shape = (TRIES * POPULATION, genes.shape[1])
    one, other = rng.integers(len(genes), size=(2, shape[0]))
    crossed, mutated = rng.random((2, shape[0]))
    swapped = (crossed < CROSSOVER)[:, None] & (rng.random(shape) < 0.5)
    changed = ((crossed >= CROSSOVER) | (mutated < 0.5))[:, None] & (
        rng.random(shape) < CHANGES / shape[1]
    )
    drawn = rng.integers(0, [len(options) for options in space.choices], size=shape)
    children = np.where(changed, drawn, np.where(swapped, genes[other], genes[one]))
    return (space.canonical(tuple(row)) for row in children.tolist())


def _best(members: Sequence[Architecture], values: Values, limit: int) -> list[Architecture]:
    points = minimised(*zip(*(values[each] for each in members), strict=True))
    order = non_dominated_sort(points, enough=limit)
    return [members[i] for i in order[:limit]]


def gained(front: Floats, points: Floats) -> Floats:
    """The hypervolume (m,) that each of m points alone adds to a front.

    ``front`` (n, k), ``points`` (m, k): costs, lower is better, and a score, higher is better.
    In the box of the non-dominated points of ``front``, with the reference at ``REFERENCE``.
    """
    front = front[non_dominated(minimised(*front.T))]
    low, high = front.min(axis=0), front.max(axis=0)
    if front.shape[1] > 2:
        return _gained_in_space(minimised(*front.T), minimised(*points.T))
    width = np.where(high > low, high - low, 1.0)
    held, points = (front - low) / width, (points - low) / width
    held = held[np.argsort(held[:, 0])]
    floor = 1.0 - REFERENCE
    edges = np.concatenate([[-np.inf], held[:, 0], [REFERENCE]])
    steps = np.concatenate([[floor], held[:, 1]])  # the best score from each edge on
    left = np.maximum(edges[:-1], points[:, :1])
    widths = np.maximum(edges[1:] - left, 0.0)
    gains: Floats = (widths * np.maximum(points[:, 1:] - steps, 0.0)).sum(axis=1)
    return gains


def _gained_in_space(front: Floats, points: Floats) -> Floats:
    """The same with more than two columns, all minimised: each volume with the point less without."""
    low = front.min(axis=0)
    box = low, low + REFERENCE * np.maximum(front.max(axis=0) - low, np.finfo(float).tiny)
    held = hypervolume(front, box)
    gains = np.zeros(len(points))
    better = np.all(front[None] <= points[:, None], axis=2)
    for place in np.flatnonzero(~np.any(better, axis=1)):  # the others add nothing
        gains[place] = hypervolume(np.vstack([front, points[place]]), box) - held
    return gains * float(REFERENCE ** front.shape[1])
