"""What a folder of tables has: spaces, data sets, devices, metrics and how much of a space."""

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from pelnas.devices.layered import LayerTable, layer_tables
from pelnas.errors import DataError, SpaceError
from pelnas.importing.found import UNITS, Meaning
from pelnas.importing.kept import provenance
from pelnas.importing.layers import fitting_spaces
from pelnas.spaces import SearchSpace, get_space, known_spaces
from pelnas.tables import ANY, Column, Lookup, all_accuracies, all_costs


@dataclass(frozen=True, slots=True)
class Listed:
    """One column, or one metric of a device with costs per layer.

    ``networks``: with a value, ``infeasible`` of them that the device cannot run. ``size``: of
    the space, 0 where no space can read the table; ``coverage``: share of it.
    """

    file: str
    source: str
    space: str
    dataset: str
    device: str
    metric: str
    unit: str
    networks: int
    size: int
    coverage: float
    infeasible: int


def listed(folder: Path) -> list[Listed]:
    """Everything in a folder that can be looked up, by device and data set. DataError: damaged."""
    found = []
    for (device, dataset, metric), column in _any(all_costs, folder).items():
        found.append(_listed(column, dataset, device, metric, UNITS[metric]))
    for (dataset, split, epochs), column in _any(all_accuracies, folder).items():
        meaning = Meaning("accuracy", dataset, split=split, epochs=int(epochs))
        found.append(_listed(column, dataset, "", meaning.title, meaning.unit))
    for tables in layer_tables(folder).values():
        found += [each for table in tables.values() for each in _of_layers(table)]
    return found


def _of_layers(table: LayerTable) -> Iterator[Listed]:
    """Every network of the spaces that the table fits has a cost."""
    spaces = fitting_spaces(table)
    names, size = ", ".join(each.name for each in spaces), spaces[0].size if spaces else 0
    for metric in ("latency", "energy") if table.energy is not None else ("latency",):
        yield Listed(
            table.file.name,
            table.file.name,
            names,
            "" if table.dataset == ANY else table.dataset,
            table.device,
            f"{metric} per layer",
            UNITS[metric],
            size,
            size,
            float(size > 0),
            0,
        )


def _any(
    ask: Callable[[Path], dict[tuple[str, str, str], Column]], folder: Path
) -> dict[tuple[str, str, str], Column]:
    """What is asked for; nothing where the folder has none of it."""
    try:
        return ask(folder)
    except DataError:
        return {}


def _listed(column: Column, dataset: str, device: str, metric: str, unit: str) -> Listed:
    origin = provenance(column.file)
    values = np.array(list(column.read().values()))
    space = _space(column, origin.get("space", ""))
    if space is not None:  # rows that name none of its networks do not count
        values = Lookup(column, space, partial=True).values
    networks = int(np.isfinite(values).sum())
    size = space.size if space else 0
    return Listed(
        column.file.name,
        origin.get("source", column.file.name),
        space.name if space else "",
        dataset,
        device,
        metric,
        unit,
        networks,
        size,
        networks / size if size else 0.0,
        int((values < 0).sum()) if device else 0,
    )


def _space(column: Column, named: str) -> SearchSpace | None:
    """The space that a table names or, of a table that names none, that can read it."""
    for name in (named,) if named else known_spaces():
        try:
            space = get_space(name)
            Lookup(column, space, partial=True)
        except (DataError, SpaceError):
            continue
        return space
    return None
