"""A device that charges for each layer of a network by itself: costs per layer, summed.

A CSV file in the data folder with the columns ``device``, ``layer``, ``op`` and
``delta_ms`` is such a table: what an operation adds in a layer, layers counted from 0
in the order of the space's positions. Layer -1 is the constant of a device. The column
``delta_mj`` adds energy in the same way; ``dataset`` says for which images a cost holds,
and costs without it hold for any.
"""

from collections import defaultdict
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from math import isfinite
from pathlib import Path

from pelnas.architecture import Architecture, Cost
from pelnas.devices.base import Device
from pelnas.errors import DataError, DatasetError, UnreadableError
from pelnas.inputs.formats import csv_columns, read_csv
from pelnas.spaces import SearchSpace
from pelnas.tables import ANY

COLUMNS = ("device", "layer", "op", "delta_ms")
DATASET, ENERGY = "dataset", "delta_mj"  # columns that may be there as well
CONSTANT = -1  # the layer of what every network costs
MOST_LAYERS = 100_000
ROUNDING = 1e-9  # ms, or mJ, below 0 that sums of costs may come to


@dataclass(frozen=True)
class LayerCosts:
    """What every network costs, and what an operation adds: ``deltas[layer][operation]``."""

    constant: float
    deltas: Mapping[int, Mapping[str, float]]


@dataclass(frozen=True)
class LayerTable:
    """What one device charges on one data set: ``latency`` in ms, ``energy`` in mJ if known."""

    file: Path
    device: str
    latency: LayerCosts
    energy: LayerCosts | None = None
    dataset: str = ANY

    def misfit(self, space: SearchSpace) -> str | None:
        """In which way this is a table of another space; ``None`` if it is of this one."""
        deltas = self.latency.deltas
        if sorted(deltas) != list(range(len(space.positions))):
            return f"{len(deltas)} layers for {len(space.positions)} positions"
        for layer, options in enumerate(space.choices):
            missing = next((op for op in options if op not in deltas[layer]), None)
            if missing is not None:
                return f"no cost of {missing} in layer {layer}"
        return None


class LayeredDevice(Device):
    """The sum of a constant and one cost per layer, exact for every network of the space.

    DataError: a table of another space, or one that would charge less than nothing.
    """

    def __init__(self, table: LayerTable, space: SearchSpace) -> None:
        misfit = table.misfit(space)
        if misfit is not None:
            raise DataError(
                f"expected costs of every operation at every position of {space.name} for device"
                f" {table.device} in {table.file}, found {misfit}: use the space that they were"
                " measured on"
            )
        self.name = table.device
        on = "" if table.dataset == ANY else f", for {table.dataset}"
        self.source = f"summed over layers from {table.file.name}{on}"
        self.constant, self.layers = table.latency.constant, _by_gene(table.latency, space)
        _check_least(self.constant, self.layers, table, "ms")
        self._energy = None
        if table.energy is not None:
            self._energy = table.energy.constant, _by_gene(table.energy, space)
            _check_least(*self._energy, table, "mJ")

    def costs(self, architectures: Sequence[Architecture]) -> Iterator[Cost]:
        for each in architectures:
            energy = None if self._energy is None else _sum(*self._energy, each)
            yield Cost(self.latency(each), energy_mj=energy)

    def latency(self, architecture: Architecture) -> float:
        """Milliseconds."""
        return _sum(self.constant, self.layers, architecture)


Layers = Sequence[tuple[float, ...]]  # of each layer the cost of each of its operations


def _by_gene(costs: LayerCosts, space: SearchSpace) -> Layers:
    return [
        tuple(costs.deltas[layer][op] for op in options)
        for layer, options in enumerate(space.choices)
    ]


def _sum(constant: float, layers: Layers, architecture: Architecture) -> float:
    pairs = zip(layers, architecture.genes, strict=True)
    return max(0.0, constant + sum(costs[gene] for costs, gene in pairs))


def _check_least(constant: float, layers: Layers, table: LayerTable, unit: str) -> None:
    """DataError: a network would cost less than nothing, or more than a number says."""
    least = constant + sum(map(min, layers))
    if not isfinite(constant + sum(map(max, layers))):
        raise DataError(
            f"expected costs in {unit} for device {table.device} in {table.file}, found a network"
            " whose sum is no number: correct the costs"
        )
    if least < -ROUNDING:
        what = "latencies" if unit == "ms" else "energies"
        raise DataError(
            f"expected {what} of at least 0 {unit} for device {table.device} in {table.file},"
            f" found a network of {least:.3g} {unit}: correct the costs"
        )


def layered_files(folder: Path) -> tuple[Path, ...]:
    """The CSV files of a folder that have the columns of such a table, by name."""
    return tuple(file for file in sorted(folder.glob("*.csv")) if _is_layered(file))


def _is_layered(file: Path) -> bool:
    try:
        return set(COLUMNS) <= set(csv_columns(file))
    except UnreadableError:
        return False  # whatever it is, it is no table of ours


#: The tables of one device by data set.
Tables = Mapping[str, LayerTable]


def layer_tables(folder: Path) -> dict[str, Tables]:
    """The tables of every device with costs per layer in this folder, by its name.

    DataError: a file that cannot be read, a value that is no number of ms or mJ, or a cost
    that stands in two places.
    """
    found: dict[str, dict[str, LayerTable]] = defaultdict(dict)
    for file in layered_files(folder):
        for table in read_layers(file):
            other = found[table.device].get(table.dataset)
            if other is not None:
                raise DataError(
                    f"expected {named(table)} in one table, found it in {other.file} and {file}:"
                    " remove one"
                )
            found[table.device][table.dataset] = table
    return dict(sorted(found.items()))


def named(table: LayerTable) -> str:
    """Device and, where it is known, data set of a table."""
    on = "" if table.dataset == ANY else f" on {table.dataset}"
    return f"device {table.device}{on}"


def of_dataset(tables: Tables, dataset: str) -> LayerTable:
    """The table of a device for a data set: its own, else the one for any.

    ``dataset`` may be "" where the device has one table only. DatasetError: there is none.
    """
    if not dataset and len(tables) == 1:
        return next(iter(tables.values()))
    found = tables.get(dataset) or tables.get(ANY)
    if found is None:
        device = next(iter(tables.values())).device
        raise DatasetError(
            f"expected costs per layer of {device} for"
            f" {f'data set {dataset!r}' if dataset else 'a data set that is named'}, found those"
            f" for {', '.join(tables)}: use one of these"
        )
    return found


def read_layers(file: Path) -> list[LayerTable]:
    """The tables of a file. DataError: as ``layer_tables``."""
    try:
        names = csv_columns(file)
        own = [name for name in (DATASET, ENERGY) if name in names]
        rows = read_csv(file, [*COLUMNS, *own])
    except UnreadableError as error:
        raise DataError(
            f"expected costs per layer in {file}, found: {error}; replace or remove it"
        ) from None
    grouped: dict[tuple[str, str], list[Mapping[str, str]]] = defaultdict(list)
    for row in rows:
        grouped[row["device"], row.get(DATASET) or ANY].append(row)
    return [_table(file, *key, inside) for key, inside in grouped.items()]


def _table(file: Path, device: str, dataset: str, rows: Sequence[Mapping[str, str]]) -> LayerTable:
    given = sum(bool(row.get(ENERGY)) for row in rows)
    if given and given < len(rows):
        raise DataError(
            f"expected {ENERGY} in every row of device {device} in {file} or in none, found it in"
            f" {given} of {len(rows)}: add the others"
        )
    energy = _costs(file, device, rows, ENERGY) if given else None
    return LayerTable(file, device, _costs(file, device, rows, "delta_ms"), energy, dataset)


def _costs(file: Path, device: str, rows: Sequence[Mapping[str, str]], column: str) -> LayerCosts:
    costs: dict[int, dict[str, float]] = defaultdict(dict)
    for row in rows:
        layer, delta = _numbers(file, row, column)
        inside = costs[layer]
        if row["op"] in inside or (layer == CONSTANT and inside):
            raise DataError(
                f"expected one cost of {row['op']} in layer {layer} for device {device} in"
                f" {file}, found several: keep one of them"
            )
        inside[row["op"]] = delta
    constant = sum(costs.pop(CONSTANT, {}).values())
    return LayerCosts(constant, dict(costs))


def _numbers(file: Path, row: Mapping[str, str], column: str) -> tuple[int, float]:
    """Layer and cost of a row."""
    try:
        layer, delta = int(row["layer"][:9]), float(row[column])
        if CONSTANT <= layer <= MOST_LAYERS and isfinite(delta):
            return layer, delta
    except ValueError:
        pass
    raise DataError(
        f"expected a layer from {CONSTANT} on and a cost in {'ms' if column != ENERGY else 'mJ'} in"
        f" every row of {file}, found layer {row['layer'][:20]!r} and {column}"
        f" {row[column][:20]!r}: correct that row"
    )
