"""What a run's evaluations let expect of networks that were not evaluated: costs and accuracy."""

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from functools import cached_property
from threading import RLock

import numpy as np

from pelnas.architecture import Architecture
from pelnas.partition import ENUMERABLE, Partition
from pelnas.processes import one_core
from pelnas.surrogate.encoding import Encoding, Expectation, Rows
from pelnas.surrogate.process import Floats, Process, Weights, fit_weights, lower_root
from pelnas.surrogate.ranks import ranks
from pelnas.surrogate.scale import SCALES, Linear, Scale

FEWEST = 20  # feasible evaluations below which nothing is expected
MOST = 1_500  # evaluations that it learns from: the latest of more
MOST_LISTED = 600  # the same where every member of a niche is asked each round, which costs as much
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
        self,
        partition: Partition,
        seen: Sequence[Seen],
        infeasible: Sequence[Architecture] = (),
        earlier: "Surrogate | None" = None,
    ) -> None:
        """``seen``: feasible evaluations with finite values, oldest first; ``infeasible``: the others.

        ``earlier``: one of the same partition, whose encoding and weights serve again where they
        would come out the same.
        """
        self._partition = partition
        self._most = MOST_LISTED if partition.space.size <= ENUMERABLE else MOST
        self.seen, self._infeasible = tuple(seen), tuple(infeasible)
        self._encoding: Encoding = earlier._encoding if earlier else Encoding(partition)
        self._fitted: _Fits | None = earlier._fitted if earlier else None
        self._lock: RLock = earlier._lock if earlier else RLock()

    def extended(
        self, seen: Sequence[Seen], infeasible: Sequence[Architecture] = ()
    ) -> "Surrogate":
        """One that has seen these, too."""
        known = (*self.seen, *seen), (*self._infeasible, *infeasible)
        return Surrogate(self._partition, *known, earlier=self)

    @property
    def ready(self) -> bool:
        """Whether there is enough to learn from."""
        return len(self.seen) >= FEWEST

    @contextmanager
    def working(self) -> Iterator[None]:
        """One at a time of those that share an encoding, which grows as it is used; on one core."""
        with self._lock, one_core():
            yield

    def expect(self, architectures: Sequence[Architecture]) -> Floats:
        """Expected costs and score, (n, k)."""
        return self._expect(self._encoding.rows(architectures))

    def expect_members(self, niche: int) -> Floats:
        """The same of every member of a niche, for a space that can be listed."""
        return self._expect(self._encoding.members(niche))

    def _expect(self, rows: Rows) -> Floats:
        found = self._expectation.at(rows)
        scales = [each.scale for each in self._objectives]
        return np.column_stack([s.plain(column) for s, column in zip(scales, found.T, strict=True)])

    @cached_property
    def _expectation(self) -> Expectation:
        processes = [each.process for each in self._objectives]
        weights = np.stack([each.weights.kernels for each in processes])
        return self._encoding.expectation(
            self._rows, weights, np.column_stack([p.alpha for p in processes])
        )

    @cached_property
    def expected(self) -> Floats:
        """Expected costs and score of what was evaluated, (n, k)."""
        return self.expect([each.architecture for each in self.seen])

    @cached_property
    def measured(self) -> Floats:
        """Costs as they were measured, and expected score, of what was evaluated, (n, k)."""
        costs = np.array([each.costs for each in self.seen], dtype=np.float64)
        return np.column_stack([costs, self.expected[:, -1]])

    def draw(
        self,
        architectures: Sequence[Architecture],
        count: int,
        rng: np.random.Generator,
        *,
        with_residuals: bool = False,
    ) -> Floats:
        """``count`` joint draws of costs and score from the posterior, (count, n, k).

        ``with_residuals``: of costs as they would be measured, with what no kernel explains.
        """
        rows = self._encoding.rows(architectures)
        across = self._encoding.kernels(rows, self._rows)
        among = self._encoding.kernels(rows, rows)
        *costs, score = self._objectives
        drawn = [
            each.draw(across, among, count, rng, with_residual=with_residuals) for each in costs
        ]
        return np.stack([*drawn, score.draw(across, among, count, rng)], axis=-1)

    def feasible(self, architectures: Sequence[Architecture]) -> Floats:
        """How likely the device can run each, (n,), by regression on 1 and 0."""
        if not self._infeasible or not architectures:
            return np.ones(len(architectures))
        expectation, scale = self._feasibility
        found = expectation.at(self._encoding.rows(architectures))[:, 0]
        return np.clip(scale.plain(found), UNLIKELY, 1.0)

    @cached_property
    def _feasibility(self) -> tuple[Expectation, Linear]:
        ran = [each.architecture for each in self._learned]
        failed = self._infeasible[-self._most :]
        labels = np.repeat([1.0, 0.0], [len(ran), len(failed)])
        rows = self._encoding.rows([*ran, *failed])
        kernels = self._encoding.kernels(rows, rows)
        middle, spread = float(labels.mean()), float(labels.std())
        scale = Linear(0.0, 1.0, middle, spread)
        part = np.linspace(0, len(labels) - 1, min(len(labels), FITTED)).round().astype(int)
        target = scale.standard(labels)
        weights = fit_weights([kernel[np.ix_(part, part)] for kernel in kernels], target[part])
        alpha = Process(kernels, target, weights).alpha
        return self._encoding.expectation(rows, weights.kernels[None], alpha[:, None]), scale

    @cached_property
    def _learned(self) -> tuple[Seen, ...]:
        return self.seen[-self._most :]

    @cached_property
    def _rows(self) -> Rows:
        return self._encoding.rows([each.architecture for each in self._learned])

    @cached_property
    def _kernels(self) -> tuple[Floats, ...]:
        return self._encoding.kernels(self._rows, self._rows)

    @cached_property
    def _objectives(self) -> "tuple[_Objective, ...]":
        """Costs and score."""
        return tuple(
            _Objective(kind, weights, self._kernels, values)
            for (kind, weights), values in zip(self._fit(), _columns(self._learned), strict=True)
        )

    def _fit(self) -> "Sequence[_Fit]":
        """Of each objective, to the first evaluations; made once while these stay the same."""
        first = self.seen[: _step(len(self.seen))]
        if self._fitted is None or self._fitted.first != first:
            *costs, scores = _columns(first)
            rows = self._encoding.rows([each.architecture for each in first])
            kernels = self._encoding.kernels(rows, rows)
            of_costs = [_best_scale(kernels, values, -1.0) for values in costs]
            self._fitted = _Fits(first, (*of_costs, _best_scale(kernels, scores, 1.0)))
        return self._fitted.objectives


def _columns(seen: Sequence[Seen]) -> list[Floats]:
    """Each cost and the score, (n,) each."""
    table = np.array([(*each.costs, each.score) for each in seen], dtype=np.float64)
    return list(table.T)


#: On which scale an objective is followed, and the weights of its kernels there.
_Fit = tuple[type[Scale], Weights]


@dataclass(frozen=True, slots=True)
class _Fits:
    """What was learned of each objective from the first evaluations."""

    first: tuple[Seen, ...]
    objectives: tuple[_Fit, ...]


def _best_scale(kernels: Sequence[Floats], values: Floats, sign: float) -> _Fit:
    """The scale on which the better half is ordered best by all others, and its weights.

    ``sign``: 1 where higher is better, -1 where lower is.
    """
    plain = sign * values
    better = plain >= np.median(plain)
    fitted = []
    for kind in SCALES:
        target = kind.of(values).standard(values)
        weights = fit_weights(kernels, target)
        left_out = Process(kernels, target, weights).left_out(target)
        fitted.append((_order(sign * left_out[better], plain[better]), kind, weights))
    _, kind, weights = max(fitted, key=lambda each: each[0])  # of equal ones the first
    return kind, weights


def _order(expected: Floats, found: Floats) -> float:
    """Spearman's correlation, 0 where one of them is constant."""
    if np.ptp(expected) == 0 or np.ptp(found) == 0:
        return 0.0
    return float(np.corrcoef(ranks(expected), ranks(found))[1, 0])


class _Objective:
    def __init__(
        self, kind: type[Scale], weights: Weights, kernels: Sequence[Floats], values: Floats
    ) -> None:
        self.scale = kind.of(values)
        self.process = Process(kernels, self.scale.standard(values), weights)

    def draw(
        self,
        across: Sequence[Floats],
        among: Sequence[Floats],
        count: int,
        rng: np.random.Generator,
        *,
        with_residual: bool = False,
    ) -> Floats:
        mean, covariance = self.process.joint(across, among)
        if with_residual:
            covariance += self.process.weights.noise * np.eye(len(covariance))
        drawn = mean + rng.standard_normal((count, len(mean))) @ lower_root(covariance).T
        return self.scale.plain(drawn)


def _step(count: int) -> int:
    """The largest of 20, 30, 45, ... up to ``count``: weights are fitted anew at these alone."""
    step = float(FEWEST)
    while step * GROWTH <= min(count, FITTED):
        step *= GROWTH
    return min(int(step), count)
