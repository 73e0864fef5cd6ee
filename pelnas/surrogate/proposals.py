"""Members of a niche that a surrogate expects to widen the front most.

An evolutionary search on the surrogate's expectation finds what may lie on the niche's part
of the front; of that, each design is the one with the most hypervolume to gain under a draw from
the posterior (Thompson sampling), beside the front and what was chosen before.
"""

from collections.abc import Callable, Sequence

from itertools import islice

import numpy as np

from pelnas.architecture import Architecture
from pelnas.pareto import non_dominated, non_dominated_sort
from pelnas.partition import Partition
from pelnas.sampling import mutate
from pelnas.surrogate.model import Surrogate
from pelnas.surrogate.process import Floats

POPULATION = 60
STRANGERS = 5  # random members among those that the inner search begins with
GENERATIONS = 25
POOL = 200  # of what the inner search saw, the best by expectation
REFERENCE = 1.1  # of the hypervolume, in the box of the front
CROSSOVER = 0.7  # of the children of the inner search


def propose(
    surrogate: Surrogate,
    partition: Partition,
    niche: int,
    count: int,
    taken: Callable[[Architecture], bool],
    rng: np.random.Generator,
) -> list[Architecture]:
    """At most ``count`` new members of a niche, the most promising first."""
    pool = _pool(surrogate, partition, niche, taken, rng)
    if not pool:
        return []
    latency, score = surrogate.draw(pool, count, rng)
    known = _front(surrogate)
    chosen: list[int] = []
    for lat, acc in zip(latency, score, strict=True):
        front = np.vstack([known, np.column_stack([lat[chosen], acc[chosen]])])
        gains = gained(front, np.column_stack([lat, acc]))
        gains[chosen] = -1.0
        best = int(np.argmax(gains))
        if gains[best] < 0:
            break
        chosen.append(best)
    return [pool[i] for i in chosen]


def _pool(
    surrogate: Surrogate,
    partition: Partition,
    niche: int,
    taken: Callable[[Architecture], bool],
    rng: np.random.Generator,
) -> list[Architecture]:
    space = partition.space
    started = [e for e in surrogate.seen if partition.locate(e.architecture) == niche]
    first = non_dominated_sort(
        [e.latency_ms for e in started], [e.score for e in started], enough=POPULATION // 2
    )
    population = [started[i].architecture for i in first[: POPULATION // 2]]
    population += islice(partition.sample(niche, rng), STRANGERS)
    seen = dict.fromkeys(population)
    values: dict[Architecture, tuple[float, float]] = {}
    for _ in range(GENERATIONS):
        children = []
        for _ in range(4 * POPULATION):
            child = _child(space, population, rng)
            if child not in seen and partition.locate(child) == niche:
                seen[child] = None
                children.append(child)
            if len(children) == POPULATION:
                break
        merged = list(dict.fromkeys([*population, *children]))
        fresh = [each for each in merged if each not in values]
        if fresh:
            expected = zip(*surrogate.expect(fresh), strict=True)
            values.update(zip(fresh, expected, strict=True))
        population = _survivors(merged, values)
    left = [each for each in values if not taken(each)]
    return _survivors(left, values, POOL)


def _survivors(members: Sequence[Architecture], values, limit: int = POPULATION):
    latency = [values[each][0] for each in members]
    score = [values[each][1] for each in members]
    order = non_dominated_sort(latency, score, enough=limit)
    return [members[i] for i in order[:limit]]


def _child(space, population, rng):
    one = population[int(rng.integers(len(population)))]
    if rng.random() < CROSSOVER:
        other = population[int(rng.integers(len(population)))]
        take = rng.integers(2, size=len(one.genes)).tolist()
        one = space.canonical(tuple(b if t else a for a, b, t in zip(one.genes, other.genes, take, strict=True)))
        if rng.random() < 0.5:
            return one
    for _ in range(1 + int(rng.random() < 0.5)):
        one = mutate(space, one, rng)
    return one


def _front(surrogate: Surrogate) -> Floats:
    latency = np.array([each.latency_ms for each in surrogate.seen])
    score = np.array([each.score for each in surrogate.seen])
    kept = non_dominated(latency, score)
    return np.column_stack([latency[kept], score[kept]])


def gained(front: Floats, points: Floats) -> Floats:
    """The hypervolume (m,) that each of m points alone adds to a front.

    ``front`` (n, 2), ``points`` (m, 2): latency, lower is better, and score, higher is better.
    In the box of the front, with the reference at ``REFERENCE``.
    """
    low, high = front.min(axis=0), front.max(axis=0)
    width = np.where(high > low, high - low, 1.0)
    held = (front - low) / width
    held = held[non_dominated(held[:, 0], held[:, 1])]
    held = held[np.argsort(held[:, 0])]
    points = (points - low) / width
    floor = 1.0 - REFERENCE
    edges = np.concatenate([[-np.inf], held[:, 0], [np.inf]])
    steps = np.concatenate([[floor], held[:, 1]])  # best score so far from each edge on
    left = np.maximum(edges[:-1], points[:, :1])
    right = np.minimum(edges[1:], REFERENCE)
    rises = np.maximum(points[:, 1:] - np.maximum(steps, floor), 0.0)
    return (np.maximum(right - left, 0.0) * rises).sum(axis=1)
