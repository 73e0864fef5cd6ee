"""Accuracy predictors: one file each, one entry in the table."""

from collections.abc import Callable

from pelnas.cache import Cache
from pelnas.config import SearchConfig
from pelnas.errors import ConfigError
from pelnas.images import ImageSet
from pelnas.predictors.base import AccuracyPredictor
from pelnas.spaces import SearchSpace

__all__ = ["PREDICTORS", "AccuracyPredictor", "get_predictor"]


def _table(config: SearchConfig, space: SearchSpace, *_: object) -> AccuracyPredictor:
    from pelnas.predictors.table import TablePredictor

    if config.data is None:
        raise ConfigError(
            "accuracy 'table' looks up a benchmark, found no folder of tables:"
            " give one with --data (setting data)"
        )
    return TablePredictor(config.data, config.dataset, space)


def _rank_sum(
    config: SearchConfig, space: SearchSpace, images: ImageSet | None, cache: Cache
) -> AccuracyPredictor:
    from pelnas.predictors.rank_sum import RankSum  # brings torch

    if images is None:
        raise ConfigError(
            "accuracy 'rank-sum' scores networks on images, found none:"
            " load them with pelnas.images.load_images"
        )
    return RankSum(space, images, scoring=config.scoring, seed=config.seed, cache=cache)


Maker = Callable[[SearchConfig, SearchSpace, ImageSet | None, Cache], AccuracyPredictor]

#: Each predictor by the name that ``SearchConfig.accuracy`` takes.
PREDICTORS: dict[str, Maker] = {"rank-sum": _rank_sum, "table": _table}


def get_predictor(
    config: SearchConfig, space: SearchSpace, images: ImageSet | None, cache: Cache
) -> AccuracyPredictor:
    """The predictor that a configuration names; ``images`` may be ``None`` where none are needed.

    ConfigError: no such predictor, or it lacks what it needs.
    """
    if config.accuracy not in PREDICTORS:
        raise ConfigError(
            f"unknown accuracy predictor {config.accuracy!r}: use one of {', '.join(PREDICTORS)}"
        )
    return PREDICTORS[config.accuracy](config, space, images, cache)
