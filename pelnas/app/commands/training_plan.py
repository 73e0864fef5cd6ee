"""The trainings of a run: which are wanted, which are done, and one after another the rest."""

import hashlib
import json
import os
import time
from collections.abc import Callable, Iterator, Sequence
from dataclasses import asdict, dataclass, replace
from pathlib import Path

from pelnas.architecture import Architecture
from pelnas.config import with_settings
from pelnas.errors import ArchitectureError, ConfigError, ImagesError, RunError
from pelnas.images import ImageSet, load_images
from pelnas.report import front_points
from pelnas.spaces import SearchSpace, get_space
from pelnas.store import RunStore, TrainingRecord
from pelnas.store.folder import inside
from pelnas.training import Step, TrainingData, TrainingSettings, TrainingStopped, initial, train

FOLDER = "training"  # in the run's folder: weights, and checkpoints of what is under way
BEST = "best"  # the name of the most accurate network of a front
DIGITS = Path("digits")  # what --images calls the digits


@dataclass(frozen=True, slots=True)
class Task:
    """One training that is wanted; ``id`` as in ``TrainingRecord``."""

    id: str
    architecture: Architecture
    text: str
    settings: TrainingSettings


def choose(store: RunStore, texts: Sequence[str], front: bool) -> list[Architecture]:
    """The architectures meant by texts, indices and ids of candidates, after those of the front.

    ``best``: the most accurate one of the front.

    ArchitectureError: a text that means none. ConfigError: nothing is asked for.
    RunError: the front is asked for and there is none.
    """
    space = get_space(store.config.space)
    if not front and not texts:
        raise ConfigError(
            "expected architectures, found none: name some, such as best, or give --front for all"
            " of the front"
        )
    points = front_points(store) if front or BEST in texts else []
    if not points and (front or BEST in texts):
        raise RunError(f"run {store.name} has no front yet: let the search evaluate some networks")
    known = {candidate.id: candidate.architecture for candidate in store.candidates()}
    if BEST in texts:
        known[BEST] = max(points, key=lambda point: point.score).architecture
    found = [space.parse(point.architecture) for point in points if front]
    found += [_meant(space, store, known, text.strip()) for text in texts]
    return list(dict.fromkeys(found))


def _meant(space: SearchSpace, store: RunStore, known: dict[str, str], text: str) -> Architecture:
    if text in known:
        return space.parse(known[text])
    try:
        return space.read(text)
    except ArchitectureError as error:
        if text.isascii() and text.isalnum() and not text.isdecimal():
            raise ArchitectureError(
                f"expected an architecture, an index or the id of a candidate of run {store.name},"
                f" found {text[:60]!r}: see `pelnas front` for what there is"
            ) from None
        raise error


def images_of(
    store: RunStore, path: Path | None, other: bool, resolution: str | None = None
) -> ImageSet:
    """The images of a run, wherever they are now; ``other``: also images that differ.

    ``resolution``: to train at, in place of the search's. What is trained on first becomes the
    run's images where no search has recorded them. ImagesError: none there, unreadable, or not those of
    the run. SpaceError: networks of the run cannot take them.
    """
    config = store.config
    if resolution is not None:
        config = with_settings(config, {"scoring.resolution": resolution})
    if path is None and config.accuracy == "table" and config.images is None:
        raise ImagesError(
            f"run {store.name} looked accuracies up and has no images: name some with --images"
            f" (a path, or {DIGITS} for the small digits)"
        )
    place = config.images if path is None else (None if path == DIGITS else path)
    if place is not None and not os.path.exists(place):
        raise ImagesError(
            f"expected the images of run {store.name} at {place}, found nothing there:"
            " say with --images where they are"
        )
    images = load_images(place, config.scoring.size, config.scoring.channels)
    get_space(config.space).check_shape(images.shape)
    if resolution is not None and config.scoring != store.config.scoring:
        return images  # another size of the same: no digest of it was ever kept
    store.pin_images(images.name, images.digest)
    _, digest = store.pinned_images() or ("", images.digest)
    if images.digest != digest and not other:
        raise ImagesError(
            f"expected the images that run {store.name} began with (digest {digest[:12]}), found"
            f" others at {place or DIGITS} (digest {images.digest[:12]}; of a folder, times count"
            " too): restore them, or give --other-images"
        )
    return images


def tasks_of(
    store: RunStore,
    architectures: Sequence[Architecture],
    data: TrainingData,
    settings: TrainingSettings,
    seeds: int,
) -> list[Task]:
    """Every architecture with the first seed, then every one with the next."""
    space = get_space(store.config.space)
    tasks = []
    for offset in range(seeds):
        own = replace(settings, seed=settings.seed + offset)
        for architecture in architectures:
            text = space.format(architecture)
            what = json.dumps([space.name, text, asdict(own), data.digest], sort_keys=True)
            id_ = hashlib.sha256(what.encode()).hexdigest()[:16]
            tasks.append(Task(id_, architecture, text, own))
    return tasks


def train_all(
    store: RunStore,
    images: ImageSet,
    data: TrainingData,
    tasks: Sequence[Task],
    on_step: Callable[[Task, Step], None],
    stop: Callable[[], bool],
) -> Iterator[TrainingRecord]:
    """Each task's record as soon as there is one; what is done already is not trained again.

    Ends early where ``stop`` says so; the training under way goes on another time.
    """
    done = {record.id: record for record in store.trainings(images.digest)}
    for task in tasks:
        if task.id in done:
            yield done[task.id]
            continue
        try:
            yield _train(store, images, data, task, on_step, stop)
        except TrainingStopped:
            return


def _train(
    store: RunStore,
    images: ImageSet,
    data: TrainingData,
    task: Task,
    on_step: Callable[[Task, Step], None],
    stop: Callable[[], bool],
) -> TrainingRecord:
    from pelnas.training import checkpoint  # brings torch

    space = get_space(store.config.space)
    network = initial(space, task.architecture, data, task.settings.seed)
    under_way = inside(store.folder, f"{FOLDER}/{task.id}.checkpoint.pt")
    result = train(
        network,
        data,
        task.settings,
        checkpoint=under_way,
        on_step=lambda step: on_step(task, step),
        stop=stop,
    )
    weights = f"{FOLDER}/{task.id}.pt"
    place = inside(store.folder, weights)
    record = TrainingRecord(
        id=task.id,
        architecture=task.text,
        seed=task.settings.seed,
        validation_accuracy=result.validation_accuracy,
        test_accuracy=result.test_accuracy,
        epochs=result.epochs,
        best_epoch=result.best_epoch,
        seconds=result.seconds,
        images=images.digest,
        settings=asdict(task.settings),
        weights=weights,
        finished=time.time(),
    )
    checkpoint.save_trained(place, space.name, task.text, network, data)
    store.record_training(record)
    under_way.unlink(missing_ok=True)
    return record
