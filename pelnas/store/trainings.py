"""Networks that were trained for real: their accuracies, and the images they were trained on."""

import json
import re
from collections.abc import Mapping
from dataclasses import dataclass, fields

from pelnas.errors import RunError
from pelnas.store.database import Database, Row
from pelnas.store.decoding import decodes, json_of

WEIGHTS = re.compile(r"training/[A-Za-z0-9][A-Za-z0-9._-]{0,99}")  # names that a run gives


@dataclass(frozen=True, slots=True)
class TrainingRecord:
    """One finished training.

    ``id``: a hash of architecture, settings, seed, images and split.
    ``validation_accuracy``, ``test_accuracy``: percent, of the best epoch, counted from 1.
    ``seconds``: of wall time. ``images``: the digest of the image set, by which
    labels of one kind are found. ``settings``: by name, seed included.
    ``weights``: a file in the folder ``training`` of the run, as ``training/NAME``.
    ``finished``: seconds since 1970.
    """

    id: str
    architecture: str  # the space's official text
    seed: int
    validation_accuracy: float
    test_accuracy: float
    epochs: int
    best_epoch: int
    seconds: float
    images: str
    settings: Mapping[str, float]
    weights: str
    finished: float


_COLUMNS = tuple(field.name for field in fields(TrainingRecord))
_INSERT = (
    f"INSERT OR REPLACE INTO trainings ({', '.join(_COLUMNS)})"  # noqa: S608 - our names
    f" VALUES ({', '.join('?' * len(_COLUMNS))})"
)


class Trainings:
    """Labels of real accuracy, by architecture and seed."""

    _database: Database

    def record_training(self, record: TrainingRecord) -> None:
        """Store a finished training in place of one of the same id."""
        values = {name: getattr(record, name) for name in _COLUMNS}
        values["settings"] = json.dumps(dict(record.settings))
        with self._database.transaction() as connection:
            connection.execute(_INSERT, tuple(values.values()))

    def trainings(self, images: str | None = None) -> list[TrainingRecord]:
        """Finished trainings, on one image set (by its digest) or on all, oldest first.

        RunError: the store of an altered run names another file as weights.
        """
        found = self._database.rows(
            "SELECT * FROM trainings WHERE ?1 IS NULL OR images = ?1 ORDER BY finished, rowid",
            (images,),
        )
        return [_training_of(row) for row in found]

    def pin_images(self, name: str, digest: str) -> None:
        """Store which images the run is about; the first word stays."""
        with self._database.transaction() as connection:
            connection.execute("INSERT OR IGNORE INTO images VALUES (1, ?, ?)", (name, digest))

    def pinned_images(self) -> tuple[str, str] | None:
        """(name, digest) of the run's images; ``None`` before they are pinned."""
        found = self._database.rows("SELECT name, digest FROM images")
        return (found[0]["name"], found[0]["digest"]) if found else None


@decodes
def _training_of(row: Row) -> TrainingRecord:
    values = {name: row[name] for name in _COLUMNS}
    values["settings"] = json_of(values["settings"])
    if WEIGHTS.fullmatch(str(values["weights"])) is None:
        raise RunError(
            f"expected weights of a training as training/NAME in a run's store, found"
            f" {str(values['weights'])[:80]!r}: the run was altered, do not use it"
        )
    return TrainingRecord(**values)
