"""Random members of a region of a space that cannot be listed, at any complexity the region has.

Networks drawn uniformly crowd in the middle of a large space: the ends of its range are so
rare that rejection never finds them. A walk does: from a random network, random changes of
one to three choices are kept where they lead towards the region and towards an aimed-at complexity.
"""

from collections.abc import Callable, Sequence
from functools import lru_cache, partial
from math import inf, log

import numpy as np

from pelnas.architecture import Architecture, Shape
from pelnas.predicate import COMPARISONS, Predicate
from pelnas.spaces import SearchSpace

STARTS = 4  # random networks from which an end of the range is looked for
STEPS = 3_000  # moves that a walk may try
MOST_CHANGES = 3  # choices that a move changes: one alone cannot trade layers for other ones
NEAR = 0.03  # of the range of a region: so near to what it aims at, a walk ends
FLOPS = "mflops"  # millions of multiply-accumulates, the one feature that is not the space's own


def mutate(space: SearchSpace, parent: Architecture, rng: np.random.Generator) -> Architecture:
    """One active position changed to another of its choices, both drawn uniformly."""
    genes = list(parent.genes)
    active = space.active(parent.genes)
    place = int(rng.integers(len(active)))
    position = active[place] if isinstance(active, Sequence) else sorted(active)[place]
    options = len(space.choices[position])
    if options > 1:
        genes[position] = (genes[position] + int(rng.integers(1, options))) % options
    return space.canonical(tuple(genes))


class Region:
    """The networks of a space that satisfy a predicate over its features and ``mflops``.

    ``low``, ``high``: the least and the most log(MFLOPs) that a search over single changes found.
    """

    def __init__(self, space: SearchSpace, predicate: Predicate, shape: Shape) -> None:
        self.space = space
        self._shape = shape
        self._by_size = tuple(
            (c.op, log(max(c.value, 1e-6))) for c in predicate.conditions if c.feature == FLOPS
        )
        self._others = tuple(c for c in predicate.conditions if c.feature != FLOPS)
        self.low, self.high = self._range()

    def log_flops(self, architecture: Architecture) -> float:
        """The natural logarithm of a network's MFLOPs."""
        return log(max(self.space.flops(architecture, self._shape), 1.0) / 1e6)

    def draw(self, rng: np.random.Generator, aim: float | None = None) -> Architecture | None:
        """A member near the share ``aim`` of the log range, a random one unless said.

        ``None``: the walk did not reach the region.
        """
        share = float(rng.random()) if aim is None else aim
        target = self.low + share * (self.high - self.low)
        near = NEAR * (self.high - self.low)

        def cost(architecture: Architecture) -> tuple[float, float]:
            size = self.log_flops(architecture)
            return self._violation(architecture, size), abs(size - target)

        here = self._entered(self.space.sample(rng), rng)
        found = self._walk(here, cost, rng, enough=lambda c: c[0] == 0 and c[1] <= near)
        return found if self._violation(found, self.log_flops(found)) == 0 else None

    def _entered(self, here: Architecture, rng: np.random.Generator) -> Architecture:
        """As near to the predicate as single changes lead, tried in random order."""
        space, missed = self.space, self._violation(here, self.log_flops(here))
        moved = bool(self._others)
        while missed and moved:
            moved = False
            for position in rng.permutation(len(space.choices)).tolist():
                for gene in rng.permutation(len(space.choices[position])).tolist():
                    there = space.canonical(
                        (*here.genes[:position], gene, *here.genes[position + 1 :])
                    )
                    asked = self._violation(there, self.log_flops(there))
                    if asked < missed:
                        here, missed, moved = there, asked, True
        return here

    def _walk(
        self,
        here: Architecture,
        cost: Callable[[Architecture], tuple[float, float]],
        rng: np.random.Generator,
        enough: Callable[[tuple[float, float]], bool],
    ) -> Architecture:
        paid = cost(here)
        for _ in range(STEPS):
            if enough(paid):
                break
            there = here
            for _ in range(int(rng.integers(1, MOST_CHANGES + 1))):
                there = mutate(self.space, there, rng)
            asked = cost(there)
            if asked <= paid:
                here, paid = there, asked
        return here

    def _violation(self, architecture: Architecture, size: float) -> float:
        """How far from the predicate, 0 inside; conditions on FLOPs by ``size``, their logarithm."""
        total = sum(_missed(size, op, bound) for op, bound in self._by_size)
        if self._others:
            features = self.space.features(architecture)
            total += sum(_missed(features.get(c.feature, 0.0), c.op, c.value) for c in self._others)
        return total

    def _range(self) -> tuple[float, float]:
        low, high = extremes(self.space, self._shape)
        if not self._others:
            low = max([low, *(bound for op, bound in self._by_size if op in (">=", ">"))])
            high = min([high, *(bound for op, bound in self._by_size if op in ("<=", "<"))])
            return low, max(low, high)
        rng = np.random.default_rng(0)
        ends = [self._end(sign, rng) for sign in (1.0, -1.0)]
        return min(ends), max(ends)

    def _end(self, sign: float, rng: np.random.Generator) -> float:
        """The least (sign 1) or most (-1) log(MFLOPs) of the region."""

        def cost(architecture: Architecture) -> tuple[float, float]:
            size = self.log_flops(architecture)
            return self._violation(architecture, size), sign * size

        here = self._entered(self.space.sample(rng), rng)
        found = self._walk(here, cost, rng, enough=lambda _: False)
        return self.log_flops(_descended(self.space, found, cost))


@lru_cache(maxsize=16)
def extremes(space: SearchSpace, shape: Shape) -> tuple[float, float]:
    """The least and the most log(MFLOPs) of a space, by coordinate descent from random networks.

    Exact where the FLOPs of a network are a sum over its positions or grow with every choice.
    """
    rng = np.random.default_rng(0)
    ends = []
    for sign in (1.0, -1.0):
        best = inf
        for _ in range(STARTS):
            found = _descended(space, space.sample(rng), partial(_size, space, shape, sign))
            best = min(best, *_size(space, shape, sign, found))
        ends.append(log(max(sign * best, 1.0) / 1e6))
    return ends[0], ends[1]


def _size(
    space: SearchSpace, shape: Shape, sign: float, architecture: Architecture
) -> tuple[float]:
    return (sign * space.flops(architecture, shape),)


def _descended(
    space: SearchSpace, here: Architecture, cost: Callable[[Architecture], tuple[float, ...]]
) -> Architecture:
    """The end of the path of best single changes, each position in turn."""
    paid = cost(here)
    while True:
        before = paid
        for position in range(len(space.choices)):
            for gene in range(len(space.choices[position])):
                genes = (*here.genes[:position], gene, *here.genes[position + 1 :])
                there = space.canonical(genes)
                asked = cost(there)
                if asked < paid:
                    here, paid = there, asked
        if paid >= before:
            return here


def _missed(value: float, op: str, bound: float) -> float:
    """By how much ``value op bound`` fails, 0 where it holds."""
    if COMPARISONS[op](value, bound):
        return 0.0
    return max(abs(value - bound), 1e-6)
