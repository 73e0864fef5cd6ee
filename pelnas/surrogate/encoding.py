"""Architectures of any space as numbers, and how alike two of them are."""

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

from pelnas.architecture import Architecture
from pelnas.partition import Partition
from pelnas.sampling import FLOPS

Floats = NDArray[np.float64]
NEAR = 8.0  # a network that differs in an eighth of the positions is 1/e as alike
SAMPLE = 256  # random networks that the spread of counts is taken from


class Encoding:
    """What is chosen where, and what is chosen how often; positions without effect say nothing."""

    def __init__(self, partition: Partition) -> None:
        self._partition, self._space = partition, partition.space
        sizes = [len(options) for options in self._space.choices]
        self._first = np.concatenate([[0], np.cumsum(sizes)[:-1]])  # column of each position
        self._width = int(sum(sizes))
        operations = {op: i for i, op in enumerate(self._space.operations)}
        named = [operations[op] for options in self._space.choices for op in options]
        self._counted = np.zeros((self._width, len(operations)))
        self._counted[np.arange(self._width), named] = 1.0
        rng = np.random.default_rng(0)
        sample = self._counts([self._space.sample(rng) for _ in range(SAMPLE)])
        self._middle, spread = sample.mean(axis=0), sample.std(axis=0)
        self._spread = np.where(spread > 0, spread, np.inf) * np.sqrt(sample.shape[1])

    def rows(self, architectures: Sequence[Architecture]) -> tuple[Floats, Floats]:
        """Choices (n, c), rows of norm at most 1, and standardised counts (n, k)."""
        places = self._chosen(architectures) / np.sqrt(len(self._first))
        return places, (self._counts(architectures) - self._middle) / self._spread

    def kernels(
        self, one: tuple[Floats, Floats], other: tuple[Floats, Floats]
    ) -> tuple[Floats, ...]:
        """How alike the rows of both are, (n, m) each, in five ways.

        A constant; equal choices, which a sum over positions needs; equal pairs of choices;
        equal choices nearly everywhere; and counts, which tell what is good anywhere.
        """
        alike = one[0] @ other[0].T
        near = np.exp(NEAR * (alike - 1.0))
        return np.ones_like(alike), alike, alike**2, near, one[1] @ other[1].T

    def _chosen(self, architectures: Sequence[Architecture]) -> Floats:
        chosen = np.zeros((len(architectures), self._width))
        for row, architecture in enumerate(architectures):
            active = list(self._space.active(architecture.genes))
            genes = np.asarray(architecture.genes)[active]
            chosen[row, self._first[active] + genes] = 1.0
        return chosen

    def _counts(self, architectures: Sequence[Architecture]) -> Floats:
        counts = self._chosen(architectures) @ self._counted
        sizes = [self._partition.features_of_size(a)[FLOPS] for a in architectures]
        return np.column_stack([counts, np.log(np.maximum(sizes, 1e-6))])
