"""Networks as numbers for a model of latency, and how alike two of them are to a device."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Protocol

import numpy as np
from numpy.typing import NDArray

from pelnas.architecture import Architecture, Shape
from pelnas.spaces import SearchSpace

Floats = NDArray[np.float64]
REFERENCE = 1_000  # random networks that middles and spreads are taken from
NEAR = 4.0  # a network that differs in a quarter of the positions is 1/e as alike
WORK_REACH = 1.0  # lengths of the smooth kernels, in blocks of mean squared norm 1
OTHERS_REACH = 0.7
NOTHING = -1  # the gene of a choice that is not executed


class Others(Protocol):
    """What other devices take for the same networks."""

    def values(self, architectures: Sequence[Architecture]) -> Floats:
        """Standardised costs, (n, columns)."""


@dataclass(frozen=True, eq=False, slots=True)
class Rows:
    """n encoded networks.

    ``linear``: blocks (n, k), of mean squared norm 1; the block of the other devices is the
    last where there is one. ``executed``, ``chosen``: genes (n, positions).
    """

    linear: tuple[Floats, ...]
    executed: NDArray[np.int16]
    chosen: NDArray[np.int16]

    def __len__(self) -> int:
        return len(self.chosen)

    def take(self, which: NDArray[np.intp] | slice) -> "Rows":
        """Some of them."""
        return Rows(
            tuple(block[which] for block in self.linear), self.executed[which], self.chosen[which]
        )


class CostFeatures:
    """What a network asks of a device (``SearchSpace.workload``), its choices, and other devices.

    Kernels, in the order of ``names``: a constant; one linear kernel each for the views of the
    work, the choices and the other devices' costs; smooth kernels over the first view and over
    the other devices; and closeness in choices, which is what sums leave over.
    """

    def __init__(self, space: SearchSpace, shape: Shape, others: Others | None = None) -> None:
        self._space, self._shape, self._others = space, shape, others
        rng = np.random.default_rng(0)
        count = min(REFERENCE, space.size)
        sample = [space.sample(rng) for _ in range(count)]
        self._places = {
            each: i
            for i, each in enumerate(
                (place, gene) for place, ops in enumerate(space.choices) for gene in range(len(ops))
            )
        }
        blocks = self._blocks(sample)
        self._scales = {name: _Scale.of(block) for name, block in blocks.items()}
        self.linear_names = tuple(blocks)
        smooth = ("smooth work", "near executed", "near chosen")
        beside = ("smooth others", "near in both") if others is not None else ()
        self.names = ("constant", *self.linear_names, *smooth, *beside)

    def rows(self, architectures: Sequence[Architecture]) -> Rows:
        """The networks as numbers."""
        blocks = self._blocks(architectures)
        linear = tuple(self._scales[name].scaled(block) for name, block in blocks.items())
        chosen = np.array([each.genes for each in architectures], dtype=np.int16)
        executed = np.full_like(chosen, NOTHING)
        for row, each in enumerate(architectures):
            places = list(self._space.executed(each.genes))
            executed[row, places] = chosen[row, places]
        return Rows(linear, executed, chosen)

    def kernels(self, one: Rows, other: Rows) -> Floats:
        """How alike the rows of both are, (kernels, n, m), each about 1 for a row with itself."""
        linear = [a @ b.T for a, b in zip(one.linear, other.linear, strict=True)]
        return np.stack([np.ones_like(linear[0]), *linear, *self._smooth(one, other)])

    def total(self, weights: Floats, one: Rows, other: Rows) -> Floats:
        """The weighted sum of the kernels, (n, m), without holding all of them."""
        roots = np.sqrt(weights[1 : 1 + len(one.linear)])
        left = np.hstack([block * root for block, root in zip(one.linear, roots, strict=True)])
        right = np.hstack([block * root for block, root in zip(other.linear, roots, strict=True)])
        found: Floats = left @ right.T + weights[0]
        for weight, kernel in zip(weights[1 + len(roots) :], self._smooth(one, other), strict=True):
            found += weight * kernel
        return found

    def diagonal(self, weights: Floats, rows: Rows) -> Floats:
        """The weighted sum of the kernels of each row with itself, (n,)."""
        count = len(rows.linear)
        found = np.full(len(rows), weights[0] + weights[1 + count :].sum())
        for weight, block in zip(weights[1 : 1 + count], rows.linear, strict=True):
            found += weight * (block**2).sum(axis=1)
        return found

    def _smooth(self, one: Rows, other: Rows) -> list[Floats]:
        executed = _near(one.executed, other.executed)
        found = [_smooth(one.linear[0], other.linear[0], WORK_REACH), executed]
        found.append(_near(one.chosen, other.chosen))
        if self._others is not None:
            smooth = _smooth(one.linear[-1], other.linear[-1], OTHERS_REACH)
            found += [smooth, smooth * executed]
        return found

    def _blocks(self, architectures: Sequence[Architecture]) -> "dict[str, _Block]":
        views = [self._space.workload(each, self._shape) for each in architectures]
        blocks = {
            f"work {view}": _Block(
                tuple(columns), np.array([list(each[view].values()) for each in views])
            )
            for view, columns in views[0].items()
        }
        first = next(iter(blocks.values()))
        positive = np.where(first.values > 0, first.values, 1.0)
        blocks["logarithms of work"] = _Block(first.names, np.log(positive))
        blocks["choices"] = _Block((), self._choices(architectures))
        if self._others is not None:
            blocks["other devices"] = _Block((), self._others.values(architectures))
        return blocks

    def _choices(self, architectures: Sequence[Architecture]) -> Floats:
        """Which choice stands where, (n, choices); a position without effect has none."""
        found = np.zeros((len(architectures), len(self._places)))
        for row, each in enumerate(architectures):
            for place in self._space.active(each.genes):
                found[row, self._places[place, each.genes[place]]] = 1.0
        return found


@dataclass(frozen=True, eq=False, slots=True)
class _Block:
    """``names`` of the columns, () where each has a unit of its own; ``values`` (n, columns)."""

    names: tuple[str, ...]
    values: Floats


@dataclass(frozen=True, eq=False, slots=True)
class _Scale:
    middle: Floats
    spread: Floats

    @classmethod
    def of(cls, block: _Block) -> "_Scale":
        """Columns of one unit, ``UNIT@PLACE``, share a scale: that of their sum."""
        values = block.values
        names = block.names or tuple(map(str, range(values.shape[1])))
        units = [name.partition("@")[0] for name in names]
        spread = np.empty(values.shape[1])
        for unit in dict.fromkeys(units):
            own = [i for i, each in enumerate(units) if each == unit]
            spread[own] = values[:, own].sum(axis=1).std()
        still = values.std(axis=0) == 0
        spread[still | (spread == 0)] = np.inf  # what never changes says nothing
        middle = values.mean(axis=0)
        norm = (((values - middle) / spread) ** 2).sum(axis=1).mean()
        return cls(middle, spread * np.sqrt(norm or 1.0))

    def scaled(self, block: _Block) -> Floats:
        scaled: Floats = (block.values - self.middle) / self.spread
        return scaled


def _smooth(one: Floats, other: Floats, reach: float) -> Floats:
    """The squared exponential kernel."""
    apart = (one**2).sum(axis=1)[:, None] + (other**2).sum(axis=1)[None] - 2 * one @ other.T
    smooth: Floats = np.exp(-np.maximum(apart, 0.0) / (2 * reach**2))
    return smooth


def _near(one: NDArray[np.int16], other: NDArray[np.int16]) -> Floats:
    """Falls with the share of positions that differ."""
    alike = np.zeros((len(one), len(other)))
    for place in range(one.shape[1]):
        alike += one[:, place, None] == other[None, :, place]
    near: Floats = np.exp(NEAR * (alike / one.shape[1] - 1.0))
    return near
