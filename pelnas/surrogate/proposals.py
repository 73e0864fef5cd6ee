"""Members of a niche that a surrogate expects to widen the front most.

What may lie on the niche's part of the front is found by expectation: among all members where
the space can be listed, else by an evolutionary search. Networks that the device can probably run
come before the others: where it cannot run what looks good, nothing that is evaluated takes that
gain away, so it would be proposed again and again. Of these, each design is the one with the most
hypervolume to gain, on average over draws from the posterior, beside the front and what was
chosen before (Daulton et al., NeurIPS 2020). Two shares are added, that of the front's own box and
that of the box of all evaluations: the first sees small steps along the front, the second its ends,
where little accuracy is left to gain but much of the space lies behind. The front is the expected
one: where accuracy is observed through noise, the luckiest networks do not bar the way.

With several costs the front is a surface, and what sets its members apart is how each trades one
cost for another: mostly what is its own and no kernel explains. So costs then count as they were
measured, and those of a network that was not measured are drawn with that part, too. Of accuracy,
that part remains noise.
"""

from collections.abc import Callable, Iterator, Mapping, Sequence
from itertools import islice

import numpy as np
from numpy.typing import NDArray

from pelnas.architecture import Architecture
from pelnas.inputs.quantities import CostName, Metric
from pelnas.pareto import fronts, minimised, non_dominated, non_dominated_sort
from pelnas.partition import ENUMERABLE, Partition
from pelnas.spaces import SearchSpace
from pelnas.surrogate.gains import Gains, around
from pelnas.surrogate.model import Surrogate
from pelnas.surrogate.process import Floats

POPULATION = 60  # of the inner search, and children of a generation
STRANGERS = 5  # random members among those that the inner search begins with
GENERATIONS = 25
TRIES = 4  # draws for each child that is wanted: many lie outside the niche or are known
DRAWS = 16  # of the posterior, over which the gain of a design is averaged
BOXES = 2  # in which gains are counted
POOL = 200  # members of which designs are chosen, the best by expectation
LIKELY = 0.5  # the chance from which on a network is one that the device can probably run
CROSSOVER = 0.7  # of the children of the inner search; half of these are mutated, too
CHANGES = 1.7  # choices that a mutation draws anew, on average

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
    known = _known(surrogate)
    low, high = known.min(axis=0), known.max(axis=0)
    names: tuple[Metric, ...] = (*costs, "accuracy")
    wanted = np.array([weights.get(name, 1.0) for name in names]) - 1.0
    chances = surrogate.feasible(pool)
    draws = _drawn(surrogate, pool, DRAWS, rng)
    likes = chances * np.array([_liking(drawn, low, high, wanted) for drawn in draws])
    gains = _gains(known, draws)
    chosen: list[int] = []
    while True:
        expected = (likes * gains.values).mean(axis=0)
        expected[chosen] = -1.0
        best = int(np.argmax(expected))
        chosen.append(best)
        if len(chosen) == min(count, len(pool)):
            return chosen
        gains.choose(best)


def expected_gains(
    surrogate: Surrogate, pool: Sequence[Architecture], count: int, rng: np.random.Generator
) -> Floats:
    """The hypervolume that each of n networks alone is expected to add to the run's front, (n,).

    A share: the mean of those of the two boxes above, over ``count`` draws, times the chance that
    the device can run the network; higher is better. Whoever asks holds ``working``.
    """
    gains = _gains(_known(surrogate), _drawn(surrogate, pool, count, rng))
    expected: Floats = surrogate.feasible(pool) * gains.values.mean(axis=0) / BOXES
    return expected


def _several(surrogate: Surrogate) -> bool:
    """Whether there are several costs."""
    return bool(surrogate.expected.shape[1] > 2)


def _known(surrogate: Surrogate) -> Floats:
    """Costs and score of what was evaluated, (n, k), as they count here."""
    return surrogate.measured if _several(surrogate) else surrogate.expected


def _drawn(
    surrogate: Surrogate, pool: Sequence[Architecture], count: int, rng: np.random.Generator
) -> Floats:
    return surrogate.draw(pool, count, rng, with_residuals=_several(surrogate))


def _gains(known: Floats, draws: Floats) -> Gains:
    """What each of the networks drawn adds to the front of those known, in both boxes together."""
    seen = minimised(*known.T)
    front = seen[non_dominated(seen)]
    boxes = around(front), (seen.min(axis=0), seen.max(axis=0))
    return Gains(front, np.array([minimised(*drawn.T) for drawn in draws]), boxes)


def _liking(drawn: Floats, low: Floats, high: Floats, wanted: Floats) -> Floats:
    """How much more a gain counts at the end of the front that is asked for, (m,); 1 unless said."""
    place = np.clip((drawn - low) / np.where(high > low, high - low, 1.0), 0.0, 1.0)
    place[:, :-1] = 1.0 - place[:, :-1]  # all: higher is better
    liking: Floats = np.prod((1.0 + place) ** wanted, axis=1)
    return liking


def _listed(surrogate: Surrogate, partition: Partition, niche: int) -> Iterator[Architecture]:
    """Every member of the niche, of the likely and of the others the best by expectation first."""
    members = partition.members[niche]
    if members:
        points = minimised(*surrogate.expect_members(niche).T)
        for part in _by_chance(surrogate, members):
            yield from (members[part[i]] for front in fronts(points[part]) for i in front)


def _by_chance(
    surrogate: Surrogate, members: Sequence[Architecture]
) -> tuple[NDArray[np.intp], NDArray[np.intp]]:
    """The places of those that the device can probably run, and of the others."""
    likely = surrogate.feasible(members) >= LIKELY
    return np.flatnonzero(likely), np.flatnonzero(~likely)


def _found(
    surrogate: Surrogate, partition: Partition, niche: int, rng: np.random.Generator
) -> list[Architecture]:
    """What an evolutionary search within the niche found best by expectation, the likely first."""
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
    best = _best(list(values), values, POOL)
    return [best[i] for part in _by_chance(surrogate, best) for i in part]


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
