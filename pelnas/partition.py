"""Complexity-driven partition: the space cut into disjoint niches, so that no corner is forgotten.

Source: PEL-NAS (arXiv 2510.01472), section on complexity-driven partition. A
space that names its own niches (operation counts on NAS-Bench-201) is cut by
them; any space can be cut at quantiles of FLOPs.
"""

from collections.abc import Iterator
from dataclasses import dataclass
from functools import cached_property, lru_cache
from itertools import pairwise

import numpy as np

from pelnas.architecture import Architecture, Shape
from pelnas.errors import ConfigError
from pelnas.predicate import Condition, Predicate
from pelnas.spaces import SearchSpace

ENUMERABLE = 20_000  # spaces up to this size are listed; larger ones are sampled
CALIBRATION = 4_096  # architectures whose FLOPs set the quantiles of a large space
TRIES = 2_000  # draws before a niche of a large space counts as exhausted
FLOPS = "mflops"  # millions of multiply-accumulates, the one feature a partition adds


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
        self._homes: dict[Architecture, int] = {}  # niches that were found before

    def features(self, architecture: Architecture) -> dict[str, float]:
        """The space's features and ``mflops``."""
        flops = self.space.flops(architecture, self._shape)
        return {**self.space.features(architecture), FLOPS: flops / 1e6}

    def sizes(self, architecture: Architecture) -> tuple[int, float]:
        """Parameters and multiply-accumulates of one forward pass, as plain counts."""
        return (
            self.space.parameters(architecture, self._shape),
            self.space.flops(architecture, self._shape),
        )

    @cached_property
    def feature_names(self) -> frozenset[str]:
        return self.space.feature_names | {FLOPS}

    def locate(self, architecture: Architecture) -> int:
        """The index of the one niche that holds the architecture."""
        known = self._homes.get(architecture)
        if known is not None:
            return known
        features = self.features(architecture)
        for niche in self.niches:
            if niche.predicate.holds(features):
                if len(self._homes) < ENUMERABLE:
                    self._homes[architecture] = niche.index
                return niche.index
        raise ConfigError(
            f"the niches of {self.space.name} do not cover"
            f" {self.space.format(architecture)!r}: make them exhaustive"
        )

    def sample(self, niche: int, rng: np.random.Generator) -> Iterator[Architecture]:
        """Members of a niche in random order; ends when no unseen one is found.

        Exact without repeats for a space of at most ``ENUMERABLE`` architectures;
        for a larger one by rejection, each at most once.
        """
        if self.space.size <= ENUMERABLE:
            members = self.members[niche]
            for i in rng.permutation(len(members)):
                yield members[int(i)]
            return
        seen: set[Architecture] = set()
        tries = 0
        while tries < TRIES:
            drawn = self.space.sample(rng)
            tries += 1
            if drawn not in seen and self.locate(drawn) == niche:
                seen.add(drawn)
                tries = 0
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


def partition_by_flops(
    space: SearchSpace, count: int, rng: np.random.Generator, shape: Shape
) -> Partition:
    """At most ``count`` niches of about equal size, cut at quantiles of FLOPs.

    Quantiles over the whole space where it can be listed, else over a seeded
    sample. Equal cuts are merged, so a space of few sizes gets fewer niches.
    """
    if space.size <= ENUMERABLE:
        drawn = [space.at(index) for index in range(space.size)]
    else:
        drawn = [space.sample(rng) for _ in range(CALIBRATION)]
    sizes = [space.flops(architecture, shape) / 1e6 for architecture in drawn]
    inner = np.quantile(sizes, np.arange(1, count) / count, method="higher")
    cuts = [cut for cut in np.unique(inner.round(6)).tolist() if min(sizes) < cut]
    bounds = [None, *cuts, None]
    niches = tuple(
        _flops_niche(index, low, high) for index, (low, high) in enumerate(pairwise(bounds))
    )
    return Partition(space, niches, shape)


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
