"""Complexity-driven partition: the space cut into disjoint niches, so that no corner is forgotten.

Source: PEL-NAS (arXiv 2510.01472), section on complexity-driven partition. A
space that names its own niches (operation counts on NAS-Bench-201) is cut by
them; any space can be cut by FLOPs. One that can be listed is cut at quantiles;
a larger one in equal steps on a log scale from its smallest network to its
largest, since networks crowd in the middle and quantiles would, too.
"""

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from functools import cached_property, lru_cache
from itertools import pairwise

import numpy as np

from pelnas.architecture import Architecture, Shape
from pelnas.errors import ConfigError
from pelnas.predicate import Condition, Predicate
from pelnas.sampling import FLOPS, Region, extremes
from pelnas.spaces import SearchSpace
from pelnas.spaces.footprint import Footprint

ENUMERABLE = 20_000  # spaces up to this size are listed; larger ones are sampled
TRIES = 40  # walks in a row without a new member before a niche counts as exhausted


@dataclass(frozen=True, slots=True)
class Niche:
    """One part of the space: an architecture belongs to it where the predicate holds."""

    index: int
    label: str
    predicate: Predicate


class Partition:
    """Disjoint niches that cover a space. ``shape`` fixes the FLOPs."""

    def __init__(self, space: SearchSpace, niches: tuple[Niche, ...], shape: Shape) -> None:
        self.space = space
        self.niches = niches
        self._shape = shape
        self._footprints: dict[Architecture, Footprint] = {}
        self._homes: dict[Architecture, int] = {}  # niches that were found before

    def features(self, architecture: Architecture) -> dict[str, float]:
        """The space's features and ``mflops``."""
        return {**self.space.features(architecture), **self.features_of_size(architecture)}

    def features_of_size(self, architecture: Architecture) -> dict[str, float]:
        return {FLOPS: self.space.flops(architecture, self._shape) / 1e6}

    @cached_property
    def _asked(self) -> Callable[[Architecture], dict[str, float]]:
        """The features that the niches ask for, and as few others as can be."""
        names = {c.feature for niche in self.niches for c in niche.predicate.conditions}
        if names <= {FLOPS}:
            return self.features_of_size
        if names <= set(self.space.operations):
            return self.space.operation_counts
        return self.features if FLOPS in names else self.space.features

    def sizes(self, architecture: Architecture) -> tuple[int, float]:
        """Parameters and multiply-accumulates of one forward pass, as plain counts."""
        return (
            self.space.parameters(architecture, self._shape),
            self.space.flops(architecture, self._shape),
        )

    def footprint(self, architecture: Architecture) -> Footprint:
        """Peak memory and size in bytes; counted once, for some spaces on the built network."""
        if architecture not in self._footprints:
            self._footprints[architecture] = self.space.footprint(architecture, self._shape)
        return self._footprints[architecture]

    @cached_property
    def feature_names(self) -> frozenset[str]:
        return self.space.feature_names | {FLOPS}

    def locate(self, architecture: Architecture) -> int:
        """The index of the one niche that holds the architecture."""
        known = self._homes.get(architecture)
        if known is not None:
            return known
        features = self._asked(architecture)
        for niche in self.niches:
            if niche.predicate.holds(features):
                if len(self._homes) < ENUMERABLE:
                    self._homes[architecture] = niche.index
                return niche.index
        raise ConfigError(
            f"the niches of {self.space.name} do not cover"
            f" {self.space.format(architecture)!r}: make them exhaustive"
        )

    def sample(
        self, niche: int, rng: np.random.Generator, aim: float | None = None
    ) -> Iterator[Architecture]:
        """Members of a niche in random order; ends when no unseen one is found.

        Exact without repeats for a space of at most ``ENUMERABLE`` architectures. For a
        larger one by walks (``pelnas.sampling``), each at most once, evenly over the niche's
        range of log FLOPs; the first near its share ``aim``, 0 to 1, where one is named.
        """
        if self.space.size <= ENUMERABLE:
            members = self.members[niche]
            for i in rng.permutation(len(members)):
                yield members[int(i)]
            return
        region = _region_of(self.space, self.niches[niche].predicate, self._shape)
        seen: set[Architecture] = set()
        tries = 0
        while tries < TRIES:
            drawn = region.draw(rng, aim)
            tries += 1
            if drawn is not None and drawn not in seen:
                seen.add(drawn)
                tries, aim = 0, None
                yield drawn

    def left(self, niche: int, designed: int) -> int | None:
        """How many members have not been designed; ``None`` where they cannot be counted."""
        if self.space.size > ENUMERABLE:
            return None
        return len(self.members[niche]) - designed

    @property
    def members(self) -> list[list[Architecture]]:
        """Every architecture of every niche; only for spaces that can be listed."""
        members, self._homes = _cut(self.space, self.niches, self._shape)
        return members


@lru_cache(maxsize=64)  # as below; where a region ends is found by thousands of steps
def _region_of(space: SearchSpace, predicate: Predicate, shape: Shape) -> Region:
    return Region(space, predicate, shape)


@lru_cache(maxsize=4)  # an estimate, the search and its report cut the same space alike
def _cut(
    space: SearchSpace, niches: tuple[Niche, ...], shape: Shape
) -> tuple[list[list[Architecture]], dict[Architecture, int]]:
    """A space that can be listed: the members of each niche, and the niche of each of them."""
    partition = Partition(space, niches, shape)
    members: list[list[Architecture]] = [[] for _ in niches]
    for index in range(space.size):
        architecture = space.at(index)
        members[partition.locate(architecture)].append(architecture)
    return members, partition._homes


def partition_by_operations(space: SearchSpace, shape: Shape) -> Partition:
    """The space's own niches. ConfigError: it has none."""
    if not space.complexity_niches:
        raise ConfigError(
            f"space {space.name!r} has no niches by operations: use partition = 'flops'"
        )
    niches = tuple(
        Niche(index, label, predicate)
        for index, (label, predicate) in enumerate(space.complexity_niches)
    )
    return Partition(space, niches, shape)


def partition_by_flops(space: SearchSpace, count: int, shape: Shape) -> Partition:
    """At most ``count`` niches by FLOPs.

    At quantiles, of about equal size, where the space can be listed; equal cuts are merged,
    so a space of few sizes gets fewer niches. Else in equal steps of log FLOPs.
    """
    bounds = [
        None,
        *(_quantiles if space.size <= ENUMERABLE else _steps)(space, count, shape),
        None,
    ]
    niches = tuple(
        _flops_niche(index, low, high) for index, (low, high) in enumerate(pairwise(bounds))
    )
    return Partition(space, niches, shape)


def _quantiles(space: SearchSpace, count: int, shape: Shape) -> list[float]:
    sizes = [space.flops(space.at(index), shape) / 1e6 for index in range(space.size)]
    inner = np.quantile(sizes, np.arange(1, count) / count, method="higher")
    return [cut for cut in np.unique(inner.round(6)).tolist() if min(sizes) < cut]


def _steps(space: SearchSpace, count: int, shape: Shape) -> list[float]:
    low, high = extremes(space, shape)
    inner = np.exp(np.linspace(low, high, count + 1)[1:-1])
    return np.unique(inner.round(6)).tolist() if high > low else []


def _flops_niche(index: int, low: float | None, high: float | None) -> Niche:
    conditions = []
    if low is not None:
        conditions.append(Condition(FLOPS, ">=", low))
    if high is not None:
        conditions.append(Condition(FLOPS, "<", high))
    label = (
        f"{'0' if low is None else f'{low:.4g}'} to {'∞' if high is None else f'{high:.4g}'} MFLOPs"
    )
    return Niche(index, label, Predicate(tuple(conditions)))
