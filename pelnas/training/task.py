"""One training as a task for whoever does it: the network, its checkpoint and weights on disk."""

from collections.abc import Callable, Mapping
from dataclasses import asdict
from pathlib import Path
from typing import Any

from pelnas.accelerator import CPU, Accelerator
from pelnas.pool import Work
from pelnas.pool.base import Array
from pelnas.spaces import SearchSpace, get_space
from pelnas.training import Step, TrainingResult, initial, train
from pelnas.training.data import Part, TrainingData
from pelnas.training.settings import Epoch, TrainingSettings

PARTS = ("train", "validation", "test")


def train_to(
    space: SearchSpace,
    data: TrainingData,
    text: str,
    settings: TrainingSettings,
    checkpoint: Path,
    weights: Path,
    on_step: Callable[[Step], None] | None = None,
    stop: Callable[[], bool] | None = None,
    accelerator: Accelerator = CPU,
) -> TrainingResult:
    """Train the network of an official text, and write its weights.

    It goes on from ``checkpoint`` where that exists. Errors: as of ``pelnas.training.train``.
    """
    from pelnas.training.checkpoint import save_trained  # brings torch

    network = initial(space, space.parse(text), data, settings.seed)
    result = train(
        network,
        data,
        settings,
        checkpoint=checkpoint,
        on_step=on_step,
        stop=stop,
        accelerator=accelerator,
    )
    save_trained(weights, space.name, text, network, data)
    return result


def work_of(space: SearchSpace, data: TrainingData, accelerator: Accelerator = CPU) -> Work:
    """Trainings on these images; a task is made by ``task_of``, its answer read by ``result_of``."""
    arrays: dict[str, Any] = {"scale": data.scale, "offset": data.offset}
    for name in PARTS:
        part: Part = getattr(data, name)
        arrays |= {f"{name} pixels": part.pixels, f"{name} labels": part.labels}
    names = {"name": data.name, "class_names": list(data.class_names), "digest": data.digest}
    settings = {"space": space.name, "images": names, "accelerator": accelerator}
    return Work("pelnas.training.task:training", settings, arrays)


def task_of(text: str, settings: TrainingSettings, checkpoint: Path, weights: Path) -> list[Any]:
    """``checkpoint``, ``weights``: files on a disk that every worker has at the same place."""
    return [text, asdict(settings), str(checkpoint.absolute()), str(weights.absolute())]


def result_of(answer: Mapping[str, Any]) -> TrainingResult:
    """What came of a training."""
    history = tuple(Epoch(**epoch) for epoch in answer["history"])
    return TrainingResult(**{**answer, "history": history})


def training(
    settings: Mapping[str, Any], arrays: Mapping[str, Array]
) -> Callable[[list[Any]], Any]:
    """The worker's side of ``work_of``. SpaceError: it has no such space."""
    space, names = get_space(settings["space"]), settings["images"]
    parts = {name: Part(arrays[f"{name} pixels"], arrays[f"{name} labels"]) for name in PARTS}
    data = TrainingData(
        names["name"],
        tuple(names["class_names"]),
        names["digest"],
        **parts,
        scale=arrays["scale"],
        offset=arrays["offset"],
    )

    def answer(task: list[Any]) -> dict[str, Any]:
        text, given, checkpoint, weights = task
        own = TrainingSettings(**given)
        files = Path(checkpoint), Path(weights)
        on = settings["accelerator"]
        return asdict(train_to(space, data, text, own, *files, accelerator=on))

    return answer
