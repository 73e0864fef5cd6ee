"""Checked tables in the user's data folder: each whole, with units and where it came from."""

import hashlib
import os
import shutil
import tempfile
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from pelnas.architecture import Architecture
from pelnas.devices.layered import COLUMNS, LayerTable, layer_tables
from pelnas.errors import ArchitectureError, DataError, SpaceError, StoreError, UnreadableError
from pelnas.importing.found import Floats, Imported, Meaning, Rows, Summary
from pelnas.importing.readers import Wanted, read_rows
from pelnas.inputs.formats import csv_columns, parquet_schema, read_bytes
from pelnas.inputs.percent import check_percent
from pelnas.spaces import SearchSpace, get_space, known_spaces
from pelnas.tables import TEXT_COLUMN, Lookup, all_costs

MINE = "pelnas."  # what the names of our metadata begin with
INFEASIBLE = -1.0  # how tables say that a device cannot run a network
#: Milliseconds between which the median of a table of latencies is believed.
PLAUSIBLE = (0.02, 20_000.0)
APART = 300.0  # times the median of other devices of the space, from which a unit is doubted
STOP, FIRST = "stop", "first"  # what to do with rows that name a network again


@dataclass(frozen=True, slots=True)
class Choices:
    """What to do with a table that is not as it should be.

    ``space``: "" to find it out. ``complete``: refuse a table that lacks networks.
    ``duplicates``: ``stop``, or ``first`` to take the first row of each network.
    """

    space: str = ""
    complete: bool = False
    duplicates: str = STOP


def import_file(path: Path, folder: Path, wanted: Wanted, choices: Choices) -> Imported:
    """Read, check and keep one file; nothing is kept unless all of it is right. DataError."""
    if _is_layered(path):
        return _import_layers(path, folder)
    rows = read_rows(path, wanted)
    space = _space(rows, choices, path)
    architectures, rows, notes = _placed(rows, space, choices, path)
    columns = {meaning: _checked(meaning, values, path) for meaning, values in rows.columns.items()}
    warnings = [
        warning
        for meaning, values in columns.items()
        if meaning.metric == "latency"
        and (warning := _doubt(meaning, values, space, folder)) is not None
    ]
    notes += [f"{each}" for each in rows.converted]
    if rows.left:
        notes.append(f"not imported: {', '.join(rows.left[:12])}")
    target = folder / f"{_name(path)}.{space.name}.parquet"
    texts = [space.format(each) for each in architectures]
    keep_table(target, texts, columns, space, path)
    told = tuple(_summary(meaning, values, space) for meaning, values in columns.items())
    return Imported(str(path), str(target), told, tuple(notes), tuple(warnings))


def _summary(meaning: Meaning, values: Floats, space: SearchSpace) -> Summary:
    infeasible = int((values == INFEASIBLE).sum()) if meaning.metric != "accuracy" else 0
    missing = int(np.isnan(values).sum())
    known = len(values) - missing
    return Summary(
        space.name,
        meaning.dataset,
        meaning.device,
        meaning.metric,
        meaning.unit,
        known,
        known / space.size,
        infeasible,
        missing,
    )


# -- which space, and which networks -------------------------------------------------------


def _space(rows: Rows, choices: Choices, path: Path) -> SearchSpace:
    """The space that was named, else the first one that knows the first row's network."""
    if not rows.texts:
        raise DataError(f"expected rows of networks in {path}, found none: give another file")
    if choices.space:
        return get_space(choices.space)
    for name in known_spaces():
        try:
            space = get_space(name)
            space.parse(rows.texts[0])
        except (ArchitectureError, SpaceError):
            continue
        return space
    raise DataError(
        f"expected networks of one of the spaces {', '.join(known_spaces())} in {path}, found"
        f" {rows.texts[0][:80]!r}: name the space with --space"
    )


def _placed(
    rows: Rows, space: SearchSpace, choices: Choices, path: Path
) -> tuple[list[Architecture], Rows, list[str]]:
    """The network of each row that is kept, those rows, and what is said of the others."""
    first: dict[Architecture, int] = {}
    again = 0
    for row, text in enumerate(rows.texts):
        try:
            architecture = space.parse(text)
        except ArchitectureError as error:
            raise DataError(
                f"expected networks of {space.name} in {path}, found in row {row + 1}: {error}"
            ) from None
        again += architecture in first
        first.setdefault(architecture, row)
    if again and choices.duplicates == STOP:
        raise DataError(
            f"expected every network once in {path}, found {again} rows that name one again: remove"
            " them, or take the first row of each with --duplicates first"
        )
    notes = [f"{again} rows that name a network again were left out"] if again else []
    lacking = space.size - len(first)
    if lacking and choices.complete:
        raise DataError(
            f"expected all {space.size} networks of {space.name} in {path}, found {len(first)}:"
            f" {lacking} are missing; add them, or import what there is without --complete"
        )
    if lacking:
        notes.append(
            f"{len(first)} of {space.size} networks of {space.name}: costs of the other"
            f" {lacking:.4g} are predicted from these"
        )
    order = np.array(list(first.values()))
    kept = {meaning: values[order] for meaning, values in rows.columns.items()}
    return list(first), Rows(rows.texts, kept, rows.converted, rows.left), notes


# -- values ---------------------------------------------------------------------------------


def _checked(meaning: Meaning, values: Floats, path: Path) -> Floats:
    """Costs above 0, -1 or nothing; accuracies in percent. DataError."""
    if not np.isfinite(values).any():
        raise DataError(f"expected numbers for {meaning.column} in {path}, found none: correct it")
    if meaning.metric == "accuracy":
        check_percent(values[np.isfinite(values)].tolist(), f"{meaning.column} of {path}")
        return values
    wrong = np.flatnonzero((values <= 0) & (values != INFEASIBLE) | np.isinf(values))
    if len(wrong):
        raise DataError(
            f"expected {meaning.metric} above 0 for {meaning.column} in {path} (-1 where the device"
            f" cannot run a network, empty where it was not measured), found"
            f" {values[wrong[0]]:g} in row {wrong[0] + 1} and {len(wrong)} such rows: correct them"
        )
    return values


def _doubt(meaning: Meaning, values: Floats, space: SearchSpace, folder: Path) -> str | None:
    """A warning where the unit looks wrong, by a plausible range and by other devices."""
    good = values[values > 0]
    if not len(good):
        return None
    middle = float(np.median(good))
    low, high = PLAUSIBLE
    usual = _usual(meaning, space, folder)
    if low <= middle <= high and (usual is None or 1 / APART < middle / usual < APART):
        return None
    beside = f", and {usual:.3g} ms on other devices" if usual is not None else ""
    return (
        f"{meaning.column} has a median of {middle:.3g} ms{beside}: check the unit of the file"
        " (--unit s or --unit us)"
    )


def _usual(meaning: Meaning, space: SearchSpace, folder: Path) -> float | None:
    """The median over the devices of a folder of the medians of their latencies, in ms."""
    try:
        columns = all_costs(folder)
    except DataError:
        return None
    found = []
    for (device, _, metric), column in columns.items():
        if metric == "latency" and device != meaning.device:
            try:
                values = Lookup(column, space, partial=True).values
            except DataError:
                continue  # of another space
            if (values > 0).any():
                found.append(float(np.median(values[values > 0])))
    return float(np.median(found)) if found else None


# -- costs per layer -------------------------------------------------------------------------


def _is_layered(path: Path) -> bool:
    if path.suffix.lower() != ".csv":
        return False
    try:
        return set(COLUMNS) <= set(csv_columns(path))
    except UnreadableError:
        return False


def _import_layers(path: Path, folder: Path) -> Imported:
    """A table of costs per layer is kept as it is, once it can be read."""
    _make(folder)
    with tempfile.TemporaryDirectory(dir=folder) as beside:
        copy = Path(beside) / f"{_name(path)}.layers.csv"
        shutil.copyfile(path, copy)
        found = layer_tables(Path(beside))
        columns = tuple(
            Summary(
                fitting_spaces(table), "", device, "latency", "ms", len(table.deltas), 1.0, 0, 0
            )
            for device, table in found.items()
        )
        target = folder / copy.name
        os.replace(copy, target)
    return Imported(str(path), str(target), columns, ("costs per layer, in ms",))


def fitting_spaces(table: LayerTable) -> str:
    """The spaces that a table of layers has the costs of."""
    fitting = []
    for name in known_spaces():
        try:
            if table.misfit(get_space(name)) is None:
                fitting.append(name)
        except SpaceError:
            continue
    return ", ".join(fitting)


# -- the folder ------------------------------------------------------------------------------


def _name(path: Path) -> str:
    """A file's name without its ending, of letters that every system takes."""
    plain = "".join(each if each.isalnum() or each in "-_" else "-" for each in path.stem)
    return plain[:80] or "table"


def _make(folder: Path) -> None:
    try:
        folder.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise StoreError(
            f"expected a folder for tables at {folder}, found that it cannot be made"
            f" ({error.strerror}): give another with --to"
        ) from None


def keep_table(
    target: Path,
    texts: Sequence[str],
    columns: Mapping[Meaning, Floats],
    space: SearchSpace,
    source: Path,
) -> None:
    """A Parquet file with units, space and provenance in its metadata, there as a whole or not.

    DataError: another table of the folder answers the same question.
    """
    import pyarrow as pa
    from pyarrow import parquet

    _make(target.parent)
    _check_new(target, columns)
    digest = hashlib.sha256(read_bytes(source, source.stat().st_size)).hexdigest()
    fields = [pa.field(TEXT_COLUMN, pa.string())]
    fields += [
        pa.field(meaning.column, pa.float64(), metadata={"unit": meaning.unit})
        for meaning in columns
    ]
    told = {"space": space.name, "source": source.name, "sha256": digest}
    schema = pa.schema(fields, metadata={f"{MINE}{key}": value for key, value in told.items()})
    table = pa.table([list(texts), *columns.values()], schema=schema)
    handle, name = tempfile.mkstemp(suffix=".part", dir=target.parent)
    os.close(handle)
    try:
        parquet.write_table(table, name, compression="zstd")
        os.replace(name, target)
    finally:
        Path(name).unlink(missing_ok=True)


def _check_new(target: Path, columns: Mapping[Meaning, Floats]) -> None:
    """One question with two answers would be refused by every search."""
    for file in sorted(target.parent.glob("*.parquet")):
        if file == target:
            continue
        try:
            names = set(parquet_schema(file).names)
        except UnreadableError:
            continue  # said where it is looked up
        again = next((each.column for each in columns if each.column in names), None)
        if again is not None:
            raise DataError(
                f"expected a new column, found {again} in {file} already: remove that file, or use"
                " another data set or device name"
            )


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
