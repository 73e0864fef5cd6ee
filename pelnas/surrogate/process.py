"""Gaussian process regression on a weighted sum of given kernels.

Rasmussen & Williams, Gaussian Processes for Machine Learning, 2006: the posterior is algorithm
2.1, the gradient of the marginal likelihood equation 5.9.
"""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from scipy.linalg import cho_solve, cholesky, solve_triangular
from scipy.linalg.lapack import dpotrf, dpotrs
from scipy.optimize import minimize

Floats = NDArray[np.float64]

LEAST, MOST = np.log(1e-5), np.log(1e3)  # of a kernel's weight; the target has variance 1
LEAST_NOISE = np.log(1e-6)
STEPS = 40  # of the search for the weights
JITTER = 1e-8  # added to the diagonal, so that rounding leaves a matrix positive


@dataclass(frozen=True, slots=True)
class Weights:
    """Of each kernel, and the variance of the noise; both for targets of variance 1."""

    kernels: Floats
    noise: float


def fit_weights(kernels: Sequence[Floats], target: Floats) -> Weights:
    """The weights of the largest marginal likelihood. ``kernels``: (n, n) each; ``target`` (n,)."""
    count = len(kernels)
    start = np.log(np.array([1.0 / count] * count + [0.05]))
    bounds = [(LEAST, MOST)] * count + [(LEAST_NOISE, MOST)]
    found = minimize(
        _Loss(kernels, target).at, start, jac=True, bounds=bounds, method="L-BFGS-B",
        options={"maxiter": STEPS},
    )  # fmt: skip
    weights = np.exp(found.x)
    return Weights(weights[:-1], float(weights[-1]))


class _Loss:
    """The negative logarithm of the marginal likelihood, by the logarithms of the weights.

    It is asked hundreds of times a fit, of few points: LAPACK is called directly, since SciPy's
    own functions check their arguments for longer than the sums take.
    """

    def __init__(self, kernels: Sequence[Floats], target: Floats) -> None:
        self._kernels, self._target = kernels, target
        self._flat = [kernel.ravel() for kernel in kernels]
        self._unit = np.eye(len(target))

    def at(self, logs: Floats) -> tuple[float, Floats]:
        """The loss and its slopes. LinAlgError: the matrix of the kernels is not positive."""
        weights = np.exp(logs)
        total = _total(self._kernels, weights[:-1])
        total.flat[:: len(total) + 1] += weights[-1] + JITTER
        factor, failed = dpotrf(total, lower=True, clean=False)
        if failed:
            raise np.linalg.LinAlgError(
                f"the leading minor {failed} of the kernels is not positive"
            )
        alpha = dpotrs(factor, self._target, lower=True)[0]
        inverse = dpotrs(factor, self._unit, lower=True)[0]
        likelihood = -0.5 * self._target @ alpha - np.log(factor.diagonal()).sum()
        inner = np.outer(alpha, alpha) - inverse
        flat = inner.ravel()
        slopes = [0.5 * float(np.vdot(flat, kernel)) for kernel in self._flat]
        slopes.append(0.5 * float(inner.trace()))
        return -float(likelihood), -np.array(slopes) * weights


class Process:
    """The posterior of a function seen at n points through noise; prior mean 0.

    ``alpha`` (n,): the expectation anywhere is the weighted sum of the kernels to the points,
    times it.
    """

    def __init__(self, kernels: Sequence[Floats], target: Floats, weights: Weights) -> None:
        """``kernels``: (n, n) each, between the points; ``target`` (n,)."""
        total = _total(kernels, weights.kernels)
        total[np.diag_indices_from(total)] += weights.noise + JITTER
        self.weights = weights
        self._factor = cholesky(total, lower=True, check_finite=False)
        self.alpha: Floats = cho_solve((self._factor, True), target, check_finite=False)

    def left_out(self, target: Floats) -> Floats:
        """The expectation at each point by all others, (n,): equation 5.12 of Rasmussen & Williams."""
        inverse = cho_solve((self._factor, True), np.eye(len(target)), check_finite=False)
        expected: Floats = target - self.alpha / np.diag(inverse)
        return expected

    def joint(self, across: Sequence[Floats], among: Sequence[Floats]) -> tuple[Floats, Floats]:
        """Expectation (m,) and covariance (m, m) of the function, noise left out."""
        cross = _total(across, self.weights.kernels)
        explained = solve_triangular(self._factor, cross.T, lower=True, check_finite=False)
        covariance = _total(among, self.weights.kernels) - explained.T @ explained
        return cross @ self.alpha, covariance


def lower_root(covariance: Floats) -> Floats:
    """A lower triangular matrix whose product with its transpose is the covariance (n, n).

    Nearly: rounding may leave what is not quite positive, to whose diagonal the least power of
    ten from ``JITTER`` to 1 that helps is added. LinAlgError: none does.
    """
    jitter = JITTER
    while jitter <= 1.0:
        factor, failed = dpotrf(covariance + jitter * np.eye(len(covariance)), lower=True)
        if not failed:
            root: Floats = factor
            return root
        jitter *= 10.0
    raise np.linalg.LinAlgError("the covariance is not positive")


def _total(kernels: Sequence[Floats], weights: Floats) -> Floats:
    total = np.zeros_like(kernels[0])
    for kernel, weight in zip(kernels, weights, strict=True):
        total += weight * kernel
    return total
