"""What a run's evaluations let expect of networks that were not evaluated: costs and accuracy."""

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from functools import cache, cached_property
from threading import RLock

import numpy as np
from numpy.typing import NDArray
from threadpoolctl import ThreadpoolController

from pelnas.architecture import Architecture
from pelnas.partition import Partition
from pelnas.surrogate.encoding import Encoding, Rows
from pelnas.surrogate.process import Floats, Process, Weights, fit_weights

FEWEST = 20  # feasible evaluations below which nothing is expected
MOST = 1_500  # evaluations that it learns from: the latest of more
GROWTH = 1.5  # the weights are fitted again when the evaluations have grown by this
FITTED = 600  # evaluations that weights are fitted on at most, the first ones
OUTLIER = 5.0  # robust deviations from the median beyond which a value counts as just so far


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

    def __init__(self, partition: Partition, seen: Sequence[Seen]) -> None:
        """``seen``: feasible evaluations with finite values, oldest first."""
        self._partition = partition
        self.seen = tuple(seen)
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
        columns = zip(*((*each.costs, each.score) for each in self._learned), strict=True)
        return tuple(self._objective(column) for column in columns)

    def _objective(self, values: Sequence[float]) -> "_Objective":
        first = slice(0, _step(len(values)))
        kernels = [kernel[first, first] for kernel in self._kernels]
        target = _Scale.of(values)
        weights = fit_weights(kernels, target.standard(values)[first])
        return _Objective(target, self._kernels, values, weights)


class _Objective:
    def __init__(
        self, scale: "_Scale", kernels: Sequence[Floats], values: Sequence[float], weights: Weights
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


@dataclass(frozen=True, slots=True)
class _Scale:
    """To mean 0 and variance 1, with values far off the median drawn in."""

    low: float
    high: float
    middle: float
    spread: float

    @classmethod
    def of(cls, values: Sequence[float]) -> "_Scale":
        plain = np.asarray(values, dtype=np.float64)
        median = float(np.median(plain))
        robust = 1.4826 * float(np.median(np.abs(plain - median))) or float(plain.std()) or 1.0
        low, high = median - OUTLIER * robust, median + OUTLIER * robust
        inside = np.clip(plain, low, high)
        return cls(low, high, float(inside.mean()), float(inside.std()) or 1.0)

    def standard(self, values: Sequence[float]) -> Floats:
        inside = np.clip(np.asarray(values, dtype=np.float64), self.low, self.high)
        standard: Floats = (inside - self.middle) / self.spread
        return standard

    def plain(self, standard: NDArray[np.float64]) -> Floats:
        return self.middle + self.spread * standard


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
