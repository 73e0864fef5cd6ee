"""A model of a device from a few measured networks: a Gaussian process on log latency.

Rasmussen & Williams, Gaussian Processes for Machine Learning, 2006: posterior by algorithm 2.1,
gradient of the marginal likelihood by equation 5.9, leave-one-out by equations 5.10 to 5.12.
"""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from scipy.linalg import cho_factor, cho_solve, cholesky, solve_triangular
from scipy.optimize import minimize

from pelnas.devices.cost_features import CostFeatures, Floats, Rows

#: A latency is modelled as log(latency / median + OFFSET): relative for what takes about as long
#: as most, and not led by networks that take next to nothing.
OFFSET = 0.3
STEPS = 80  # of the search for the weights
LOW, HIGH = np.log(1e-7), np.log(1e3)  # of a weight; the target has a variance of about 1
JITTER = 1e-8
LEAST_SCALE = 1e-3  # of the target: one network measured several times has none
SCALE_EVIDENCE = 5.0  # measurements that the prior scale of the target counts as
ONE_DEVIATION = 0.6827  # of a normal distribution lies within one deviation
CALIBRATION = 20.0  # measurements that count as much as the belief that the process is right
MOST_CORRECTION = 4.0  # of predicted deviations by what leaving one out shows
FAR = 2.0  # times the usual predicted deviation, from which a prediction is an extrapolation

#: Weights before anything was learned, by the first word of a kernel's name.
USUAL = {
    "constant": 0.1,
    "work": 0.2,
    "logarithms": 0.2,
    "choices": 0.05,
    "other": 0.4,
    "smooth": 0.08,
    "near": 0.03,
}
USUAL_NOISE = 0.01
USUAL_SPREAD = 1.5  # one deviation of a logarithm of a weight, before anything was learned


@dataclass(frozen=True, eq=False, slots=True)
class Belief:
    """Before measurements: logarithms of the kernels' weights and of the noise, last; (k + 1,) each.

    ``spread``: one standard deviation.
    """

    logs: Floats
    spread: Floats

    @classmethod
    def usual(cls, features: CostFeatures) -> "Belief":
        """Without other devices to learn from."""
        weights = [USUAL[name.split()[0]] for name in features.names]
        logs = np.log(np.array([*weights, USUAL_NOISE]))
        return cls(logs, np.full(len(logs), USUAL_SPREAD))

    @property
    def weights(self) -> Floats:
        """Of the kernels, (k,)."""
        weights: Floats = np.exp(self.logs[:-1])
        return weights

    @property
    def noise(self) -> float:
        """Its variance."""
        return float(np.exp(self.logs[-1]))


@dataclass(frozen=True, slots=True)
class HeldOut:
    """Each measured network predicted from all others.

    ``error``: median of the absolute relative errors; ``spearman``: rank agreement;
    ``within``: share of the truths within one predicted deviation.
    """

    count: int
    error: float
    spearman: float
    within: float

    def __str__(self) -> str:
        return (
            f"held-out error {100 * self.error:.1f} %, Spearman {self.spearman:.3f} over"
            f" {self.count} networks"
        )


@dataclass(frozen=True, eq=False, slots=True)
class Expected:
    """Latencies in ms with the ends of one predicted deviation, (n,) each; lower is faster.

    ``extrapolated``: whether a network is far from all that was measured.
    """

    latency: Floats
    low: Floats
    high: Floats
    extrapolated: np.ndarray[tuple[int], np.dtype[np.bool_]]


class LatencyModel:
    """What n measured latencies, with a belief about the kernels, let expect of other networks."""

    def __init__(
        self, features: CostFeatures, rows: Rows, latencies: Sequence[float], belief: Belief
    ) -> None:
        """``latencies``: in ms, positive, one a row."""
        self._features, self._rows = features, rows
        measured = np.asarray(latencies, dtype=np.float64)
        self._median = float(np.median(measured))
        target = self._warped(measured)
        kernels = features.kernels(rows, rows)
        self._middle = float(target.mean())
        self._scale = _scale(kernels, target - self._middle, belief)
        standard = (target - self._middle) / self._scale
        logs = fit(kernels, standard, belief)
        self._weights, noise = np.exp(logs[:-1]), float(np.exp(logs[-1]))
        total = np.tensordot(self._weights, kernels, axes=1)
        total[np.diag_indices_from(total)] += noise + JITTER
        self._noise = noise
        self._factor = cholesky(total, lower=True, check_finite=False)
        self._alpha = cho_solve((self._factor, True), standard, check_finite=False)
        self._leave_one_out(standard, measured)

    def expect(self, rows: Rows) -> Expected:
        """Of other networks."""
        across = self._features.total(self._weights, rows, self._rows)
        explained = solve_triangular(self._factor, across.T, lower=True, check_finite=False)
        variance = self._features.diagonal(self._weights, rows) - (explained**2).sum(axis=0)
        deviation = np.sqrt(np.maximum(variance, 0.0) + self._noise) * self._correction
        mean = across @ self._alpha
        low, middle, high = (self._plain(mean + sign * deviation) for sign in (-1, 0, 1))
        return Expected(middle, low, high, deviation > FAR * self._usual)

    def _leave_one_out(self, standard: Floats, measured: Floats) -> None:
        """``held_out``, and the correction of predicted deviations that it shows to be right."""
        from scipy.stats import spearmanr  # slow to import, and complete tables need none of this

        inverse = cho_solve((self._factor, True), np.eye(len(standard)), check_finite=False)
        precision = np.diag(inverse)
        off, deviation = self._alpha / precision, 1 / np.sqrt(precision)
        share = len(standard) / (len(standard) + CALIBRATION)
        ratio = float(np.quantile(np.abs(off) / deviation, ONE_DEVIATION))
        bounded = np.clip(ratio, 1 / MOST_CORRECTION, MOST_CORRECTION)
        self._correction = float(bounded**share)
        self._usual = float(np.median(deviation)) * self._correction
        expected = self._plain(standard - off)
        order = spearmanr(expected, measured).statistic if np.ptp(measured) > 0 else 1.0
        self.held_out = HeldOut(
            count=len(measured),
            error=float(np.median(np.abs(expected / measured - 1))),
            spearman=float(order),
            within=float(np.mean(np.abs(off) < deviation * self._correction)),
        )

    def _warped(self, latency: Floats) -> Floats:
        warped: Floats = np.log(latency / self._median + OFFSET)
        return warped

    def _plain(self, standard: Floats) -> Floats:
        """Milliseconds; never below a thousandth of the median."""
        warped = np.exp(self._middle + self._scale * standard)
        plain: Floats = self._median * np.maximum(warped - OFFSET, 1e-3)
        return plain


def fit(kernels: Floats, target: Floats, belief: Belief) -> Floats:
    """The most probable logarithms of the weights and of the noise, (k + 1,).

    ``kernels`` (k, n, n), ``target`` (n,) of mean 0.
    """
    count = len(target)

    def loss(logs: Floats) -> tuple[float, Floats]:
        weights = np.exp(logs)
        total = np.tensordot(weights[:-1], kernels, axes=1)
        total[np.diag_indices(count)] += weights[-1] + JITTER
        factor = cho_factor(total, lower=True, check_finite=False)
        alpha = cho_solve(factor, target, check_finite=False)
        inverse = cho_solve(factor, np.eye(count), check_finite=False)
        likelihood = -0.5 * float(target @ alpha) - float(np.log(np.diag(factor[0])).sum())
        inner = np.outer(alpha, alpha) - inverse
        slopes = np.append(0.5 * np.tensordot(kernels, inner, axes=2), 0.5 * np.trace(inner))
        apart = (logs - belief.logs) / belief.spread
        return 0.5 * float(apart @ apart) - likelihood, apart / belief.spread - slopes * weights

    found = minimize(
        loss,
        belief.logs,
        jac=True,
        bounds=[(LOW, HIGH)] * len(belief.logs),
        method="L-BFGS-B",
        options={"maxiter": STEPS},
    )
    logs: Floats = found.x
    return logs


def _scale(kernels: Floats, target: Floats, belief: Belief) -> float:
    """The target's deviation by what the belief expects of these networks.

    An informative choice is of extreme networks: their own deviation is no measure of all.
    """
    total = np.tensordot(belief.weights, kernels, axes=1)
    total[np.diag_indices_from(total)] += belief.noise + JITTER
    misfit = float(target @ cho_solve(cho_factor(total, lower=True), target))
    usual = SCALE_EVIDENCE * float(target.var())
    variance = (misfit + usual) / (len(target) + SCALE_EVIDENCE)
    return max(float(np.sqrt(variance)), LEAST_SCALE)
