"""The trainings of a run: which are wanted, which are done, and one after another the rest."""

import hashlib
import json
import logging
import os
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import closing
from dataclasses import asdict, dataclass, replace
from functools import partial
from pathlib import Path
from typing import Any

from pelnas.accelerator import CPU, CUDA, Accelerator
from pelnas.architecture import Architecture
from pelnas.config import with_settings
from pelnas.errors import (
    ArchitectureError,
    ConfigError,
    ImagesError,
    RunError,
    Stopped,
    StoreError,
)
from pelnas.images import ImageSet, load_images
from pelnas.pool import Pool
from pelnas.report import front_points
from pelnas.spaces import SearchSpace, get_space
from pelnas.store import RunStore, TrainingRecord
from pelnas.store.folder import inside
from pelnas.training import (
    Step,
    TrainingData,
    TrainingResult,
    TrainingSettings,
    TrainingStopped,
)
from pelnas.training.halving import Halving
from pelnas.training.task import result_of, task_of, train_to, work_of

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
    accelerator: Accelerator = CPU


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
    accelerator: Accelerator = CPU,
) -> list[Task]:
    """Every architecture with the first seed, then every one with the next."""
    space = get_space(store.config.space)
    tasks = []
    for offset in range(seeds):
        own = replace(settings, seed=settings.seed + offset)
        for architecture in architectures:
            text = space.format(architecture)
            about = asdict(own) if accelerator == CPU else asdict(own) | {"on": accelerator}
            what = json.dumps([space.name, text, about, data.digest], sort_keys=True)
            id_ = hashlib.sha256(what.encode()).hexdigest()[:16]
            tasks.append(Task(id_, architecture, text, own, accelerator))
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
    space = get_space(store.config.space)
    for task in tasks:
        if task.id in done:
            yield done[task.id]
            continue
        checkpoint, weights = _files(store, task)
        try:
            result = train_to(
                space,
                data,
                task.text,
                task.settings,
                checkpoint,
                weights,
                on_step=partial(on_step, task),
                stop=stop,
                accelerator=task.accelerator,
            )
        except TrainingStopped:
            return
        yield _record(store, images, task, result)


def halving_of(store: RunStore, tasks: Sequence[Task]) -> Halving:
    """What judges these trainings, and judged them before. Errors: as of ``Halving``."""
    ids = hashlib.sha256(json.dumps([task.id for task in tasks]).encode()).hexdigest()[:16]
    epochs = tasks[0].settings.epochs if tasks else 1
    return Halving(inside(store.folder, f"{FOLDER}/asha-{ids}.json"), epochs)


def train_best(
    store: RunStore,
    images: ImageSet,
    data: TrainingData,
    tasks: Sequence[Task],
    on_step: Callable[[Task, Step], None],
    stop: Callable[[], bool],
    halving: Halving,
) -> Iterator[TrainingRecord]:
    """As ``train_all``, but those that fall behind the others are stopped; see ``halving.stopped``."""
    for task in tasks:
        halving.begin(task.id)

        def heard(task: Task, step: Step) -> None:
            on_step(task, step)
            if step.last is not None:
                halving.heard(step.epoch, step.last.validation_accuracy)

        def asked_to() -> bool:
            return halving.behind or stop()

        is_done = False
        for record in train_all(store, images, data, [task], heard, asked_to):
            is_done = True
            yield record
        if is_done:
            continue
        if not halving.behind:
            return  # it was asked to stop
        halving.stop()
        _files(store, task)[0].unlink(missing_ok=True)


def train_apart(
    store: RunStore,
    images: ImageSet,
    data: TrainingData,
    tasks: Sequence[Task],
    stop: Callable[[], bool],
    pool: Pool,
    threads: int,
) -> Iterator[TrainingRecord]:
    """The same by the workers of a pool, as many trainings at a time as it has room for.

    The workers write into the run's folder, so it has to be at the same place for all of them. Those
    under way when ``stop`` says so, or when a worker is lost, go on from their last checkpoint.
    """
    done = {record.id: record for record in store.trainings(images.digest)}
    yield from (done[task.id] for task in tasks if task.id in done)
    waiting = [task for task in tasks if task.id not in done]
    asked = [task_of(task.text, task.settings, *_files(store, task)) for task in waiting]
    accelerator = tasks[0].accelerator if tasks else CPU
    work = work_of(get_space(store.config.space), data, accelerator)
    # Here one process has the accelerator to itself.
    count = 1 if pool.here and accelerator != CPU else 0
    gpus = int(accelerator == CUDA)
    with closing(pool.workers(work, count, threads, gpus=gpus)) as workers:
        try:
            for ended in workers.done(asked, stop):
                task, result = waiting[ended.place], result_of(ended.value())
                yield _record(store, images, task, result)
        except Stopped:
            return


def _files(store: RunStore, task: Task) -> tuple[Path, Path]:
    """Of a training: its checkpoint while it is under way, and its weights."""
    names = (f"{FOLDER}/{task.id}.checkpoint.pt", f"{FOLDER}/{task.id}.pt")
    checkpoint, weights = (inside(store.folder, name) for name in names)
    return checkpoint, weights


def _record(
    store: RunStore, images: ImageSet, task: Task, result: TrainingResult
) -> TrainingRecord:
    """Keep what came of a training, whose weights are there; its checkpoint goes."""
    checkpoint, weights = _files(store, task)
    if not weights.is_file():
        raise StoreError(
            f"expected the weights of a training at {weights}, found none: give all workers the"
            " folder of runs at the same place (--output), such as a shared disk"
        )
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
        settings=_kept(task, result),
        weights=f"{FOLDER}/{weights.name}",
        finished=time.time(),
    )
    if result.pieces > 1:
        logging.getLogger("pelnas").warning(
            "pelnas: %s has no memory for batches of %d images; %s was trained by %d passes per step",
            task.accelerator,
            task.settings.batch,
            task.text,
            result.pieces,
        )
    store.record_training(record)
    checkpoint.unlink(missing_ok=True)
    return record


def _kept(task: Task, result: TrainingResult) -> dict[str, Any]:
    """Everything that the weights depend on."""
    kept: dict[str, Any] = asdict(task.settings)
    if task.accelerator != CPU:
        kept["accelerator"] = task.accelerator
    if result.pieces > 1:
        kept["pieces"] = result.pieces
    return kept
