"""Mutation and crossover within a niche: the search without a language model."""

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass

import numpy as np

from pelnas.architecture import Architecture
from pelnas.partition import ENUMERABLE, Partition
from pelnas.sampling import mutate
from pelnas.spaces import SearchSpace

CROSSOVER = 0.5  # probability of crossover, as in PEL-NAS; else mutation
POOL = 12  # children considered for each one that is kept


def crossover(
    space: SearchSpace, one: Architecture, other: Architecture, rng: np.random.Generator
) -> Architecture:
    """Each position from one of the two parents, with equal probability."""
    take = rng.integers(2, size=len(one.genes))
    pairs = zip(one.genes, other.genes, take.tolist(), strict=True)
    return space.canonical(tuple(b if second else a for a, b, second in pairs))


@dataclass(frozen=True, slots=True)
class Task:
    """How one design is to be made: ``sample``, ``mutation`` or ``crossover``, and of which parents.

    ``parents`` are indices into the list of parents.
    """

    method: str
    parents: tuple[int, ...] = ()


def draw_tasks(parents: int, count: int, rng: np.random.Generator) -> tuple[Task, ...]:
    """``count`` tasks: crossover with probability one half, else mutation; samples without parents."""
    return tuple(_draw_task(parents, rng) for _ in range(count))


def _draw_task(parents: int, rng: np.random.Generator) -> Task:
    if parents == 0:
        return Task("sample")
    if parents > 1 and rng.random() < CROSSOVER:
        one, other = rng.choice(parents, size=2, replace=False).tolist()
        return Task("crossover", (int(one), int(other)))
    return Task("mutation", (int(rng.integers(parents)),))


class Evolution:
    """Makes new members of a niche out of its parents.

    ``prefer``: a number for each architecture, higher is more promising; the
    built-in designer passes what the rules in force say. Among a small pool of
    valid children the most promising is kept (a tournament), so rules steer
    without excluding anything.
    """

    def __init__(self, partition: Partition) -> None:
        self._partition = partition
        self._space = partition.space

    def child(
        self,
        niche: int,
        task: Task,
        parents: Sequence[Architecture],
        rng: np.random.Generator,
        taken: Callable[[Architecture], bool],
        prefer: Callable[[Architecture], float],
        lets_in: Callable[[Architecture], bool] = lambda _: True,
        aim: float | None = None,
    ) -> Architecture | None:
        """A new member of the niche that is not ``taken``, or ``None`` where none is left.

        ``aim``: where in the niche's range of FLOPs a sample is drawn, see ``Partition.sample``.

        ``lets_in`` is asked last and of the chosen child alone, since its answer
        may have to be measured; a child that it turns away is not asked for again.
        """
        chosen = [parents[i] for i in task.parents]
        pool: dict[Architecture, float] = {}
        away: set[Architecture] = set()
        barren = 0  # in a row: a large niche in which nothing is let in would never end
        for candidate in self._variants(niche, task, chosen, rng, aim):
            barren += 1
            if barren > ENUMERABLE:
                break
            if candidate in pool or candidate in away or taken(candidate):
                continue
            pool[candidate] = prefer(candidate)
            if len(pool) < (POOL if chosen else 1):
                barren = 0
                continue
            best = _best(pool, away, lets_in)
            if best is not None:
                return best
        while pool:
            best = _best(pool, away, lets_in)
            if best is not None:
                return best
        return None

    def _variants(
        self,
        niche: int,
        task: Task,
        parents: list[Architecture],
        rng: np.random.Generator,
        aim: float | None,
    ) -> Iterator[Architecture]:
        """Children of the parents that lie in the niche, ever further away, then any member."""
        for steps in range(1, 1 + 3 * POOL):
            if not parents:
                break
            child = parents[0]
            if task.method == "crossover":
                child = crossover(self._space, parents[0], parents[1], rng)
            for _ in range(
                0 if task.method == "crossover" and steps <= POOL else 1 + steps // POOL
            ):
                child = mutate(self._space, child, rng)
            if self._partition.locate(child) == niche:
                yield child
        yield from self._partition.sample(niche, rng, aim)


def _best(
    pool: dict[Architecture, float],
    away: set[Architecture],
    lets_in: Callable[[Architecture], bool],
) -> Architecture | None:
    """The most promising child of the pool, or ``None`` after moving one that is turned away."""
    # Ties keep the first drawn: max() returns it, and dicts keep their order.
    best = max(pool, key=pool.__getitem__)
    if lets_in(best):
        return best
    del pool[best]
    away.add(best)
    return None
