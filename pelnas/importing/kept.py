"""The folder of kept tables: all of what comes together is there as a whole, or nothing of it."""

import csv
import io
import os
import tempfile
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

from pelnas.devices.layered import COLUMNS as LAYER_COLUMNS
from pelnas.devices.layered import (
    CONSTANT,
    DATASET,
    ENERGY,
    LayerTable,
    layered_files,
    named,
    read_layers,
)
from pelnas.errors import DataError, StoreError, UnreadableError
from pelnas.importing.found import Floats, Meaning, Summary
from pelnas.inputs.formats import parquet_schema
from pelnas.spaces import SearchSpace
from pelnas.tables import TEXT_COLUMN

MINE = "pelnas."  # what the names of our metadata begin with


@dataclass(frozen=True, eq=False, slots=True)
class Table:
    """One file to keep. ``name``: of the file; ``source``: the name of the one it comes from.

    ``answers``: the questions that it answers, no two tables of a folder the same one.
    ``write`` writes it to a path.
    """

    name: str
    source: str
    answers: tuple[str, ...]
    write: Callable[[Path], None]


@dataclass(frozen=True, eq=False, slots=True)
class Checked:
    """What a file holds, found right and not kept yet; and what people should know of it."""

    tables: tuple[Table, ...]
    columns: tuple[Summary, ...]
    notes: tuple[str, ...]
    warnings: tuple[str, ...] = ()

    def __add__(self, other: "Checked") -> "Checked":
        return Checked(
            self.tables + other.tables,
            self.columns + other.columns,
            self.notes + other.notes,
            self.warnings + other.warnings,
        )


def network_table(
    name: str,
    texts: Sequence[str],
    columns: Mapping[Meaning, Floats],
    space: SearchSpace,
    source: tuple[str, str],
) -> Table:
    """One row a network, with units, space and provenance in the schema's metadata.

    ``source``: the name and the SHA-256 of the file that it comes from.
    """

    def write(path: Path) -> None:
        import pyarrow as pa
        from pyarrow import parquet

        fields = [pa.field(TEXT_COLUMN, pa.string())]
        fields += [
            pa.field(meaning.column, pa.float64(), metadata={"unit": meaning.unit})
            for meaning in columns
        ]
        origin = {"space": space.name, "source": source[0], "sha256": source[1]}
        metadata = {f"{MINE}{key}": value for key, value in origin.items()}
        table = pa.table([list(texts), *columns.values()], pa.schema(fields, metadata=metadata))
        parquet.write_table(table, path, compression="zstd")

    answers = tuple(f"column {meaning.column}" for meaning in columns)
    return Table(f"{name}.{space.name}.parquet", source[0], answers, write)


def layer_file(name: str, tables: Sequence[LayerTable], source: str, content: bytes) -> Table:
    """Costs per layer. ``content``: of the CSV file."""
    answers = tuple(map(_answer, tables))
    return Table(f"{name}.layers.csv", source, answers, lambda path: _write(path, content))


def _write(path: Path, content: bytes) -> None:
    path.write_bytes(content)


def layer_lines(tables: Iterable[LayerTable]) -> bytes:
    """The CSV file of tables of costs per layer."""
    text = io.StringIO(newline="")
    writer = csv.writer(text, lineterminator="\n")
    writer.writerow(("device", DATASET, *LAYER_COLUMNS[1:], ENERGY))
    for table in tables:
        for layer, operation, latency, energy in _layer_rows(table):
            writer.writerow((table.device, table.dataset, layer, operation, latency, energy))
    return text.getvalue().encode("utf-8", "replace")


def _layer_rows(table: LayerTable) -> Iterator[tuple[int, str, float, float | str]]:
    """Layer, operation, ms and mJ; the constant first."""
    energy = table.energy
    yield CONSTANT, "constant", table.latency.constant, energy.constant if energy else ""
    for layer, costs in table.latency.deltas.items():
        for operation, cost in costs.items():
            yield layer, operation, cost, energy.deltas[layer][operation] if energy else ""


def _answer(table: LayerTable) -> str:
    return f"costs per layer of {named(table)}"


@contextmanager
def kept(folder: Path, tables: Sequence[Table]) -> Iterator[list[Path]]:
    """The tables in the folder, in their order; where the block fails, the folder as it was.

    A table takes the place of an earlier one of its name and source. DataError: another table
    answers the same question. StoreError: the folder cannot be made.
    """
    targets = _targets(folder, tables)
    _check_new(folder, tables, targets)
    try:
        folder.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise StoreError(
            f"expected a folder for tables at {folder}, found that it cannot be made"
            f" ({error.strerror}): give another with --to"
        ) from None
    with tempfile.TemporaryDirectory(prefix=".part", dir=folder) as beside:
        parts = [Path(beside) / f"new-{target.name}" for target in targets]
        for table, part in zip(tables, parts, strict=True):
            table.write(part)
        earlier = {
            target: Path(beside) / f"old-{target.name}" for target in targets if target.exists()
        }
        try:
            for target, old in earlier.items():
                os.replace(target, old)
            for part, target in zip(parts, targets, strict=True):
                os.replace(part, target)
            yield targets
        except BaseException:  # an interrupt as well: what was there stays there
            for target in targets:
                _restore(target, earlier.get(target))
            raise


def _restore(target: Path, old: Path | None) -> None:
    if old is None:
        target.unlink(missing_ok=True)
    elif old.exists():
        os.replace(old, target)


def _targets(folder: Path, tables: Sequence[Table]) -> list[Path]:
    """Where each goes: beside tables that came from other files, in place of its own earlier one."""
    found: dict[Path, str] = {}
    for table in tables:
        stem, dot, ending = table.name.partition(".")
        target, number = folder / table.name, 2
        while found.get(target) or _source(target, table.source) != table.source:
            target = folder / f"{stem}-{number}{dot}{ending}"
            number += 1
        found[target] = table.source
    return list(found)


def _source(target: Path, default: str) -> str:
    """The file that an existing table came from; ``default`` where nothing says it."""
    return provenance(target).get("source", default) if target.exists() else default


def _check_new(folder: Path, tables: Sequence[Table], targets: Sequence[Path]) -> None:
    """One question with two answers would be refused by every search."""
    known = _answered(folder, targets)
    for table in tables:
        again = next((each for each in table.answers if each in known), None)
        if again is not None:
            raise DataError(
                f"expected something new in {table.source}, found {again} in {known[again]}"
                " already: remove that file, or use another data set or device name"
            )
        known |= dict.fromkeys(table.answers, table.source)


def _answered(folder: Path, besides: Sequence[Path]) -> dict[str, str]:
    """The questions that the tables of a folder answer, and the file that does."""
    found: dict[str, str] = {}
    for file in sorted(set(folder.glob("*.parquet")) - set(besides)):
        try:
            names = parquet_schema(file).names
        except UnreadableError:
            continue  # said where it is looked up
        found |= {f"column {name}": str(file) for name in names if name != TEXT_COLUMN}
    for file in sorted(set(layered_files(folder)) - set(besides)):
        try:
            found |= {_answer(table): str(file) for table in read_layers(file)}
        except DataError:
            continue
    return found


def provenance(file: Path) -> dict[str, str]:
    """What a kept table says of itself: ``space``, ``source``, ``sha256``; nothing of other files."""
    try:
        metadata = parquet_schema(file).metadata or {}
    except UnreadableError:
        return {}
    mine = {key.decode("utf-8", "replace"): value for key, value in metadata.items()}
    return {
        key.removeprefix(MINE): value.decode("utf-8", "replace")
        for key, value in mine.items()
        if key.startswith(MINE)
    }
