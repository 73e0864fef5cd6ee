"""Tables of one row a network, read by what their columns say: JSON, CSV, Parquet."""

import re
from collections import Counter
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from pelnas.errors import DataError, UnreadableError
from pelnas.importing.found import Floats, Meaning, Rows
from pelnas.inputs.formats import (
    csv_columns,
    parquet_errors,
    parquet_schema,
    parquet_table,
    parse_json,
    read_csv,
    read_text,
)
from pelnas.tables import ANY

PICKLES = (".pickle", ".pkl")  # the official release, which another module reads
TEXTS = ("arch_str", "architecture", "arch")  # columns of official texts, the first one there
BLOCKS = ("expand", "kernel", "layers", "se")  # columns of MnasNet's choices, seven numbers each
MILLISECONDS = {"ms": 1.0, "s": 1e3, "us": 1e-3}
THROUGHPUT = 1e3  # ms an image takes at one image a second
LONGEST = 200  # epochs of an accuracy that says nothing of them

#: Names of columns that say by themselves what they hold.
_OWN = re.compile(r"(?P<dataset>.+?)__(?P<device>.+)_(?P<metric>latency|energy)")
_COST = re.compile(r"latency_(?P<before>[A-Za-z0-9-]+)_(?P<unit>ms|us|s)"
                   r"|(?P<behind>[A-Za-z0-9-]+)_latency(_(?P<other>ms|us|s))?")  # fmt: skip
_RATE = re.compile(r"throughput_(?P<device>[A-Za-z0-9-]+)(_ips)?")
_ENERGY = re.compile(r"(?P<device>[A-Za-z0-9-]+)_energy(_mj)?")
_ACCURACY = re.compile(
    r"(?P<dataset>.*?)_?(?P<split>val|valid|test)_?acc(uracy)?(_(?P<epochs>\d{1,4}))?"
)


@dataclass(frozen=True, slots=True)
class Wanted:
    """What the person said about a file, "" and () for nothing.

    ``columns``: (metric, device, column) with metric latency, energy, throughput or accuracy.
    ``unit``: of latencies, where the name of a column does not say it.
    """

    texts: str = ""
    dataset: str = ""
    unit: str = "ms"
    columns: tuple[tuple[str, str, str], ...] = ()


def read_rows(path: Path, wanted: Wanted) -> Rows:
    """The table of a file. DataError: another kind of file, a damaged one, nothing understood."""
    suffix = path.suffix.lower()
    if suffix not in _READERS:
        raise DataError(
            f"expected a file that ends with {', '.join((*PICKLES, *_READERS))}, found"
            f" {path.name!r}: give one"
        )
    with damage(path):
        return _READERS[suffix](path, wanted)


@contextmanager
def damage(path: Path) -> Iterator[None]:
    """DataError in place of what cannot be read of a file in a block."""
    try:
        yield
    except UnreadableError as error:
        raise DataError(
            f"expected a {path.suffix.lower()[1:]} file of networks at {path}, found: {error};"
            " replace it"
        ) from None


# -- rows -----------------------------------------------------------------------------------


def _json(path: Path, wanted: Wanted) -> Rows:
    """``{arch_str: accuracy}``, ``{arch_str: {column: number}}`` or a list of rows."""
    found = parse_json(read_text(path), strict=False, unique=True)
    if isinstance(found, list):
        rows = found
    elif isinstance(found, dict):
        rows = [
            {TEXTS[0]: text, **(values if isinstance(values, dict) else {"val_acc": values})}
            for text, values in found.items()
        ]
    else:
        rows = []
    if not rows or not all(isinstance(row, dict) for row in rows):
        raise UnreadableError("neither a dict by arch_str nor a list of rows")
    names = tuple(dict.fromkeys(str(name) for row in rows for name in row))
    plain = [{name: _as_text(row.get(name)) for name in names} for row in rows]
    return _rows(names, lambda chosen: [[row[n] for n in chosen] for row in plain], wanted)


def _as_text(value: Any) -> str:
    return "" if value is None else str(value)


def _csv(path: Path, wanted: Wanted) -> Rows:
    def cells(chosen: Sequence[str]) -> list[list[str]]:
        return [[row[name] for name in chosen] for row in read_csv(path, chosen)]

    return _rows(csv_columns(path), cells, wanted)


def _parquet(path: Path, wanted: Wanted) -> Rows:
    def cells(chosen: Sequence[str]) -> list[list[str]]:
        with parquet_errors():
            table = parquet_table(path, list(chosen))
            columns = [table[name].cast("string").to_pylist() for name in chosen]
        return [[_as_text(value) for value in row] for row in zip(*columns, strict=True)]

    return _rows(tuple(parquet_schema(path).names), cells, wanted)


Cells = Callable[[Sequence[str]], list[list[str]]]


def _rows(names: Sequence[str], cells: Cells, wanted: Wanted) -> Rows:
    """The table of named columns; ``cells`` gives the rows of some of them as text."""
    text_columns = _text_columns(names, wanted)
    again = [name for name, count in Counter(names).items() if count > 1]
    if again:
        raise UnreadableError(f"two columns {again[0][:80]!r}")
    meanings = _meanings(names, text_columns, wanted)
    chosen = [*text_columns, *meanings]
    rows = cells(chosen)
    own = len(text_columns)
    texts = tuple(_text(row[:own], own) for row in rows)
    columns, converted = {}, []
    for place, (name, (meaning, factor)) in enumerate(meanings.items(), start=own):
        values = _floats([row[place] for row in rows], name)
        if factor is None:
            values = np.where(values > 0, THROUGHPUT / np.where(values > 0, values, 1), values)
            converted.append(f"{name}: images per second, read as ms per image")
        elif factor != 1.0:
            values = np.where(values > 0, values * factor, values)
            converted.append(f"{name}: times {factor:g} to ms")
        if meaning in columns:
            raise UnreadableError(f"two columns for {meaning.column}, {name} among them")
        columns[meaning] = values
    left = tuple(name for name in names if name not in chosen)
    return Rows(texts, columns, tuple(converted), left)


def _text_columns(names: Sequence[str], wanted: Wanted) -> tuple[str, ...]:
    if wanted.texts:
        if wanted.texts not in names:
            raise UnreadableError(f"no column {wanted.texts}")
        return (wanted.texts,)
    named = next((name for name in TEXTS if name in names), None)
    if named is not None:
        return (named,)
    if set(BLOCKS) <= set(names):
        return BLOCKS
    raise UnreadableError(
        f"no column of networks ({', '.join(TEXTS)}; name yours with --architectures)"
    )


def _text(cells: Sequence[str], count: int) -> str:
    """The official text of a row; from the columns of ``BLOCKS`` that of MnasNet."""
    if count == 1:
        return cells[0].strip()
    blocks = list(zip(*(cell.split() for cell in cells), strict=False))
    return "/".join(f"e{e}k{k}n{n}{'s' if s != '0' else ''}" for e, k, n, s in blocks)


def _floats(cells: Sequence[str], name: str) -> Floats:
    found = np.empty(len(cells))
    for row, cell in enumerate(cells):
        try:
            found[row] = float(cell or "nan")
        except ValueError:
            raise UnreadableError(
                f"{cell[:20]!r} in place of a number in column {name}, row {row + 1}"
            ) from None
    return found


Factor = float | None  # to the unit that is kept; None: a throughput


def _meanings(
    names: Sequence[str], texts: Sequence[str], wanted: Wanted
) -> Mapping[str, tuple[Meaning, Factor]]:
    """What each column holds: as named by the person, else as its name says."""
    if wanted.columns:
        unknown = next((column for *_, column in wanted.columns if column not in names), None)
        if unknown is not None:
            raise UnreadableError(f"no column {unknown}")
        return {column: _given(metric, device, wanted) for metric, device, column in wanted.columns}
    found = {
        name: meaning
        for name in names
        if name not in texts and (meaning := _detected(name, wanted)) is not None
    }
    if not found:
        raise UnreadableError(
            "no column of costs or accuracies (cifar10__mydevice_latency, latency_mydevice_ms,"
            " throughput_mydevice_ips, cifar10_val_acc_200; name yours with --latency DEVICE=COLUMN)"
        )
    return found


def _given(metric: str, device: str, wanted: Wanted) -> tuple[Meaning, Factor]:
    dataset = wanted.dataset or ANY
    if metric == "accuracy":
        return Meaning("accuracy", dataset, split=device or "val", epochs=LONGEST), 1.0
    if metric == "throughput":
        return Meaning("latency", dataset, device), None
    return Meaning(metric, dataset, device), MILLISECONDS[
        wanted.unit
    ] if metric == "latency" else 1.0


def _detected(name: str, wanted: Wanted) -> tuple[Meaning, Factor] | None:
    """What a column's name says, if it says anything."""
    dataset, factor = wanted.dataset or ANY, MILLISECONDS[wanted.unit]
    if match := _OWN.fullmatch(name):
        own = Meaning(match["metric"], match["dataset"], match["device"])
        return own, factor if own.metric == "latency" else 1.0
    if match := _RATE.fullmatch(name):
        return Meaning("latency", dataset, f"{match['device']}-throughput"), None
    if match := _COST.fullmatch(name):
        unit = match["unit"] or match["other"]
        device = match["before"] or match["behind"]
        return Meaning("latency", dataset, device), MILLISECONDS[unit] if unit else factor
    if match := _ENERGY.fullmatch(name):
        return Meaning("energy", dataset, match["device"]), 1.0
    if match := _ACCURACY.fullmatch(name):
        split = "test" if match["split"] == "test" else "val"
        epochs = int(match["epochs"] or LONGEST)
        return Meaning("accuracy", match["dataset"] or dataset, split=split, epochs=epochs), 1.0
    return None


_READERS: Mapping[str, Callable[[Path, Wanted], Rows]] = {
    ".json": _json,
    ".csv": _csv,
    ".parquet": _parquet,
}
