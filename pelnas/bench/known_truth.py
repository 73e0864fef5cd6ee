"""Search problems on a large space whose exact front is known.

The cost of a network is the sum of its layers' real costs on a device. Its accuracy is made:
a sum over the layers, in which what a layer is worth and what an operation adds there are drawn
by a seed (``additive``), besides what neighbouring layers do to each other (``adjacent``).
Either may be seen through noise (``noisy``). The exact front of such sums follows by dynamic
programming over the layers, which keeps of every last operation the points that no other
dominates.
"""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import Literal

import numpy as np
from numpy.typing import NDArray

from pelnas.architecture import Architecture
from pelnas.pareto import Floats, hypervolume, igd

Kind = Literal["additive", "adjacent", "noisy"]
KINDS: tuple[Kind, ...] = ("additive", "adjacent", "noisy")

MEAN, RANGE = 60.0, 20.0  # accuracy in percent of the average network; best minus worst
PERSONAL = 0.35  # deviation of an operation's worth in one layer from its worth anywhere
PAIRS = 0.3  # variance of the interactions of neighbours, as a share of that of the sum
NOISE = 0.05  # standard deviation of what is seen, as a share of the range of accuracies
REFERENCE = 1.1  # of the hypervolume, in the box of the exact front


@dataclass(frozen=True, eq=False)
class KnownTruth:
    """``cost`` (layers, operations) in ms, ``constant`` in ms; ``worth`` likewise, in percent.

    ``pairs`` (layers - 1, operations, operations): what two neighbours add, in percent.
    ``noise``: standard deviation of an observed accuracy, in percent; one draw a network.
    """

    cost: Floats
    constant: float
    worth: Floats
    pairs: Floats
    noise: float
    seed: int

    @classmethod
    def draw(cls, kind: Kind, cost: Floats, constant: float, capacity: Floats, seed: int) -> "KnownTruth":
        """A truth by a seed. ``capacity`` (layers, operations), 0 to 1: what operations bring.

        Each layer has a weight of its own, drawn from an exponential distribution: some layers
        matter and some do not, which nobody knows beforehand.
        """
        rng = np.random.default_rng(seed)
        layers, operations = cost.shape
        weight = rng.exponential(size=(layers, 1))
        worth = weight * (capacity + PERSONAL * rng.standard_normal((layers, operations)))
        pairs = np.zeros((layers - 1, operations, operations))
        if kind == "adjacent":
            scale = np.sqrt(PAIRS * worth.var(axis=1).sum() / (layers - 1))
            pairs = scale * rng.standard_normal(pairs.shape)
        scale = RANGE / float((worth.max(axis=1) - worth.min(axis=1)).sum())
        worth = scale * worth
        worth += (MEAN - float(worth.mean(axis=1).sum())) / layers
        noise = NOISE * RANGE if kind == "noisy" else 0.0
        return cls(cost, constant, worth, scale * pairs, noise, seed)

    def latency(self, architecture: Architecture) -> float:
        """Milliseconds."""
        genes = architecture.genes
        return self.constant + float(sum(row[g] for row, g in zip(self.cost, genes, strict=True)))

    def accuracy(self, architecture: Architecture) -> float:
        """Percent, without noise."""
        genes = np.asarray(architecture.genes)
        alone = self.worth[np.arange(len(genes)), genes].sum()
        return float(alone + self.pairs[np.arange(len(genes) - 1), genes[:-1], genes[1:]].sum())

    def observed(self, architecture: Architecture) -> float:
        """Percent, with this network's noise."""
        if not self.noise:
            return self.accuracy(architecture)
        rng = np.random.default_rng([self.seed, *architecture.genes])
        return self.accuracy(architecture) + self.noise * float(rng.standard_normal())

    @cached_property
    def front(self) -> tuple[Floats, Floats]:
        """Latency (n,) and accuracy (n,) of the exact front, by latency."""
        ends = [(np.array([c]), np.array([w])) for c, w in zip(self.cost[0], self.worth[0], strict=True)]
        for layer in range(1, len(self.cost)):
            ends = [
                _undominated(
                    np.concatenate([lat + self.cost[layer, op] for lat, _ in ends]),
                    np.concatenate(
                        [
                            acc + self.worth[layer, op] + self.pairs[layer - 1, last, op]
                            for last, (_, acc) in enumerate(ends)
                        ]
                    ),
                )
                for op in range(self.cost.shape[1])
            ]
        latency, accuracy = _undominated(*map(np.concatenate, zip(*ends, strict=True)))
        return latency + self.constant, accuracy

    def judge(self, found: Sequence[Architecture]) -> tuple[float, float]:
        """Hypervolume ratio (reference 1.1) and IGD, in the box of the exact front."""
        latency = [self.latency(each) for each in found]
        accuracy = [self.accuracy(each) for each in found]
        low, high = self.front[0].min(), self.front[0].max()
        worst, best = self.front[1].min(), self.front[1].max()
        ranges = (low, low + REFERENCE * (high - low)), (best - REFERENCE * (best - worst), best)
        ratio = hypervolume(latency, accuracy, *ranges) / hypervolume(*self.front, *ranges)
        return ratio, igd(latency, accuracy, *self.front, (low, high), (worst, best))


def _undominated(latency: Floats, accuracy: Floats) -> tuple[Floats, Floats]:
    order = np.lexsort((-accuracy, latency))
    latency, accuracy = latency[order], accuracy[order]
    before = np.concatenate([[-np.inf], np.maximum.accumulate(accuracy)[:-1]])
    kept = accuracy > before
    return latency[kept], accuracy[kept]
