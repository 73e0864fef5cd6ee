"""Architectures of any space as numbers, and how alike two of them are."""

from collections import Counter
from collections.abc import Callable, Collection, Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property
from itertools import accumulate, pairwise

import numpy as np
from numpy.typing import NDArray

from pelnas.architecture import Architecture
from pelnas.partition import Partition
from pelnas.sampling import FLOPS

Floats = NDArray[np.float64]
Genes = NDArray[np.int16]
Places = NDArray[np.intp]
NEAR = 8.0  # a network that differs in an eighth of the positions is 1/e as alike
CHUNK = 256  # rows whose nearness to all others is in memory at once
SAMPLE = 256  # random networks that the spread of counts is taken from
ABSENT = -1  # the choice of a position without effect

#: The positions of an architecture that are looked at, by its genes.
Kept = Callable[[tuple[int, ...]], Collection[int]]

#: The operations on a route, and its number among those of a network with the same ones, from 1.
Route = tuple[tuple[str, ...], int]
NO_ROUTE: Route = (), 0  # of a network that has none


@dataclass(frozen=True, eq=False, slots=True)
class Rows:
    """n encoded architectures, of which d differ in what their output depends on.

    ``genes`` (n, positions), ``ABSENT`` without effect. ``kinds`` (n,): the place of each among
    the d. ``live`` (d, columns), of norm 1: what stands at each position that the output depends
    on, or that nothing does. ``routes`` (d, columns): 1 for each route from input to output, one
    column for the first of a kind, one for the second, ..., and one for having none; later rows
    may have more columns. ``sums``: features of which a value may be a sum, (n, columns) each.
    """

    genes: Genes
    kinds: Places
    live: Floats
    routes: Floats
    sums: tuple[Floats, ...]

    def take(self, places: Sequence[int] | slice) -> "Rows":
        """Some of the rows."""
        of, kinds = np.unique(self.kinds[places], return_inverse=True)
        sums = tuple(each[places] for each in self.sums)
        return Rows(self.genes[places], kinds, self.live[of], self.routes[of], sums)


@dataclass(frozen=True, slots=True)
class _Listing:
    """All members of all niches, one after the other, and where each and those of each niche are."""

    rows: Rows
    places: Mapping[Architecture, int]
    niches: Sequence[slice]


class Encoding:
    """What is chosen where, and what is chosen how often; positions without effect say nothing.

    Where a choice can cut another position off (``SearchSpace.live``), a network is described
    twice: as it is written, which some runtimes carry out in full, and by what its output
    depends on, which its accuracy follows.
    """

    def __init__(self, partition: Partition) -> None:
        self._partition, self._space = partition, partition.space
        self._sizes = sizes = [len(options) for options in self._space.choices]
        self._first = np.concatenate([[0], np.cumsum(sizes)[:-1]])  # column of each position
        self._width = int(sum(sizes))
        operations = {op: i for i, op in enumerate(self._space.operations)}
        named = [operations[op] for options in self._space.choices for op in options]
        self._counted = np.zeros((self._width, len(operations)))
        self._counted[np.arange(self._width), named] = 1.0
        self._columns: dict[Route, int] = {}  # of routes, as they are met
        self._listing: _Listing | None = None

    @cached_property
    def _drawn(self) -> list[Architecture]:
        """Random networks; drawn when something is encoded, which a short run never asks for."""
        rng = np.random.default_rng(0)
        return [self._space.sample(rng) for _ in range(SAMPLE)]

    @cached_property
    def _routed(self) -> bool:
        """Whether networks have routes that tell them apart."""
        return any(self._space.routes(each.genes) for each in self._drawn)

    @cached_property
    def _cuts(self) -> bool:
        """Whether a choice can cut another position off."""
        live, active = self._space.live, self._space.active
        return any(len(live(each.genes)) < len(active(each.genes)) for each in self._drawn)

    @cached_property
    def _scale(self) -> tuple[Floats, Floats]:
        """Mean and spread of the counts."""
        sample = self._counts(self._drawn, *self._described(self._drawn))
        spread = sample.std(axis=0)
        wide = np.where(spread > 0, spread, np.inf) * np.sqrt(sample.shape[1])
        return sample.mean(axis=0), wide

    def members(self, niche: int) -> Rows:
        """Every member of a niche of a space that can be listed, in the order of the partition."""
        if self._listing is None:
            self._listing = self._listed()
        return self._listing.rows.take(self._listing.niches[niche])

    def rows(self, architectures: Sequence[Architecture]) -> Rows:
        """The architectures as numbers; the same whether or not members were asked for before."""
        if self._listing is not None:
            places = [self._listing.places.get(each) for each in architectures]
            known = [place for place in places if place is not None]
            if len(known) == len(places):
                return self._listing.rows.take(known)
        return self._encoded(architectures)

    def _listed(self) -> _Listing:
        members = self._partition.members
        every = [each for niche in members for each in niche]
        ends = list(accumulate(map(len, members)))
        niches = [slice(end - len(niche), end) for end, niche in zip(ends, members, strict=True)]
        return _Listing(self._encoded(every), {a: i for i, a in enumerate(every)}, niches)

    def _encoded(self, architectures: Sequence[Architecture]) -> Rows:
        genes, live = self._described(architectures)
        chosen = self._chosen(genes) / np.sqrt(genes.shape[1])
        middle, spread = self._scale
        counts = (self._counts(architectures, genes, live) - middle) / spread
        placed = np.column_stack([self._chosen(live), live == ABSENT]) / np.sqrt(genes.shape[1])
        sums = (chosen, counts, placed) if self._cuts else (chosen, counts)
        first, kinds = self._distinct(live)
        routes = self._routes([architectures[i] for i in first])
        return Rows(genes, kinds, placed[first], routes, sums)

    def expectation(self, rows: Rows, weights: Floats, alphas: Floats) -> "Expectation":
        """Weighted sums of the kernels to ``rows``, as ``Expectation`` says."""
        return Expectation(rows, self._sizes, self._routed, weights, alphas)

    def kernels(self, one: Rows, other: Rows) -> tuple[Floats, ...]:
        """How alike the rows of both are, (n, m) each, in several ways, which fitting weighs.

        A constant; equal pairs of live choices; equal live choices nearly everywhere; equal
        pairs of neighbouring choices, as the first step of a Weisfeiler-Lehman kernel counts
        them (Ru et al., ICLR 2021); where a space has several, the share of equal routes from
        input to output; and one for each kind of sum: of what stands at each position, and of
        counts, which say what is good anywhere.
        """
        alike = one.live @ other.live.T
        routes = [_shared(one.routes, other.routes)] if self._routed else []
        of_kinds = (
            each[np.ix_(one.kinds, other.kinds)] for each in (alike**2, _nearness(alike), *routes)
        )
        squares, near, *routes = of_kinds
        pairs = _neighbours(one.genes, other.genes)
        sums = (a @ b.T for a, b in zip(one.sums, other.sums, strict=True))
        return np.ones_like(pairs), squares, near, pairs, *routes, *sums

    def _described(self, architectures: Sequence[Architecture]) -> tuple[Genes, Genes]:
        """The choices as they are written, and those that the output depends on."""
        genes = self._genes(architectures, self._space.active)
        return genes, self._genes(architectures, self._space.live) if self._cuts else genes

    def _genes(self, architectures: Sequence[Architecture], kept: Kept) -> Genes:
        """The choices at the positions that are kept, ``ABSENT`` at the others."""
        genes = np.array([each.genes for each in architectures], dtype=np.int16)
        for row, architecture in enumerate(architectures):
            on = kept(architecture.genes)
            if len(on) < genes.shape[1]:
                genes[row, [i for i in range(genes.shape[1]) if i not in on]] = ABSENT
        return genes

    def _distinct(self, live: Genes) -> tuple[Places, Places]:
        """The first row of each description (d,), and the place of each row's among these (n,)."""
        if not self._cuts or not len(live):
            every = np.arange(len(live))
            return every, every
        _, first, kinds = np.unique(live, axis=0, return_index=True, return_inverse=True)
        return first, kinds.ravel()

    def _routes(self, architectures: Sequence[Architecture]) -> Floats:
        """The routes of each, with a column for any that was not met before."""
        if not self._routed:
            return np.zeros((len(architectures), 0))
        met: list[tuple[int, int]] = []
        for row, architecture in enumerate(architectures):
            counts: Counter[tuple[str, ...]] = Counter()
            routes: list[Route] = []
            for operations in self._space.routes(architecture.genes):
                counts[operations] += 1
                routes.append((operations, counts[operations]))
            met += [
                (row, self._columns.setdefault(route, len(self._columns)))
                for route in routes or [NO_ROUTE]
            ]
        found = np.zeros((len(architectures), len(self._columns)))
        found[tuple(np.array(met, dtype=np.intp).reshape(-1, 2).T)] = 1.0
        return found

    def _chosen(self, genes: Genes) -> Floats:
        chosen = np.zeros((len(genes), self._width))
        rows, places = np.nonzero(genes != ABSENT)
        chosen[rows, self._first[places] + genes[rows, places]] = 1.0
        return chosen

    def _counts(self, architectures: Sequence[Architecture], genes: Genes, live: Genes) -> Floats:
        """How often each operation is chosen, and is live where that is less; and log FLOPs."""
        kept = (genes, live)[: 1 + self._cuts]
        counts = [self._chosen(each) @ self._counted for each in kept]
        sizes = [self._partition.features_of_size(each)[FLOPS] for each in architectures]
        return np.column_stack([*counts, np.log(np.maximum(sizes, 1e-6))])


class Expectation:
    """Sums over n rows of weighted kernels, for k targets at once.

    Target t at a row x is the sum over kernels i and rows j of
    ``weights[t, i] * kernel_i(x, row_j) * alphas[j, t]``. A kernel that is a product of a few
    features is summed by these, so that its cost does not grow with n; nearness and shares of
    routes need every kind of row.
    """

    def __init__(
        self, rows: Rows, sizes: Sequence[int], routed: bool, weights: Floats, alphas: Floats
    ) -> None:
        """``sizes``: choices by position; ``routed``: whether a kernel compares routes.

        ``weights`` (k, i), by kernel; ``alphas`` (n, k).
        """
        constant, squares, near, pairs, *sums = weights.T
        live, of_kinds = rows.live, np.zeros((len(rows.live), alphas.shape[1]))
        np.add.at(of_kinds, rows.kinds, alphas)
        self._routes = of_kinds * sums.pop(0) if routed else None
        self._constant = alphas.sum(axis=0) * constant
        self._squares = [(live.T * a) @ live * w for a, w in zip(of_kinds.T, squares, strict=True)]
        self._rows, self._near = rows, of_kinds * near
        shapes, genes = pairwise(size + 1 for size in sizes), pairwise(rows.genes.T)
        self._pairs = [
            _table(shape, places, alphas) * pairs
            for shape, places in zip(shapes, genes, strict=True)
        ]
        self._sums = [f.T @ alphas * w for f, w in zip(rows.sums, sums, strict=True)]

    def at(self, rows: Rows) -> Floats:
        """The sums at m rows, (m, k)."""
        found: Floats = self._of_kinds(rows)[rows.kinds]
        for table, places in zip(self._pairs, pairwise(rows.genes.T), strict=True):
            found += table[places] / len(self._pairs)
        for features, slopes in zip(rows.sums, self._sums, strict=True):
            found += features @ slopes
        return found

    def _of_kinds(self, rows: Rows) -> Floats:
        """The sums over the kernels that compare what outputs depend on, (d, k)."""
        live = rows.live
        chunks = [slice(start, start + CHUNK) for start in range(0, len(live), CHUNK)]
        near = [self._by_kind(live[chunk], rows.routes[chunk]) for chunk in chunks]
        found: Floats = self._constant + np.concatenate(near or [self._near[:0]])
        for target, square in enumerate(self._squares):
            found[:, target] += ((live @ square) * live).sum(axis=1)
        return found

    def _by_kind(self, live: Floats, routes: Floats) -> Floats:
        """The sums over the kernels that need every kind."""
        found: Floats = _nearness(live @ self._rows.live.T) @ self._near
        if self._routes is not None:
            found += _shared(routes, self._rows.routes) @ self._routes
        return found


def _table(shape: tuple[int, int], places: tuple[Genes, Genes], alphas: Floats) -> Floats:
    """The sum of the alphas (n, k) by the choices at two positions; 0 where one is ``ABSENT``."""
    table = np.zeros((*shape, alphas.shape[1]))
    np.add.at(table, places, alphas)
    table[ABSENT], table[:, ABSENT] = 0.0, 0.0  # the last row and column
    return table


def _nearness(alike: Floats) -> Floats:
    near: Floats = np.exp(NEAR * (alike - 1.0))
    return near


def _shared(one: Floats, other: Floats) -> Floats:
    """Routes of both by those of either, (n, m): the min-max kernel of their numbers.

    Positive semidefinite: Ralaivola et al., Neural Networks 2005.
    """
    width = min(one.shape[1], other.shape[1])  # no row of the narrower has a one beyond
    shared: Floats = one[:, :width] @ other[:, :width].T
    either = np.add.outer(one.sum(axis=1), other.sum(axis=1))
    either -= shared
    shared /= either
    return shared


def _neighbours(one: Genes, other: Genes) -> Floats:
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


def _agree(one: Genes, other: Genes, place: int) -> NDArray[np.bool_]:
    agree: NDArray[np.bool_] = (one[:, place, None] == other[None, :, place]) & (
        one[:, place, None] != ABSENT
    )
    return agree
