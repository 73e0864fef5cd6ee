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
from itertools import chain
from math import prod
from pathlib import Path
from threading import RLock
from typing import NoReturn

import numpy as np
from numpy.typing import NDArray
from platformdirs import user_data_dir

from pelnas.architecture import Architecture
from pelnas.errors import (
    ArchitectureError,
    DataError,
    DatasetError,
    DeviceError,
    UnreadableError,
)
from pelnas.inputs.formats import parquet_errors, parquet_schema, parquet_table
from pelnas.inputs.paths import expanded
from pelnas.inputs.percent import check_percent
from pelnas.spaces import SearchSpace

TEXT_COLUMN = "arch_str"
ANY = "any"  # the data set of costs that do not depend on one, or were not named
MOST_LISTED = 10_000_000  # networks of a space whose tables are arrays by index
MOST_KEPT = 64  # columns, and files, that a process keeps
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

    ``values``: by place (``places``), NaN where the table has none. A file is read once in a
    process, and its texts are once told apart for each space. Looked up by text and never by
    isomorphism: cells that compute the same function have latencies and training runs of their
    own. DataError: a table of another space, or one that lacks architectures, unless ``partial``.
    """

    def __init__(self, column: Column, space: SearchSpace, *, partial: bool = False) -> None:
        self._column, self._space = column, space
        self._rows = _rows_of(column.file, _stamp(column.file), space)
        known = len(self._rows.order)
        if known + len(self._rows.strange) < space.size and not partial:
            raise DataError(self._lacks(f"{known} of {space.size}"))
        self.values = _values_of(column, _stamp(column.file))[self._rows.order]

    @property
    def architectures(self) -> list[Architecture]:
        """Those of the table's rows, in the order of ``values``."""
        return [Architecture(self._space.name, tuple(genes)) for genes in self._rows.genes.tolist()]

    def __getitem__(self, architecture: Architecture) -> float:
        return float(self.of([architecture])[0])

    def __contains__(self, architecture: Architecture) -> bool:
        return self._rows.find([architecture])[0] >= 0

    def of(self, architectures: Sequence[Architecture]) -> NDArray[np.float64]:
        """The value of each, (n,). DataError: the table lacks one."""
        return self.values[self.places(architectures)]

    def places(self, architectures: Sequence[Architecture]) -> list[int]:
        """Where each stands in ``values``. DataError: the table lacks one."""
        found = self._rows.find(architectures)
        if found and min(found) < 0:
            text = self._space.format(architectures[found.index(min(found))])
            raise DataError(self._lacks(f"none for {text}"))
        return found

    def _lacks(self, found: str) -> str:
        return (
            f"expected a row for every architecture of {self._space.name} in {self._column.file},"
            f" found {found}: use a complete table"
        )


@dataclass(frozen=True, eq=False, slots=True)
class _Rows:
    """The rows of a file by architecture.

    ``order``: the rows that name one of the space, and its ``genes`` (n, positions). ``index``: for
    a space that can be listed, the place of each architecture in ``order`` by its index, -1 for
    none; else ``places`` by genes. ``strange``: texts that name none of the space.
    """

    order: NDArray[np.intp]
    genes: NDArray[np.int16]
    index: NDArray[np.intp] | None
    radix: NDArray[np.int64]
    places: dict[tuple[int, ...], int]
    strange: tuple[str, ...]

    def find(self, architectures: Sequence[Architecture]) -> list[int]:
        """The place of each, -1 for none."""
        if self.index is None:
            return [self.places.get(each.genes, -1) for each in architectures]
        count = len(architectures) * len(self.radix)
        genes = chain.from_iterable(each.genes for each in architectures)
        table = np.fromiter(genes, np.int64, count).reshape(-1, len(self.radix))
        found: list[int] = self.index[table @ self.radix].tolist()
        return found


def _stamp(file: Path) -> tuple[int, int]:
    """What changes when a file does. DataError: there is no such file."""
    try:
        found = os.stat(file)
    except OSError as error:
        raise DataError(
            f"expected a table at {file}, found none ({error.strerror}): give its path"
        ) from None
    return found.st_mtime_ns, found.st_size


def _rows_of(file: Path, stamp: tuple[int, int], space: SearchSpace) -> _Rows:
    """As kept of this process, where the file and the space are the same."""
    key = (file, stamp, space.name, type(space))
    with _READING:
        if key not in _KEPT_ROWS:
            while len(_KEPT_ROWS) >= MOST_KEPT:
                del _KEPT_ROWS[next(iter(_KEPT_ROWS))]
            _KEPT_ROWS[key] = _read_rows(file, space)
        return _KEPT_ROWS[key]


def _values_of(column: Column, stamp: tuple[int, int]) -> NDArray[np.float64]:
    """Of each row of the file, as kept of this process."""
    key = (column, stamp)
    with _READING:
        if key not in _KEPT_VALUES:
            while len(_KEPT_VALUES) >= MOST_KEPT:
                del _KEPT_VALUES[next(iter(_KEPT_VALUES))]
            _KEPT_VALUES[key] = np.array(list(column.read().values()))
        return _KEPT_VALUES[key]


_READING = RLock()
_KEPT_ROWS: dict[tuple[Path, tuple[int, int], str, type[SearchSpace]], _Rows] = {}
_KEPT_VALUES: dict[tuple[Column, tuple[int, int]], NDArray[np.float64]] = {}


def _read_rows(file: Path, space: SearchSpace) -> _Rows:
    """DataError: a file that cannot be read, a table of another space, one that lists twice."""
    try:
        with parquet_errors():
            texts = parquet_table(file, [TEXT_COLUMN])[TEXT_COLUMN].cast("string").to_pylist()
    except UnreadableError as error:
        raise DataError(
            f"expected architectures in {file}, found: {error}; replace the file"
        ) from None
    genes: dict[tuple[int, ...], int] = {}
    strange: list[str] = []
    for row, text in enumerate(texts):
        try:
            genes[space.parse(text or "").genes] = row
        except ArchitectureError as error:
            if not row:
                raise DataError(f"{file} is a table of another space: {error}") from None
            strange.append(text or "")
    if not texts:
        raise DataError(
            f"expected a row for every architecture of {space.name} in {file}, found none"
        )
    if len(genes) + len(strange) < len(texts):
        raise DataError(
            f"expected every architecture once in column {TEXT_COLUMN} of {file}, found"
            f" {len(genes)} different ones in {len(texts)} rows: replace the file"
        )
    sizes = [len(options) for options in space.choices]
    radix = np.array([prod(sizes[place + 1 :]) for place in range(len(sizes))], dtype=object)
    order = np.array(list(genes.values()), dtype=np.intp)
    table = np.array(list(genes), dtype=np.int16)
    if space.size > MOST_LISTED:
        places = {each: place for place, each in enumerate(genes)}
        return _Rows(order, table, None, np.empty(0, np.int64), places, tuple(strange))
    small = radix.astype(np.int64)
    index = np.full(space.size, -1, dtype=np.intp)
    index[table @ small] = np.arange(len(genes))
    return _Rows(order, table, index, small, {}, tuple(strange))


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


def all_costs(folder: Path) -> dict[tuple[str, str, str], Column]:
    """Every column of costs by device, data set and metric. DataError: as ``cost_columns``."""
    found: dict[tuple[str, str, str], list[Column]] = {}
    _latencies(folder)
    for entry in _matching(_COST, _columns(folder)):
        part = entry.part
        found.setdefault((part["device"], part["dataset"], part["metric"]), []).append(entry.column)
    return {key: _only(columns) for key, columns in found.items()}


def all_accuracies(folder: Path) -> dict[tuple[str, str, str], Column]:
    """Every column of accuracies by data set, split and epochs; none where there is none."""
    found: dict[tuple[str, str, str], list[Column]] = {}
    for entry in _matching(_ACCURACY, _columns(folder)):
        part = entry.part
        found.setdefault((part["dataset"], part["split"], part["epochs"]), []).append(entry.column)
    return {key: _only(columns) for key, columns in found.items()}


def user_folder() -> Path:
    """Where imported tables are: PELNAS_TABLES, or ``data`` where the system keeps a user's data."""
    own = os.environ.get("PELNAS_TABLES")
    return expanded(Path(own)) if own else Path(user_data_dir("pelnas")) / "data"


def folder_of(named: Path | None) -> Path | None:
    """The folder of tables that was named, else that of imported tables, where there are some."""
    if named is not None:
        return named
    own = user_folder()
    return own if own.is_dir() and any(own.iterdir()) else None


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
    if wanted in known:
        return wanted
    if known == (ANY,):
        return ANY
    raise DatasetError(unknown("data set", wanted, known, folder))


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
