"""The trained accuracies that ``few-shot`` learns from: read once and stored with the run."""

import os
import shutil
from collections import defaultdict
from collections.abc import Sequence
from pathlib import Path

from pelnas.config import SearchConfig
from pelnas.errors import DataError, RunError
from pelnas.images import ImageSet
from pelnas.predictors.few_shot import Known, suggest_labels
from pelnas.predictors.labels import KEPT as FILE
from pelnas.predictors.labels import Label, read_labels, write_labels
from pelnas.spaces import SearchSpace, get_space
from pelnas.store import RunStore, find_run, write_atomically
from pelnas.store.folder import PRIVATE_FILE, PRIVATE_FOLDER, inside


def labels_of(
    config: SearchConfig, space: SearchSpace, images: ImageSet | None
) -> tuple[Label, ...]:
    """Those that the configuration names, for the one predictor that learns from them.

    DataError: a file that cannot be used, or a run without trainings on these
    images. RunError: neither a file nor a run.
    """
    if config.accuracy != "few-shot":
        return ()
    found: list[Label] = []
    for path in config.labels:
        if path.suffix == ".csv" or os.path.isfile(path):
            found += read_labels(path, space)
        else:
            found += trained_labels(find_run(config.output, str(path)), space, images)
    return tuple(found)


def trained_labels(folder: Path, space: SearchSpace, images: ImageSet | None) -> list[Label]:
    """Mean validation accuracy over the seeds of what was trained in a run on these images."""
    with RunStore.read(folder) as store:
        records = store.trainings(images.digest if images else None)
        elsewhere = len(store.trainings()) - len(records)
        other = store.config.space
    if not records or other != space.name:
        raise DataError(
            f"expected trainings on {images.name if images else 'images'} and space {space.name} in"
            f" run {folder.name}, found {len(records)} on space {other} and {elsewhere} on other"
            " images: train some of its networks (pelnas train) or give a CSV file"
        )
    accuracies: dict[str, list[float]] = defaultdict(list)
    for record in records:
        accuracies[record.architecture].append(record.validation_accuracy)
    return [Label(text, sum(values) / len(values)) for text, values in accuracies.items()]


def keep_labels(folder: Path, labels: Sequence[Label]) -> None:
    """Copy the labels into a run's folder: the scores of a run must not change when a file does."""
    if labels:
        write_atomically(folder / FILE, write_labels(labels))


def with_kept_labels(config: SearchConfig, folder: Path) -> SearchConfig:
    """A run's configuration with the labels that it began with."""
    kept = inside(folder, FILE)
    return config.model_copy(update={"labels": (kept,)}) if kept.is_file() else config


def carry_trainings(store: RunStore, source: RunStore) -> None:
    """Give a fork the trainings of its run on the same images, with their weights.

    They hold whatever round it goes on from: a training knows only its network and its images.
    """
    pinned = store.pinned_images() or source.pinned_images()
    if pinned is None:  # what was trained pins its images
        return
    store.pin_images(*pinned)
    for record in source.trainings(pinned[1]):
        weights = inside(source.folder, record.weights)
        if weights.is_file():
            copy = inside(store.folder, record.weights)
            copy.parent.mkdir(PRIVATE_FOLDER, exist_ok=True)
            shutil.copyfile(weights, copy, follow_symlinks=False)
            copy.chmod(PRIVATE_FILE)
        store.record_training(record)


def suggestions(folder: Path, count: int) -> list[str]:
    """Evaluated architectures of a run that are worth a training (``suggest_labels``), by latency.

    What it was trained on or learned from already is left out. RunError: nothing evaluated yet.
    """
    with RunStore.read(folder) as store:
        space = get_space(store.config.space)
        done = [record.architecture for record in store.trainings()]
        known = [
            Known(e.candidate.architecture, e.score, e.prediction.uncertainty, e.latency_ms)
            for e in store.evaluations()
        ]
    if inside(folder, FILE).is_file():
        done += [label.architecture for label in read_labels(folder / FILE, space)]
    found = suggest_labels(known, done, count)
    if not found:
        raise RunError(
            f"expected evaluated networks in run {folder.name} that were not trained yet, found"
            " none: let it search further"
        )
    return found
