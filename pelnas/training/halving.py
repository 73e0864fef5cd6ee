"""Asynchronous successive halving: trainings that fall behind the others are not finished.

Li et al., "A System for Massively Parallel Hyperparameter Tuning", MLSys 2020 (ASHA), by the pruner
of Optuna. Ray Tune's scheduler of that name would bring pandas and tensorboardX, and run
trainings outside of the pools that run everything else.
"""

import json
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from pelnas.errors import StoreError, TrainingError, UnreadableError
from pelnas.inputs.formats import read_json
from pelnas.text import install

FACTOR = 3  # of so many trainings that reach a rung, one goes on to the next
RUNGS = 2  # rungs below the last epoch, where there are epochs enough


@dataclass(frozen=True, slots=True)
class StoppedTraining:
    """A training that fell behind: full epochs, and its validation accuracy in percent then."""

    id: str
    epochs: int
    validation_accuracy: float


class Halving:
    """Judges trainings that run one after the other, in the order in which they are begun.

    ``file``: keeps what each reached in each epoch, so that a later process judges the same way.
    TrainingError: Optuna is not installed. StoreError: the file cannot be used.
    """

    def __init__(self, file: Path, epochs: int) -> None:
        self._study = _study(max(1, round(epochs / FACTOR**RUNGS)))
        self._file = file
        self._values: dict[str, list[float]] = _read(file)
        self._id = ""
        self._trial: Any = None
        self.behind = False  # whether the training under way is to be stopped
        self.stopped: list[StoppedTraining] = []

    def begin(self, id_: str) -> None:
        """The next training; what it reached in an earlier process counts, see ``behind``."""
        self._id, self._trial, self.behind = id_, self._study.ask(), False
        for epoch, accuracy in enumerate(self._values.get(id_, []), start=1):
            self._judge(epoch, accuracy)

    def heard(self, epoch: int, accuracy: float) -> None:
        """A full epoch, counted from 1, and its validation accuracy in percent; counts once."""
        values = self._values.setdefault(self._id, [])
        if epoch == len(values) + 1:
            values.append(accuracy)
            _write(self._file, self._values)
            self._judge(epoch, accuracy)

    def stop(self) -> None:
        """The training under way is over, since it fell behind."""
        values = self._values[self._id]
        self.stopped.append(StoppedTraining(self._id, len(values), values[-1]))

    def spent(self, ids: Sequence[str]) -> int:
        """Full epochs of these trainings, also in earlier processes."""
        return sum(len(self._values.get(each, [])) for each in ids)

    def _judge(self, epoch: int, accuracy: float) -> None:
        if not self.behind:
            self._trial.report(accuracy, epoch)
            self.behind = bool(self._trial.should_prune())


def _study(first: int) -> Any:
    try:
        import optuna
    except ImportError:
        raise TrainingError(
            f"expected the package optuna for --asha, found none: {install('bench')}"
        ) from None
    optuna.logging.set_verbosity(optuna.logging.ERROR)
    pruner = optuna.pruners.SuccessiveHalvingPruner(min_resource=first, reduction_factor=FACTOR)
    return optuna.create_study(direction="maximize", pruner=pruner)


def _read(file: Path) -> dict[str, list[float]]:
    if not file.is_file():
        return {}
    try:
        found = read_json(file)
        if not _are_values(found):
            raise UnreadableError("other content")
    except UnreadableError as error:
        raise StoreError(
            f"expected accuracies of trainings at {file}, found {error}: delete that file to judge"
            " them anew"
        ) from None
    return found  # type: ignore[no-any-return]


def _are_values(found: Any) -> bool:
    return isinstance(found, dict) and all(
        isinstance(values, list) and all(isinstance(value, float) for value in values)
        for values in found.values()
    )


def _write(file: Path, values: dict[str, list[float]]) -> None:
    fresh = file.with_suffix(".fresh")
    try:
        file.parent.mkdir(0o700, parents=True, exist_ok=True)
        fresh.write_text(json.dumps(values), encoding="utf-8")
        fresh.replace(file)
    except OSError as error:
        raise StoreError(
            f"{file} cannot be written ({error.strerror or error}): free disk space or correct its"
            " permissions; what was stored before is kept"
        ) from error
