"""Files of people, checked, and kept in the user's data folder once all of them are right."""

import hashlib
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from pelnas.architecture import Architecture
from pelnas.devices.partial import FEWEST
from pelnas.errors import ArchitectureError, DataError, SpaceError
from pelnas.importing.found import Floats, Imported, Meaning, Rows, Summary, doubtful, plain_name
from pelnas.importing.hwnasbench import read_release
from pelnas.importing.kept import Checked, kept, layer_lines, network_table
from pelnas.importing.layers import check_file, check_tables, is_layered
from pelnas.importing.readers import PICKLES, Wanted, damage, read_rows
from pelnas.inputs.formats import MEBIBYTE, read_bytes
from pelnas.inputs.percent import check_percent
from pelnas.spaces import SearchSpace, get_space, known_spaces
from pelnas.tables import Lookup, all_costs

FBNET = "fbnet"  # the space of the second part of HW-NAS-Bench
LARGEST = 4 * 1024 * MEBIBYTE  # bytes of a file that is imported
INFEASIBLE = -1.0  # how tables say that a device cannot run a network
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


def import_files(
    paths: Sequence[Path], folder: Path, wanted: Wanted, choices: Choices
) -> list[Imported]:
    """Read, check and keep files; nothing is kept unless all of them are right. DataError."""
    checked = [_check(path, folder, wanted, choices) for path in paths]
    with kept(folder, [table for each in checked for table in each.tables]) as targets:
        places = iter(targets)
        return [
            Imported(
                str(path),
                tuple(str(next(places)) for _ in each.tables),
                each.columns,
                each.notes,
                each.warnings,
            )
            for path, each in zip(paths, checked, strict=True)
        ]


def import_file(path: Path, folder: Path, wanted: Wanted, choices: Choices) -> Imported:
    """As ``import_files``, of one."""
    (found,) = import_files([path], folder, wanted, choices)
    return found


def _check(path: Path, folder: Path, wanted: Wanted, choices: Choices) -> Checked:
    if path.suffix.lower() in PICKLES:
        return _check_release(path, folder, choices)
    if is_layered(path):
        return check_file(path, choices.space)
    return _check_rows(read_rows(path, wanted), path, folder, choices)


def _check_release(path: Path, folder: Path, choices: Choices) -> Checked:
    """Both parts of HW-NAS-Bench, or the one whose space was named."""
    with damage(path):
        release = read_release(path)
    left = (f"not imported: {', '.join(release.left[:12])}",) if release.left else ()
    found = Checked((), (), left)
    if release.cells is not None and choices.space != FBNET:
        found += _check_rows(release.cells, path, folder, choices)
    if release.layers and choices.space in ("", FBNET):
        content = layer_lines(release.layers)
        found += check_tables(release.layers, path, FBNET, content, part=f"-{FBNET}")
    if not found.tables:
        raise DataError(
            f"expected costs of {choices.space or 'networks or layers'} in {path}, found none: give"
            " another file, or another --space"
        )
    return found


def _check_rows(rows: Rows, path: Path, folder: Path, choices: Choices) -> Checked:
    """One row a network."""
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
    notes += filter(None, (_missing(meaning, values) for meaning, values in columns.items()))
    warnings += filter(None, (_few(each, values, space) for each, values in columns.items()))
    if rows.left:
        notes.append(f"not imported: {', '.join(rows.left[:12])}")
    texts = [space.format(each) for each in architectures]
    table = network_table(plain_name(path), texts, columns, space, (path.name, digest_of(path)))
    summaries = tuple(_summary(meaning, values, space) for meaning, values in columns.items())
    return Checked((table,), summaries, tuple(notes), tuple(warnings))


def _summary(meaning: Meaning, values: Floats, space: SearchSpace) -> Summary:
    infeasible = int((values == INFEASIBLE).sum()) if meaning.metric != "accuracy" else 0
    missing = int(np.isnan(values).sum())
    known = len(values) - missing
    return Summary(
        space.name,
        meaning.dataset,
        meaning.device,
        meaning.title,
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
        rest = f": costs of the other {lacking:.6g} are predicted from these"
        enough = rest if len(first) >= FEWEST else ""
        notes.append(f"{len(first)} of {space.size:.6g} networks of {space.name}{enough}")
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
    if not (values > 0).any():
        raise DataError(
            f"expected networks that {meaning.device} can run in column {meaning.column} of {path},"
            " found -1 for all of them: leave that column out"
        )
    return values


def _missing(meaning: Meaning, values: Floats) -> str | None:
    """A note on values that are not there."""
    count = int(np.isnan(values).sum())
    return f"{meaning.column}: {count} values are empty or NaN: not measured" if count else None


def _few(meaning: Meaning, values: Floats, space: SearchSpace) -> str | None:
    """A warning where other networks' costs cannot be predicted from those that are there."""
    known = int((values > 0).sum())
    if meaning.metric == "accuracy" or known >= FEWEST or len(values) == space.size:
        return None
    return (
        f"{meaning.column} has {known} networks with a value; a search needs {FEWEST} to predict the"
        " others from: measure more"
    )


def _doubt(meaning: Meaning, values: Floats, space: SearchSpace, folder: Path) -> str | None:
    """A warning where the unit looks wrong, by a plausible range and by other devices."""
    good = values[values > 0]
    if not len(good):
        return None
    middle = float(np.median(good))
    usual = _usual(meaning, space, folder)
    if not doubtful(middle) and (usual is None or 1 / APART < middle / usual < APART):
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


def digest_of(path: Path) -> str:
    """The SHA-256 of a file. DataError: it cannot be read any more."""
    with damage(path):
        return hashlib.sha256(read_bytes(path, LARGEST)).hexdigest()
