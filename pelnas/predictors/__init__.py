"""Accuracy predictors: one file each, one entry in the table."""

from collections.abc import Callable, Sequence

from pelnas.cache import Cache
from pelnas.config import AUTO, SearchConfig
from pelnas.errors import ConfigError
from pelnas.images import ImageSet
from pelnas.plugins import Group
from pelnas.predictors.base import AccuracyPredictor
from pelnas.predictors.labels import Label
from pelnas.spaces import SearchSpace
from pelnas.tables import folder_of

__all__ = [
    "PLUGINS",
    "PREDICTORS",
    "AccuracyPredictor",
    "best_predictor",
    "get_predictor",
    "known_predictors",
]


def _table(config: SearchConfig, space: SearchSpace, *_: object) -> AccuracyPredictor:
    from pelnas.predictors.table import TablePredictor

    folder = folder_of(config.data)
    if folder is None:
        raise ConfigError(
            "accuracy 'table' looks up a benchmark, found no folder of tables:"
            " give one with --data (setting data)"
        )
    return TablePredictor(folder, config.dataset, space)


def _rank_sum(
    config: SearchConfig, space: SearchSpace, images: ImageSet | None, cache: Cache, *_: object
) -> AccuracyPredictor:
    from pelnas.predictors.rank_sum import RankSum

    seen = _seen(images, "rank-sum")
    return RankSum(space, seen, scoring=config.scoring, seed=config.seed, cache=cache)


def _transfer(
    config: SearchConfig, space: SearchSpace, images: ImageSet | None, cache: Cache, *_: object
) -> AccuracyPredictor:
    from pelnas.predictors.transfer import Transfer
    from pelnas.predictors.transfer_mnasnet import SPACE, MnasNetTransfer

    if space.name == SPACE:
        return MnasNetTransfer()
    seen = _seen(images, "transfer")
    return Transfer(space, seen, scoring=config.scoring, seed=config.seed, cache=cache)


def _transfers(space: SearchSpace) -> bool:
    """Whether ``transfer`` was fitted on this space."""
    from pelnas.predictors import transfer, transfer_mnasnet

    return space.name in {transfer.SPACE, transfer_mnasnet.SPACE}


def _few_shot(
    config: SearchConfig,
    space: SearchSpace,
    images: ImageSet | None,
    cache: Cache,
    labels: Sequence[Label],
) -> AccuracyPredictor:
    from pelnas.predictors.few_shot import FewShot

    if not labels:
        raise ConfigError(
            "accuracy 'few-shot' learns from trained accuracies, found none: give a CSV file of"
            " architecture and accuracy, or a run with trainings, with --labels (setting labels)"
        )
    prior = config.prior or ("transfer" if _transfers(space) else "rank-sum")
    return FewShot(space, PREDICTORS[prior](config, space, images, cache, ()), labels)


def _seen(images: ImageSet | None, name: str) -> ImageSet:
    if images is None:
        raise ConfigError(
            f"accuracy {name!r} scores networks on images, found none:"
            " load them with pelnas.images.load_images"
        )
    return images


Maker = Callable[
    [SearchConfig, SearchSpace, ImageSet | None, Cache, Sequence[Label]], AccuracyPredictor
]


def _known_truth(config: SearchConfig, space: SearchSpace, *_: object) -> AccuracyPredictor:
    from pelnas.predictors.known_truth import KnownTruthPredictor

    return KnownTruthPredictor(space, config.dataset)


#: Each predictor by the name that ``SearchConfig.accuracy`` takes.
PREDICTORS: dict[str, Maker] = {
    "rank-sum": _rank_sum,
    "transfer": _transfer,
    "few-shot": _few_shot,
    "table": _table,
    "known-truth": _known_truth,
}
#: Predictors of other packages; an entry point names a ``Maker``.
PLUGINS = Group("pelnas.predictors", "accuracy predictor", AccuracyPredictor, ConfigError)  # type: ignore[type-abstract]


def known_predictors() -> tuple[str, ...]:
    """The names of all predictors: built in, then of other packages. None of these is loaded."""
    return (*PREDICTORS, *PLUGINS.names(besides=PREDICTORS))


def best_predictor(config: SearchConfig, space: SearchSpace) -> str:
    """What ``auto`` means: the name of the best predictor that serves space and labels.

    ``few-shot`` where labels are given, ``transfer`` on a space that it was fitted on, else
    ``rank-sum``. Never ``table``: benchmark truth guides a search only if somebody asks for it.
    """
    if config.labels:
        return "few-shot"
    return "transfer" if _transfers(space) else "rank-sum"


def get_predictor(
    config: SearchConfig,
    space: SearchSpace,
    images: ImageSet | None,
    cache: Cache,
    labels: Sequence[Label] = (),
) -> AccuracyPredictor:
    """The predictor that a configuration names; ``images`` may be ``None`` where none are needed.

    ``labels``: trained accuracies, of which ``few-shot`` alone makes use.
    ConfigError: no such predictor, or it lacks what it needs. DataError: labels
    that teach nothing.
    """
    name = best_predictor(config, space) if config.accuracy == AUTO else config.accuracy
    if name in PREDICTORS:
        return PREDICTORS[name](config, space, images, cache, labels)
    predictor = PLUGINS.make(name, config, space, images, cache, labels)
    if predictor is None:
        known = ", ".join((AUTO, *known_predictors()))
        raise ConfigError(f"unknown accuracy predictor {name!r}: use one of {known}")
    return predictor
