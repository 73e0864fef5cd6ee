"""Architectures of any space as numbers, and how alike two of them are."""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from pelnas.architecture import Architecture
from pelnas.partition import Partition
from pelnas.sampling import FLOPS

Floats = NDArray[np.float64]
NEAR = 8.0  # a network that differs in an eighth of the positions is 1/e as alike
SAMPLE = 256  # random networks that the spread of counts is taken from
ABSENT = -1  # the choice of a position without effect


@dataclass(frozen=True, eq=False, slots=True)
class Rows:
    """n encoded architectures.

    ``genes`` (n, positions), ``ABSENT`` without effect; ``chosen`` (n, choices), of norm at most
    1; ``counts`` (n, k), standardised: how often each operation is chosen, and log FLOPs.
    """

    genes: NDArray[np.int16]
    chosen: Floats
    counts: Floats


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
        drawn = [self._space.sample(rng) for _ in range(SAMPLE)]
        sample = self._counts(drawn, self._chosen(self._genes(drawn)))
        self._middle, spread = sample.mean(axis=0), sample.std(axis=0)
        self._spread = np.where(spread > 0, spread, np.inf) * np.sqrt(sample.shape[1])

    def rows(self, architectures: Sequence[Architecture]) -> Rows:
        """The architectures as numbers."""
        genes = self._genes(architectures)
        chosen = self._chosen(genes)
        counts = (self._counts(architectures, chosen) - self._middle) / self._spread
        return Rows(genes, chosen / np.sqrt(genes.shape[1]), counts)

    def kernels(self, one: Rows, other: Rows) -> tuple[Floats, ...]:
        """How alike the rows of both are, (n, m) each, in six ways, which are weighed by fitting.

        A constant; equal choices, which a sum over positions needs; equal pairs of choices;
        equal pairs of neighbouring choices, as the first step of a Weisfeiler-Lehman kernel
        counts them (Ru et al., ICLR 2021); equal choices nearly everywhere; and counts, which
        say what is good anywhere.
        """
        alike = one.chosen @ other.chosen.T
        near = np.exp(NEAR * (alike - 1.0))
        pairs, counts = _neighbours(one.genes, other.genes), one.counts @ other.counts.T
        return np.ones_like(alike), alike, alike**2, pairs, near, counts

    def _genes(self, architectures: Sequence[Architecture]) -> NDArray[np.int16]:
        genes = np.array([each.genes for each in architectures], dtype=np.int16)
        for row, architecture in enumerate(architectures):
            active = self._space.active(architecture.genes)
            if len(active) < genes.shape[1]:
                off = [i for i in range(genes.shape[1]) if i not in active]
                genes[row, off] = ABSENT
        return genes

    def _chosen(self, genes: NDArray[np.int16]) -> Floats:
        chosen = np.zeros((len(genes), self._width))
        rows, places = np.nonzero(genes != ABSENT)
        chosen[rows, self._first[places] + genes[rows, places]] = 1.0
        return chosen

    def _counts(self, architectures: Sequence[Architecture], chosen: Floats) -> Floats:
        sizes = [self._partition.features_of_size(each)[FLOPS] for each in architectures]
        return np.column_stack([chosen @ self._counted, np.log(np.maximum(sizes, 1e-6))])


def _neighbours(one: NDArray[np.int16], other: NDArray[np.int16]) -> Floats:
    """The share of pairs of neighbouring positions in which two rows agree, (n, m)."""
    found = np.zeros((len(one), len(other)))
    positions = one.shape[1]
    before = _agree(one, other, 0)
    for place in range(1, positions):
        here = _agree(one, other, place)
        found += before & here
        before = here
    shared: Floats = found / max(positions - 1, 1)
    return shared


def _agree(one: NDArray[np.int16], other: NDArray[np.int16], place: int) -> NDArray[np.bool_]:
    agree: NDArray[np.bool_] = (one[:, place, None] == other[None, :, place]) & (
        one[:, place, None] != ABSENT
    )
    return agree
