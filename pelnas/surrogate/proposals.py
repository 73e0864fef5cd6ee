"""Members of a niche that a surrogate expects to widen the front most.

What may lie on the niche's part of the front is found by expectation: among all members where
the space can be listed, else by an evolutionary search. Of that, each design is the one with the
most hypervolume to gain, on average over draws from the posterior, beside the front and what was
chosen before (Daulton et al., NeurIPS 2020). Two shares are added, that of the front's own box and
that of the box of all evaluations: the first sees small steps along the front, the second its ends,
where little accuracy is left to gain but much of the space lies behind. The front is the expected
one: where accuracy is observed through noise, the luckiest networks do not bar the way.
"""

from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from itertools import islice

import numpy as np

from pelnas.architecture import Architecture
from pelnas.inputs.quantities import CostName, Metric
from pelnas.pareto import Box, fronts, hypervolume, minimised, non_dominated, non_dominated_sort
from pelnas.partition import ENUMERABLE, Partition
from pelnas.spaces import SearchSpace
from pelnas.surrogate.model import Surrogate
from pelnas.surrogate.process import Floats

POPULATION = 60  # of the inner search, and children of a generation
STRANGERS = 5  # random members among those that the inner search begins with
GENERATIONS = 25
TRIES = 4  # draws for each child that is wanted: many lie outside the niche or are known
DRAWS = 16  # of the posterior, over which the gain of a design is averaged
DRAWS_IN_SPACE = 4  # the same where there are several costs: each gain is then a volume of its own
POOL = 200  # members of which designs are chosen, the best by expectation
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
        listed = partition.space.size <= ENUMERABLE
        found = (
            _listed(surrogate, partition, niche)
            if listed
            else _found(surrogate, partition, niche, rng)
        )
        pool = list(islice((each for each in found if not taken(each)), POOL))
        return [pool[i] for i in _chosen(surrogate, pool, count, rng, weights or {}, costs)]


def _chosen(
    surrogate: Surrogate,
    pool: Sequence[Architecture],
    count: int,
    rng: np.random.Generator,
    weights: Mapping[Metric, float],
    costs: Sequence[CostName],
) -> list[int]:
    if not pool or count < 1:
        return []
    known = surrogate.expected
    low, high = known.min(axis=0), known.max(axis=0)
    names: tuple[Metric, ...] = (*costs, "accuracy")
    wanted = np.array([weights.get(name, 1.0) for name in names]) - 1.0
    chances = surrogate.feasible(pool)
    draws = surrogate.draw(pool, DRAWS if len(costs) == 1 else DRAWS_IN_SPACE, rng)
    likes = chances * np.array([_liking(drawn, low, high, wanted) for drawn in draws])
    points = [minimised(*drawn.T) for drawn in draws]
    seen = minimised(*known.T)
    held = [_front(seen)] * len(points)
    boxes = around(held[0]), (seen.min(axis=0), seen.max(axis=0))
    gains = np.array([_gains(held[0], drawn, boxes) for drawn in points])
    chosen: list[int] = []
    while True:
        expected = (likes * gains).mean(axis=0)
        expected[chosen] = -1.0
        best = int(np.argmax(expected))
        chosen.append(best)
        if len(chosen) == min(count, len(pool)):
            return chosen
        for place, drawn in enumerate(points):
            if not (held[place] <= drawn[best]).all(axis=1).any():  # else it moves no front
                held[place] = _front(np.vstack([held[place], drawn[best]]))
                gains[place] = _gains(held[place], drawn, boxes)


def _gains(front: Floats, points: Floats, boxes: Iterable[Box]) -> Floats:
    """What each of the points adds to the front in all boxes together."""
    gains: Floats = np.sum([gained(front, points, box) for box in boxes], axis=0)
    return gains


def _front(points: Floats) -> Floats:
    return points[non_dominated(points)]


def _liking(drawn: Floats, low: Floats, high: Floats, wanted: Floats) -> Floats:
    """How much more a gain counts at the end of the front that is asked for, (m,); 1 unless said."""
    place = np.clip((drawn - low) / np.where(high > low, high - low, 1.0), 0.0, 1.0)
    place[:, :-1] = 1.0 - place[:, :-1]  # all: higher is better
    liking: Floats = np.prod((1.0 + place) ** wanted, axis=1)
    return liking


def _listed(surrogate: Surrogate, partition: Partition, niche: int) -> Iterator[Architecture]:
    """Every member of the niche, the best by expectation first."""
    members = partition.members[niche]
    if members:
        expected = surrogate.expect_members(niche)
        yield from (members[i] for front in fronts(minimised(*expected.T)) for i in front)


def _found(
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


def around(front: Floats) -> Box:
    """The box of a front (n, k), all minimised, with the reference at ``REFERENCE``."""
    low, high = front.min(axis=0), front.max(axis=0)
    return low, low + REFERENCE * np.where(high > low, high - low, 1.0)


def gained(front: Floats, points: Floats, box: Box) -> Floats:
    """The hypervolume (m,) that each of m points alone adds to a front, as a share of a box.

    ``front`` (n, k), non-dominated, and ``points`` (m, k): all minimised. The far corner of the
    box is the reference; what is better than the near corner counts as far as it is better.
    """
    low, high = box
    width = np.where(high > low, high - low, 1.0)
    held, points = (front - low) / width, (points - low) / width
    if held.shape[1] > 2:
        return _gained_in_space(held, points)
    held = np.minimum(held[np.argsort(held[:, 0])], 1.0)
    edges = np.concatenate([[-np.inf], held[:, 0], [1.0]])
    best = np.minimum.accumulate(held[:, 1])  # rounding may leave two points at one edge
    steps = np.concatenate([[1.0], best])
    widths = np.maximum(edges[1:] - np.maximum(edges[:-1], points[:, :1]), 0.0)
    gains: Floats = (widths * np.maximum(steps - points[:, 1:], 0.0)).sum(axis=1)
    return gains


def _gained_in_space(held: Floats, points: Floats) -> Floats:
    """The same of more than two columns within the unit cube: each volume with the point less without."""
    cube = np.zeros(held.shape[1]), np.ones(held.shape[1])
    before = hypervolume(held, cube)
    gains = np.zeros(len(points))
    better = np.all(held[None] <= points[:, None], axis=2)
    for place in np.flatnonzero(~np.any(better, axis=1)):  # the others add nothing
        gains[place] = hypervolume(np.vstack([held, points[place]]), cube) - before
    return gains
