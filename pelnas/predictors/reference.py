"""Where an architecture's raw proxies rank in its space, on images without earlier scores."""

from collections.abc import Generator, Mapping, Sequence
from contextlib import closing
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from pelnas.architecture import Architecture
from pelnas.cache import Cache
from pelnas.config import Scoring
from pelnas.images import ImageSet
from pelnas.predictors.rank_sum import Scale
from pelnas.proxies import FLOOR
from pelnas.proxies.scoring import ProxyScores
from pelnas.spaces import SearchSpace

Floats = NDArray[np.float64]


@dataclass(frozen=True, eq=False)
class Reference:
    """Cells of a space and where they stood among many more, on other images.

    ``cells`` (n,): their indices; ``standings`` (n, proxies): the share of a large sample of the
    space that each exceeded, between 0 and 1.
    """

    proxies: tuple[str, ...]
    cells: tuple[int, ...]
    standings: Floats

    def first(self, count: int) -> "Reference":
        """The first cells of it, which are a smaller reference."""
        return Reference(self.proxies, self.cells[:count], self.standings[:count])

    def scale(self, proxy: str, values: Sequence[float]) -> Scale:
        """From a raw value on new images to a standing, where ``values`` (n,) are those of the cells.

        The k-th best value gets the k-th best standing: few cells then set a scale as
        fine as the large sample's, as long as images do not change which
        standings the cells hold between them. Cells at the floor hold the lowest ones.
        """
        raw = np.sort(np.asarray(values, dtype=np.float64))
        ranks = np.sort(self.standings[:, self.proxies.index(proxy)])
        alive = raw > FLOOR
        if not alive.any():
            return Scale.of(values)
        distinct, place, counts = np.unique(raw[alive], return_inverse=True, return_counts=True)
        means = np.bincount(place, weights=ranks[alive]) / counts
        spread = float(np.subtract(*np.quantile(distinct, [0.75, 0.25])))
        return Scale(distinct, means, spread or 1.0)


class Standings:
    """The proxies of architectures on one batch of the user's images, raw and as standings.

    At most ``scoring.reference`` of the reference's cells are scored on the same
    batch first. ``seed`` draws the batch and the weights.
    """

    def __init__(
        self,
        space: SearchSpace,
        images: ImageSet,
        reference: Reference,
        scoring: Scoring,
        seed: int,
        cache: Cache,
    ) -> None:
        self._space = space
        self._reference = reference.first(scoring.reference)
        self._scores = ProxyScores(space, images, reference.proxies, scoring, seed, cache)
        self._measured: dict[str, Scale] | None = None

    def of(
        self, architectures: Sequence[Architecture]
    ) -> Generator[tuple[Mapping[str, float], list[float]], None, None]:
        """Raw proxies by name, and their standings in the reference's order, each when known."""
        scales = self._scales()
        texts = [self._space.format(architecture) for architecture in architectures]
        with closing(self._scores.of(texts)) as found:
            for values in found:
                yield values, [scale(values[name]) for name, scale in scales.items()]

    def begin(self, architectures: Sequence[Architecture]) -> None:
        """As ``ProxyScores.begin``, with what sets the scale before them."""
        reference = self._cells() if self._measured is None else []
        self._scores.begin(reference + [self._space.format(each) for each in architectures])

    def close(self) -> None:
        """End the workers; a second call does nothing."""
        self._scores.close()

    def _scales(self) -> dict[str, Scale]:
        """Measured at the first use."""
        if self._measured is None:
            known = self._reference
            found = list(self._scores.of(self._cells()))
            self._measured = {
                name: known.scale(name, [values[name] for values in found])
                for name in known.proxies
            }
        return self._measured

    def _cells(self) -> list[str]:
        """The cells of the reference."""
        return [self._space.format(self._space.at(index)) for index in self._reference.cells]
