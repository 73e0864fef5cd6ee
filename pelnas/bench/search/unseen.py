"""``transfer`` without the data set that judges: fitted once for a folder of results, then loaded."""

from collections.abc import Callable, Iterable
from pathlib import Path

from pelnas.bench.fitting import DATASETS, FOLDS, load_sample
from pelnas.bench.predictors import Unseen, fit_folds
from pelnas.bench.search.problem import Cell
from pelnas.cache import default_cache
from pelnas.config import SearchConfig
from pelnas.errors import ConfigError, DataError, Stopped
from pelnas.images import ImageSet, load_images
from pelnas.predictors.transfer import Fitted
from pelnas.spaces import SearchSpace

FOLDER = "transfer"  # beside the runs of a comparison


def _folder(config: SearchConfig, dataset: str) -> Path:
    return config.output.parent / FOLDER / dataset


def _fold(folder: Path, fold: int) -> Path:
    return folder / f"fold-{fold}.npz"


def others(dataset: str) -> list[str]:
    """The data sets that a fit for this one may see. ConfigError: there is no fit for it."""
    if dataset not in DATASETS:
        raise ConfigError(
            f"expected a data set that transfer is fitted without, {' or '.join(DATASETS)}, found"
            f" {dataset}: choose another accuracy"
        )
    return [name for name in DATASETS if name != dataset]


def prepare(
    cells: Iterable[Cell], config: SearchConfig, stopping: Callable[[], bool] = lambda: False
) -> None:
    """Fit what the cells need and the folder lacks; this scores 3,200 networks at the first time.

    ConfigError: no images are given, or a data set without a fit. DataError: missing tables.
    Stopped: ``stopping`` said so; what was scored is in the cache.
    """

    def scored(_: int) -> None:
        if stopping():
            raise Stopped("the bench was asked to stop: go on by the same command")

    wanted = dict.fromkeys(c.dataset for c in cells if base_of(c.accuracy) == "transfer")
    missing = [d for d in wanted if not _fold(_folder(config, d), FOLDS - 1).exists()]
    if not missing:
        return
    if config.data is None or config.images is None:
        raise ConfigError(
            "accuracy transfer is fitted on CIFAR-10 for a comparison, found no images: give"
            " them by --images"
        )
    seen = {dataset: others(dataset) for dataset in missing}
    images = load_images(config.images, config.scoring.size, config.scoring.channels)
    sample = load_sample(config.data, images, config.scoring, default_cache(), progress=scored)
    for dataset, datasets in seen.items():
        folder = _folder(config, dataset)
        folder.mkdir(parents=True, exist_ok=True)
        for fold, fitted in enumerate(fit_folds(sample, datasets)):
            fitted.save(_fold(folder, fold))


def base_of(accuracy: str) -> str:
    """The predictor behind ``few-shot-N-from-BASE``; any other source is its own."""
    return accuracy.rpartition("-from-")[2] if accuracy.startswith("few-shot-") else accuracy


def load(cell: Cell, config: SearchConfig, space: SearchSpace, images: ImageSet) -> Unseen:
    """The predictor that ``prepare`` has fitted. DataError: it has not."""
    folder = _folder(config, cell.dataset)
    if not _fold(folder, FOLDS - 1).exists():
        raise DataError(
            f"expected the fits of transfer in {folder}, found none: begin the bench anew"
        )
    folds = [Fitted.load(_fold(folder, fold)) for fold in range(FOLDS)]
    cache = default_cache()
    return Unseen(space, folds, others(cell.dataset), images, config.scoring, cache)
