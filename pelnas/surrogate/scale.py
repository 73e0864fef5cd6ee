"""Values of an objective as a Gaussian process wants them, and back: two monotone scales."""

from abc import ABC, abstractmethod
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Self

import numpy as np
from scipy.special import ndtri

from pelnas.surrogate.process import Floats

OUTLIER = 5.0  # robust deviations from the median beyond which a value counts as just so far
ENDS = 20  # a scale of quantiles goes on beyond its ends as over this part of its values


class Scale(ABC):
    """From plain values to ones of about mean 0 and variance 1, and back."""

    @classmethod
    @abstractmethod
    def of(cls, values: Sequence[float] | Floats) -> Self:
        """The scale that fits these values."""

    @abstractmethod
    def standard(self, values: Sequence[float] | Floats) -> Floats:
        """Plain values (n,) on the scale."""

    @abstractmethod
    def plain(self, standard: Floats) -> Floats:
        """The inverse, for any shape."""


@dataclass(frozen=True, slots=True)
class Linear(Scale):
    """To mean 0 and variance 1, with values far off the median drawn in.

    It keeps sums: what adds up over layers adds up on the scale.
    """

    low: float
    high: float
    middle: float
    spread: float

    @classmethod
    def of(cls, values: Sequence[float] | Floats) -> Self:
        plain = np.asarray(values, dtype=np.float64)
        median = float(np.median(plain))
        robust = 1.4826 * float(np.median(np.abs(plain - median))) or float(plain.std()) or 1.0
        low, high = median - OUTLIER * robust, median + OUTLIER * robust
        inside = np.clip(plain, low, high)
        return cls(low, high, float(inside.mean()), float(inside.std()) or 1.0)

    def standard(self, values: Sequence[float] | Floats) -> Floats:
        inside = np.clip(np.asarray(values, dtype=np.float64), self.low, self.high)
        standard: Floats = (inside - self.middle) / self.spread
        return standard

    def plain(self, standard: Floats) -> Floats:
        return self.middle + self.spread * standard


@dataclass(frozen=True, slots=True)
class Quantiles(Scale):
    """To the normal distribution by ranks, straight between the values and beyond both ends.

    It stretches where values are dense, as accuracies of good networks are.
    """

    values: Floats  # ascending, each once
    scores: Floats  # of the normal distribution at their mean ranks
    slopes: tuple[float, float]  # plain by standard, below and above the ends

    @classmethod
    def of(cls, values: Sequence[float] | Floats) -> Self:
        plain = np.asarray(values, dtype=np.float64)
        once, counts = np.unique(plain, return_counts=True)
        scores = ndtri((np.cumsum(counts) - counts / 2) / len(plain))
        last = len(once) - 1
        reach = min(last, max(1, len(once) // ENDS))

        def slope(one: int, other: int) -> float:
            rise = scores[other] - scores[one]
            return float((once[other] - once[one]) / rise) if rise > 0 else 1.0

        return cls(once, scores, (slope(0, reach), slope(last - reach, last)))

    def standard(self, values: Sequence[float] | Floats) -> Floats:
        return np.interp(np.asarray(values, dtype=np.float64), self.values, self.scores)

    def plain(self, standard: Floats) -> Floats:
        inside = np.interp(standard, self.scores, self.values)
        below = np.minimum(standard - self.scores[0], 0.0) * self.slopes[0]
        above = np.maximum(standard - self.scores[-1], 0.0) * self.slopes[1]
        plain: Floats = inside + below + above
        return plain


SCALES: tuple[type[Scale], ...] = (Linear, Quantiles)
