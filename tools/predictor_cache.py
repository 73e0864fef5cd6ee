"""The predictor of the last question, for the next one that needs the same: some are slow to make."""

from collections.abc import Sequence

from pelnas.cache import Cache
from pelnas.config import SearchConfig
from pelnas.images import ImageSet
from pelnas.predictors import AccuracyPredictor, get_predictor
from pelnas.predictors.labels import Label
from pelnas.spaces import SearchSpace


class KeptPredictor:
    """Holds one predictor that was made from images; used by one question at a time.

    Everything that it was made from is compared before it is used again, and images are told
    apart by their digest, so that it is never one of other settings, labels or images.
    """

    def __init__(self) -> None:
        self._made_from: object = None
        self._predictor: AccuracyPredictor | None = None

    def of(
        self,
        config: SearchConfig,
        space: SearchSpace,
        images: ImageSet,
        cache: Cache,
        labels: Sequence[Label],
    ) -> AccuracyPredictor:
        """The predictor of these, as ``get_predictor`` makes it; close it after each question."""
        made_from = config, space.name, images.digest, cache, tuple(labels)
        if self._predictor is None or made_from != self._made_from:
            self._made_from, self._predictor = None, None
            self._predictor = get_predictor(config, space, images, cache, labels)
            self._made_from = made_from
        return self._predictor
