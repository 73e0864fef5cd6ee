"""Accuracy without training or labels of accuracy: complementary proxies on a common scale."""

import logging
from collections.abc import Iterator, Mapping, Sequence
from contextlib import closing
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from pelnas.architecture import Architecture, Prediction
from pelnas.cache import Cache
from pelnas.config import Scoring
from pelnas.errors import ProxyError
from pelnas.images import ImageSet
from pelnas.pool import Pool
from pelnas.predictors.base import AccuracyPredictor
from pelnas.predictors.sizes import SIZES, Sizes
from pelnas.proxies import FLOOR
from pelnas.proxies.scoring import ProxyScores
from pelnas.spaces import SearchSpace


@dataclass(frozen=True)
class Scale:
    """Where a raw value stands among those of a reference sample, between 0 and 1.

    Inside the sample the empirical distribution, linear between its values;
    beyond its ends the rest of the way is approached but never reached, so
    that better than the best still counts. Strictly increasing.
    """

    values: NDArray[np.float64]  # distinct, increasing
    ranks: NDArray[np.float64]  # mid-rank of each, between 0 and 1
    width: float  # the distance beyond an end that halves what is left

    @classmethod
    def of(cls, sample: Sequence[float]) -> "Scale":
        """From raw values; those at the floor count as worst, and their distance does not."""
        values, counts = np.unique(np.asarray(sample, dtype=np.float64), return_counts=True)
        ranks = (np.cumsum(counts) - counts / 2) / counts.sum()
        alive = values > FLOOR
        if not alive.any():
            return cls(np.zeros(1), np.full(1, 0.5), 1.0)
        spread = float(np.subtract(*np.quantile(values[alive], [0.75, 0.25])))
        return cls(values[alive], ranks[alive], spread or 1.0)

    def __call__(self, value: float) -> float:
        low, high = float(self.values[0]), float(self.values[-1])
        if value > high:
            return float(1 - (1 - self.ranks[-1]) / (1 + (value - high) / self.width))
        if value < low:
            return float(self.ranks[0] / (1 + (low - value) / self.width))
        return float(np.interp(value, self.values, self.ranks))


class RankSum(AccuracyPredictor):
    """The standing of an architecture's proxies among those of a seeded reference sample.

    Training-free: no accuracy is read, no weight is fitted. Which proxies these are the
    space says (``SearchSpace.proxies``). Cells are judged by passes over one batch of the
    images (weights drawn from ``seed``); spaces whose networks differ in depth and width
    by parameters, operations and entropy, since these passes measure initialisation there
    more than accuracy (docs/proxies.md). Each value is placed on the ``Scale`` of
    ``scoring.reference`` architectures sampled from the space with the same
    seed and scored alike. ``score``: the geometric mean of the
    standings, between 0 and 1, as AZ-NAS (Lee & Ham, CVPR 2024) adds up the
    logarithms of ranks: one bad standing is not made up by a good one; 0 for a
    network in which no signal flows. ``uncertainty``: their standard deviation,
    the proxies' disagreement. A proxy that is not defined for every sampled network is left out,
    with a warning. The score depends on the space, the images, the
    settings and the seed only.
    """

    name = "rank-sum"
    unit = "rank score"

    def __init__(
        self,
        space: SearchSpace,
        images: ImageSet,
        scoring: Scoring,
        seed: int,
        cache: Cache,
        pool: Pool | None = None,
    ) -> None:
        """``pool``: in place of the one that ``scoring`` names."""
        self._space = space
        self._scores: Sizes | ProxyScores
        on = ""
        if set(space.proxies) <= set(SIZES):
            self._scores = Sizes(space, images.shape, space.proxies)
        else:
            self._scores = ProxyScores(space, images, space.proxies, scoring, seed, cache, pool)
            on = self._scores.on
        self.source = "predicted without training from " + ", ".join(space.proxies) + on
        self._reference = scoring.reference
        self._seed = seed
        self._measured: dict[str, Scale] | None = None

    def predict(self, architectures: Sequence[Architecture]) -> Iterator[Prediction]:
        scales = self._scales()
        with closing(
            self._scores.of([self._space.format(each) for each in architectures])
        ) as found:
            for values in found:
                yield judge(values, scales)

    def begin(self, architectures: Sequence[Architecture]) -> None:
        reference = self._sample() if self._measured is None else []
        self._scores.begin(reference + [self._space.format(each) for each in architectures])

    def close(self) -> None:
        self._scores.close()

    def _scales(self) -> dict[str, Scale]:
        """The scale of every proxy, measured at the first use."""
        if self._measured is None:
            self._measured = scales_of(list(self._scores.of(self._sample())))
            self._say_what_is_left_out()
        return self._measured

    def _sample(self) -> list[str]:
        """The reference sample."""
        rng = np.random.default_rng(self._seed)
        return [self._space.format(self._space.sample(rng)) for _ in range(self._reference)]

    def _say_what_is_left_out(self) -> None:
        """ProxyError: no proxy of the space is defined for all of its sampled networks."""
        undefined = [name for name in self._space.proxies if name not in (self._measured or {})]
        if not self._measured:
            raise ProxyError(
                f"expected a proxy that is defined for networks of {self._space.name}, found none of"
                f" {', '.join(self._space.proxies)}: name others in its proxies"
            )
        if undefined:
            logging.getLogger("pelnas").warning(
                "pelnas: %s cannot be computed for every network of %s; scores go on without it",
                " and ".join(undefined),
                self._space.name,
            )


def scales_of(sample: Sequence[Mapping[str, float]]) -> dict[str, Scale]:
    """The scale of every proxy that is defined for all of the sampled architectures."""
    common = [name for name in sample[0] if all(name in values for values in sample)]
    return {name: Scale.of([values[name] for values in sample]) for name in common}


def judge(values: Mapping[str, float], scales: Mapping[str, Scale]) -> Prediction:
    """Geometric mean and deviation of the standings; 0 and 0 where a proxy says no signal flows.

    A proxy that is not defined for the architecture, or for its space, is left out.
    """
    if FLOOR in values.values():
        return Prediction(0.0, 0.0, values)
    defined = [(values[name], scale) for name, scale in scales.items() if name in values]
    standings = np.array([scale(value) for value, scale in defined])
    return Prediction(float(np.exp(np.log(standings).mean())), float(standings.std()), values)
