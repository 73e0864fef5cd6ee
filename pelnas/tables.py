"""Benchmark tables in a data folder, found by their columns.

Nothing here knows a device or a data set: any parquet file of the folder with
a column ``arch_str`` (the official text of an architecture) and columns

- ``DATASET__DEVICE_latency`` (ms) or ``DATASET__DEVICE_energy`` (mJ) is a table of costs,
- ``DATASET_val_acc_EPOCHS`` or ``DATASET_test_acc_EPOCHS`` (percent) is a table of accuracies.

Only schemas are read to say what there is, and only the needed columns to serve.
"""

import os
import re
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from difflib import get_close_matches
from pathlib import Path
from typing import NoReturn

import numpy as np

from pelnas.architecture import Architecture
from pelnas.errors import (
    ArchitectureError,
    DataError,
    DatasetError,
    DeviceError,
    UnreadableError,
)
from pelnas.inputs.formats import parquet_errors, parquet_schema, parquet_table
from pelnas.inputs.percent import check_percent
from pelnas.spaces import SearchSpace

TEXT_COLUMN = "arch_str"
COST_EXAMPLE = "cifar10__mydevice_latency"
ACCURACY_EXAMPLE = "cifar10_val_acc_200"
_COST = re.compile(r"(?P<dataset>.+?)__(?P<device>.+)_(?P<metric>latency|energy)")
_ACCURACY = re.compile(r"(?P<dataset>.+?)_(?P<split>val|test)_acc_(?P<epochs>\d+)")


@dataclass(frozen=True)
class Column:
    """One column of one table, not yet read."""

    file: Path
    name: str

    def read(self) -> dict[str, float]:
        """Value by official text; NaN where the table has none.

        DataError: a text that stands twice or not at all, values that are no
        numbers, or a file that cannot be read.
        """
        try:
            table = parquet_table(self.file, [TEXT_COLUMN, self.name])
            with parquet_errors():
                values = table[self.name].to_numpy().astype(np.float64)
                texts = table[TEXT_COLUMN].cast("string").to_pylist()
        except UnreadableError as error:
            raise DataError(
                f"expected numbers in column {self.name} of {self.file}, found: {error};"
                " replace the file"
            ) from None
        by_text = dict(zip(texts, values.tolist(), strict=True))
        if len(by_text) != len(texts) or None in by_text:
            raise DataError(
                f"expected every architecture once in column {TEXT_COLUMN} of {self.file},"
                f" found {len(by_text)} different ones in {len(texts)} rows: replace the file"
            )
        return by_text


class AccuracyColumn(Column):
    """A column of accuracies in percent."""

    def read(self) -> dict[str, float]:
        """As every column. DataError: as well, values that are no accuracies in percent."""
        by_text = super().read()
        check_percent(by_text.values(), f"column {self.name} of {self.file}")
        return by_text


class Lookup:
    """The values of a column by architecture, for a table that covers its whole space.

    Looked up by text and never by isomorphism: cells that compute the same
    function have latencies and training runs of their own.
    DataError: a table of another space, or one that lacks architectures.
    """

    def __init__(self, column: Column, space: SearchSpace) -> None:
        self._column, self._space = column, space
        self._values = column.read()
        try:
            space.parse(next(iter(self._values), ""))
        except ArchitectureError as error:
            raise DataError(f"{column.file} is a table of another space: {error}") from None
        if len(self._values) < space.size:
            raise DataError(self._lacks(f"{len(self._values)} of {space.size}"))

    def __getitem__(self, architecture: Architecture) -> float:
        text = self._space.format(architecture)
        if text not in self._values:
            raise DataError(self._lacks(f"none for {text}"))
        return self._values[text]

    def _lacks(self, found: str) -> str:
        return (
            f"expected a row for every architecture of {self._space.name} in {self._column.file},"
            f" found {found}: use a complete table"
        )


def devices(folder: Path) -> tuple[str, ...]:
    """Every device with latencies in this folder, sorted. DataError: no table of costs."""
    return _names("device", _latencies(folder))


def datasets(folder: Path) -> tuple[str, ...]:
    """Every data set with costs or accuracies in this folder, sorted. DataError: no table."""
    columns = _columns(folder)
    found = _matching(_COST, columns) + _matching(_ACCURACY, columns)
    return _names("dataset", found or _nothing(folder, columns, COST_EXAMPLE, ACCURACY_EXAMPLE))


def cost_columns(folder: Path, dataset: str, device: str) -> dict[str, Column]:
    """What a device charges, by metric: always ``latency`` (ms), ``energy`` (mJ) where it has it.

    Lower is better; negative or NaN: the device cannot run the architecture.
    ``dataset`` may be "" where the device has one data set only.
    Raises DataError, DeviceError or DatasetError with what there is.
    """
    latencies = _latencies(folder)
    known = _names("device", latencies)
    if device not in known:
        raise DeviceError(unknown("device", device, known, folder))
    own = [entry for entry in latencies if entry.part["device"] == device]
    wanted = {"device": device, "dataset": _dataset(dataset, own, folder)}
    fits = [e for e in _matching(_COST, _columns(folder)) if wanted.items() <= e.part.items()]
    return {
        metric: _only([e.column for e in fits if e.part["metric"] == metric])
        for metric in _names("metric", fits)
    }


def accuracy_column(folder: Path, dataset: str, split: str = "val") -> AccuracyColumn:
    """Accuracies in percent after the longest training there is; higher is better.

    ``split``: ``val``, which a search may see, or ``test``, which only judges.
    ``dataset`` may be "" where the folder has accuracies of one data set only.
    Raises DataError or DatasetError with what there is.
    """
    columns = _columns(folder)
    found = [e for e in _matching(_ACCURACY, columns) if e.part["split"] == split]
    found = found or _nothing(folder, columns, ACCURACY_EXAMPLE.replace("val", split))
    chosen = _dataset(dataset, found, folder)
    own = [entry for entry in found if entry.part["dataset"] == chosen]
    longest = max(int(entry.part["epochs"]) for entry in own)
    column = _only([entry.column for entry in own if int(entry.part["epochs"]) == longest])
    return AccuracyColumn(column.file, column.name)


def true_accuracy(folder: Path, dataset: str) -> dict[str, float]:
    """Test accuracy in percent by official text: it judges a finished search and never guides one."""
    return accuracy_column(folder, dataset, "test").read()


# -- what there is -----------------------------------------------------------


@dataclass(frozen=True)
class _Entry:
    column: Column
    part: dict[str, str]  # of the column's name, by what it says


def _matching(pattern: re.Pattern[str], columns: Iterable[Column]) -> list[_Entry]:
    matches = ((column, pattern.fullmatch(column.name)) for column in columns)
    return [_Entry(column, match.groupdict()) for column, match in matches if match]


def _latencies(folder: Path) -> list[_Entry]:
    columns = _columns(folder)
    found = [e for e in _matching(_COST, columns) if e.part["metric"] == "latency"]
    return found or _nothing(folder, columns, COST_EXAMPLE)


def _columns(folder: Path) -> list[Column]:
    """Every column beside an architecture column, by schema alone, in order of file names."""
    if not os.path.isdir(folder):  # false where the name is too long for any file
        raise DataError(
            f"expected a folder of benchmark tables at {folder}, found"
            f" {'a file' if os.path.exists(folder) else 'nothing'}: give the folder's path"
        )
    schemas = ((file, _schema(file)) for file in sorted(folder.glob("*.parquet")))
    return [
        Column(file, name)
        for file, names in schemas
        if TEXT_COLUMN in names
        for name in names
        if name != TEXT_COLUMN
    ]


def _schema(file: Path) -> list[str]:
    try:
        return list(parquet_schema(file).names)
    except UnreadableError as error:
        raise DataError(
            f"expected a parquet file at {file}, found: {error}; replace or remove it"
        ) from None


def _names(part: str, entries: Iterable[_Entry]) -> tuple[str, ...]:
    return tuple(sorted({entry.part[part] for entry in entries}))


# -- what is not there ---------------------------------------------------------


def _nothing(folder: Path, columns: Sequence[Column], *examples: str) -> NoReturn:
    files = sorted({column.file.name for column in columns}) or ["none"]
    raise DataError(
        f"expected in {folder} a parquet file with the columns {TEXT_COLUMN} and, for example,"
        f" {' or '.join(examples)}; tables of architectures there: {', '.join(files)};"
        " add the table or give another folder"
    )


def _dataset(wanted: str, entries: Sequence[_Entry], folder: Path) -> str:
    known = _names("dataset", entries)
    if not wanted and len(known) == 1:
        return known[0]
    if not wanted:
        raise DatasetError(
            f"expected the name of a data set, for {folder} has several: use one of"
            f" {', '.join(known)}"
        )
    if wanted not in known:
        raise DatasetError(unknown("data set", wanted, known, folder))
    return wanted


def unknown(kind: str, name: str, known: Sequence[str], folder: Path) -> str:
    """The sentence for a name that no table of a folder has; a close one is offered."""
    close = get_close_matches(name, known, n=1)
    hint = f": did you mean {close[0]!r}?" if close else ": use one of these"
    return f"unknown {kind} {name!r}: the tables of {folder} have {', '.join(known)}{hint}"


def _only(columns: Sequence[Column]) -> Column:
    """Two tables that answer the same question would be a silent choice."""
    if len(columns) > 1:
        files = " and ".join(str(column.file) for column in columns)
        raise DataError(
            f"expected column {columns[0].name} in one table, found it in {files}: remove one"
        )
    return columns[0]
