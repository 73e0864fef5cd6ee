"""What a folder of tables has: spaces, data sets, devices, metrics and how much of a space."""

from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from pelnas.devices.layered import layer_tables
from pelnas.errors import DataError, SpaceError
from pelnas.importing.keep import fitting_spaces, provenance
from pelnas.spaces import SearchSpace, get_space, known_spaces
from pelnas.tables import Column, Lookup, all_accuracies, all_costs


@dataclass(frozen=True, slots=True)
class Listed:
    """One column, or one device with costs per layer. ``networks``: with a value."""

    file: str
    source: str
    space: str
    dataset: str
    device: str
    metric: str
    unit: str
    networks: int
    coverage: float


def listed(folder: Path) -> list[Listed]:
    """Everything in a folder that can be looked up, by device and data set. DataError: damaged."""
    found = []
    for (device, dataset, metric), column in _any(all_costs, folder).items():
        found.append(
            _listed(column, dataset, device, metric, "ms" if metric == "latency" else "mJ")
        )
    for (dataset, split, epochs), column in _any(all_accuracies, folder).items():
        found.append(_listed(column, dataset, "", f"{split} accuracy, {epochs} epochs", "percent"))
    for device, table in layer_tables(folder).items():
        where = (table.file.name, table.file.name, fitting_spaces(table))
        found.append(Listed(*where, "", device, "latency per layer", "ms", 0, 1.0))
    return found


def _any(
    ask: Callable[[Path], dict[tuple[str, str, str], Column]], folder: Path
) -> dict[tuple[str, str, str], Column]:
    """What is asked for; nothing where the folder has none of it."""
    try:
        return ask(folder)
    except DataError:
        return {}


def _listed(column: Column, dataset: str, device: str, metric: str, unit: str) -> Listed:
    told = provenance(column.file)
    values = np.array(list(column.read().values()))
    networks = int(np.isfinite(values).sum())
    space = _space(column, told.get("space", ""))
    name = space.name if space else ""
    share = networks / space.size if space else 0.0
    source = told.get("source", column.file.name)
    return Listed(column.file.name, source, name, dataset, device, metric, unit, networks, share)


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
