"""What a run's evaluations let expect of networks that were not evaluated: costs and accuracy."""

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from functools import cache, cached_property
from threading import RLock

import numpy as np
from scipy.stats import spearmanr
from threadpoolctl import ThreadpoolController

from pelnas.architecture import Architecture
from pelnas.partition import Partition
from pelnas.surrogate.encoding import Encoding, Rows
from pelnas.surrogate.process import Floats, Process, Weights, fit_weights
from pelnas.surrogate.scale import SCALES, Linear, Scale

FEWEST = 20  # feasible evaluations below which nothing is expected
MOST = 1_500  # evaluations that it learns from: the latest of more
GROWTH = 1.5  # the weights are fitted again when the evaluations have grown by this
FITTED = 200  # evaluations that weights are fitted on at most, the first ones
UNLIKELY = 0.02  # the least chance that a device is given to run a network


@dataclass(frozen=True, slots=True)
class Seen:
    """An evaluated network; ``score``: higher is better; ``costs``: of the run, lower is better."""

    architecture: Architecture
    score: float
    costs: tuple[float, ...]


class Surrogate:
    """Gaussian processes over what is chosen where, one for each objective.

    A value: it follows from the evaluations alone, so that a search that was killed goes on as
    it would have. Fitted at the first use; whoever asks holds ``working``.
    """

    def __init__(
        self, partition: Partition, seen: Sequence[Seen], infeasible: Sequence[Architecture] = ()
    ) -> None:
        """``seen``: feasible evaluations with finite values, oldest first; ``infeasible``: the others."""
        self._partition = partition
        self.seen, self._infeasible = tuple(seen), tuple(infeasible)
        self._lock = RLock()

    @property
    def ready(self) -> bool:
        """Whether there is enough to learn from."""
        return len(self.seen) >= FEWEST

    @contextmanager
    def working(self) -> Iterator[None]:
        """One at a time, on one core: sums then come out the same whatever else is running."""
        with self._lock, _pools().limit(limits=1):
            yield

    def expect(self, architectures: Sequence[Architecture]) -> Floats:
        """Expected costs and score, (n, k)."""
        across = self._encoding.kernels(self._encoding.rows(architectures), self._rows)
        return np.column_stack([each.mean(across) for each in self._objectives])

    @cached_property
    def expected(self) -> Floats:
        """Expected costs and score of what was evaluated, (n, k)."""
        return self.expect([each.architecture for each in self.seen])

    def draw(
        self, architectures: Sequence[Architecture], count: int, rng: np.random.Generator
    ) -> Floats:
        """``count`` joint draws of costs and score from the posterior, (count, n, k)."""
        rows = self._encoding.rows(architectures)
        across = self._encoding.kernels(rows, self._rows)
        among = self._encoding.kernels(rows, rows)
        drawn = [each.draw(across, among, count, rng) for each in self._objectives]
        return np.stack(drawn, axis=-1)

    def feasible(self, architectures: Sequence[Architecture]) -> Floats:
        """How likely the device can run each, (n,), by regression on 1 and 0."""
        if not self._infeasible or not architectures:
            return np.ones(len(architectures))
        rows, process, scale = self._feasibility
        across = self._encoding.kernels(self._encoding.rows(architectures), rows)
        return np.clip(scale.plain(process.mean(across)), UNLIKELY, 1.0)

    @cached_property
    def _feasibility(self) -> tuple[Rows, Process, Linear]:
        ran = [each.architecture for each in self._learned]
        failed = self._infeasible[-MOST:]
        labels = np.repeat([1.0, 0.0], [len(ran), len(failed)])
        rows = self._encoding.rows([*ran, *failed])
        kernels = self._encoding.kernels(rows, rows)
        middle, spread = float(labels.mean()), float(labels.std())
        scale = Linear(0.0, 1.0, middle, spread)
        part = np.linspace(0, len(labels) - 1, min(len(labels), FITTED)).round().astype(int)
        target = scale.standard(labels)
        weights = fit_weights([kernel[np.ix_(part, part)] for kernel in kernels], target[part])
        return rows, Process(kernels, target, weights), scale

    @cached_property
    def _encoding(self) -> Encoding:
        return Encoding(self._partition)

    @cached_property
    def _learned(self) -> tuple[Seen, ...]:
        return self.seen[-MOST:]

    @cached_property
    def _rows(self) -> Rows:
        return self._encoding.rows([each.architecture for each in self._learned])

    @cached_property
    def _kernels(self) -> tuple[Floats, ...]:
        return self._encoding.kernels(self._rows, self._rows)

    @cached_property
    def _objectives(self) -> "tuple[_Objective, ...]":
        """Costs and score."""
        *costs, scores = zip(*((*each.costs, each.score) for each in self._learned), strict=True)
        return (*(self._objective(column, -1.0) for column in costs), self._objective(scores, 1.0))

    def _objective(self, values: Sequence[float], sign: float) -> "_Objective":
        """On the scale on which the better half of what it was fitted to is ordered best.

        ``sign``: 1 where higher is better, -1 where lower is.
        """
        first = slice(0, _step(len(values)))
        kernels = [kernel[first, first] for kernel in self._kernels]
        plain = sign * np.asarray(values[first])
        better = plain >= np.median(plain)
        fitted = []
        for kind in SCALES:
            target = kind.of(values).standard(values)[first]
            weights = fit_weights(kernels, target)
            left_out = Process(kernels, target, weights).left_out(target)
            fitted.append((_order(sign * left_out[better], plain[better]), kind, weights))
        _, kind, weights = max(fitted, key=lambda each: each[0])  # of equal ones the first
        return _Objective(kind.of(values), self._kernels, values, weights)


def _order(expected: Floats, found: Floats) -> float:
    """Spearman's correlation, 0 where one of them is constant."""
    if np.ptp(expected) == 0 or np.ptp(found) == 0:
        return 0.0
    return float(spearmanr(expected, found).statistic)


class _Objective:
    def __init__(
        self, scale: Scale, kernels: Sequence[Floats], values: Sequence[float], weights: Weights
    ) -> None:
        self._scale = scale
        self._process = Process(kernels, scale.standard(values), weights)

    def mean(self, across: Sequence[Floats]) -> Floats:
        return self._scale.plain(self._process.mean(across))

    def draw(
        self,
        across: Sequence[Floats],
        among: Sequence[Floats],
        count: int,
        rng: np.random.Generator,
    ) -> Floats:
        mean, covariance = self._process.joint(across, among)
        values, vectors = np.linalg.eigh(covariance)
        root = vectors * np.sqrt(np.maximum(values, 0.0))
        drawn = mean + rng.standard_normal((count, len(mean))) @ root.T
        return self._scale.plain(drawn)


@cache
def _pools() -> ThreadpoolController:
    """The pools of threads of the numerical libraries that are loaded."""
    return ThreadpoolController()


def _step(count: int) -> int:
    """The largest of 20, 30, 45, ... up to ``count``: weights are fitted anew at these alone."""
    step = float(FEWEST)
    while step * GROWTH <= min(count, FITTED):
        step *= GROWTH
    return min(int(step), count)
