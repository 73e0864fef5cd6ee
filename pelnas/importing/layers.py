"""Costs per layer, taken in: a table that fits a space, charges no less than nothing, and is kept."""

from collections.abc import Iterable, Sequence
from pathlib import Path
from statistics import median

from pelnas.devices.layered import COLUMNS, LayeredDevice, LayerTable, named, read_layers
from pelnas.errors import DataError, SpaceError, UnreadableError
from pelnas.importing.found import UNITS, Summary, doubtful, plain_name
from pelnas.importing.kept import Checked, layer_file
from pelnas.inputs.formats import csv_columns, read_bytes
from pelnas.spaces import SearchSpace, get_space, known_spaces
from pelnas.tables import ANY


def is_layered(path: Path) -> bool:
    """Whether a file is a CSV file with the columns of such a table."""
    if path.suffix.lower() != ".csv":
        return False
    try:
        return set(COLUMNS) <= set(csv_columns(path))
    except UnreadableError:
        return False


def check_file(path: Path, space: str) -> Checked:
    """A CSV file, which is kept as it is. DataError: as ``check_tables``, or a damaged one."""
    tables = read_layers(path)
    if not tables:
        raise DataError(f"expected rows of costs per layer in {path}, found none: give another")
    try:
        content = read_bytes(path)
    except UnreadableError as error:
        raise DataError(f"expected costs per layer in {path}, found: {error}; replace it") from None
    return check_tables(tables, path, space, content)


def check_tables(
    tables: Sequence[LayerTable], path: Path, space: str, content: bytes, part: str = ""
) -> Checked:
    """``space``: that they have to fit, "" for any. ``part``: of the file, to name what is kept.

    DataError: costs of no space, or of another one than ``space``; networks that cost less
    than nothing.
    """
    columns: list[Summary] = []
    warnings: list[str] = []
    for table in tables:
        fitting = _fitting(table, (space,) if space else known_spaces())
        if not fitting:
            raise _misfit(table, path, space)
        for each in fitting:
            LayeredDevice(table, each)  # DataError: less than nothing
        columns += _summaries(table, fitting)
        middle = table.latency.constant + sum(
            median(costs.values()) for costs in table.latency.deltas.values()
        )
        if doubtful(middle):
            warnings.append(
                f"{named(table)} takes about {middle:.3g} ms a network: check the unit of {path.name}"
            )
    file = layer_file(plain_name(path) + part, tables, path.name, content)
    return Checked((file,), tuple(columns), ("costs per layer, in ms",), tuple(warnings))


def _misfit(table: LayerTable, path: Path, space: str) -> DataError:
    wanted = space or "one of the spaces " + ", ".join(known_spaces())
    found = table.misfit(get_space(space)) if space else f"{len(table.latency.deltas)} layers"
    return DataError(
        f"expected costs of every operation at every position of {wanted} for {named(table)} in"
        f" {path}, found {found}: add what is missing"
    )


def _summaries(table: LayerTable, fitting: Sequence[SearchSpace]) -> list[Summary]:
    names = ", ".join(space.name for space in fitting)
    dataset = "" if table.dataset == ANY else table.dataset
    metrics = ("latency", "energy") if table.energy is not None else ("latency",)
    return [
        Summary(names, dataset, table.device, metric, UNITS[metric], fitting[0].size, 1.0, 0, 0)
        for metric in metrics
    ]


def fitting_spaces(table: LayerTable) -> list[SearchSpace]:
    """The spaces that a table of layers has the costs of."""
    return _fitting(table, known_spaces())


def _fitting(table: LayerTable, names: Iterable[str]) -> list[SearchSpace]:
    found = []
    for name in names:
        try:
            space = get_space(name)
        except SpaceError:
            continue
        if table.misfit(space) is None:
            found.append(space)
    return found
