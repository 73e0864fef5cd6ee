"""A device that charges for each layer of a network by itself: costs per layer, summed.

A CSV file in the data folder with the columns ``device``, ``layer``, ``op`` and
``delta_ms`` is such a table: what an operation adds in a layer, layers counted from 0
in the order of the space's positions. Layer -1 is the constant of a device.
"""

from collections import defaultdict
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from math import isfinite
from pathlib import Path

from pelnas.architecture import Architecture, Cost
from pelnas.devices.base import Device
from pelnas.errors import DataError, UnreadableError
from pelnas.inputs.formats import csv_columns, read_csv
from pelnas.spaces import SearchSpace

COLUMNS = ("device", "layer", "op", "delta_ms")
CONSTANT = -1  # the layer of what every network costs
MOST_LAYERS = 100_000
ROUNDING = 1e-9  # ms below 0 that sums of costs may come to


@dataclass(frozen=True)
class LayerTable:
    """What one device charges: ``constant`` and ``deltas[layer][operation]``, in ms."""

    file: Path
    device: str
    constant: float
    deltas: Mapping[int, Mapping[str, float]]

    def misfit(self, space: SearchSpace) -> str | None:
        """In which way this is a table of another space; ``None`` if it is of this one."""
        layers = len(self.deltas)
        if sorted(self.deltas) != list(range(len(space.positions))):
            return f"{layers} layers for {len(space.positions)} positions"
        for layer, options in enumerate(space.choices):
            missing = next((op for op in options if op not in self.deltas[layer]), None)
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
        self.source = f"summed over layers from {table.file.name}"
        self.constant = table.constant
        self.layers = [
            tuple(table.deltas[layer][op] for op in options)
            for layer, options in enumerate(space.choices)
        ]
        least = self.constant + sum(map(min, self.layers))
        if least < -ROUNDING:
            raise DataError(
                f"expected latencies of at least 0 ms for device {table.device} in {table.file},"
                f" found a network of {least:.3g} ms: correct the costs"
            )

    def costs(self, architectures: Sequence[Architecture]) -> Iterator[Cost]:
        return (Cost(self.latency(each)) for each in architectures)

    def latency(self, architecture: Architecture) -> float:
        """Milliseconds."""
        pairs = zip(self.layers, architecture.genes, strict=True)
        return max(0.0, self.constant + sum(costs[gene] for costs, gene in pairs))


def layered_files(folder: Path) -> tuple[Path, ...]:
    """The CSV files of a folder that have the columns of such a table, by name."""
    return tuple(file for file in sorted(folder.glob("*.csv")) if _is_layered(file))


def _is_layered(file: Path) -> bool:
    try:
        return set(COLUMNS) <= set(csv_columns(file))
    except UnreadableError:
        return False  # whatever it is, it is no table of ours


def layer_tables(folder: Path) -> dict[str, LayerTable]:
    """Every device with costs per layer in this folder, by name.

    DataError: a file that cannot be read, a value that is no number of ms, or a cost
    that stands in two places.
    """
    found: dict[str, LayerTable] = {}
    for file in layered_files(folder):
        for table in _read(file):
            if table.device in found:
                raise DataError(
                    f"expected device {table.device} in one table, found it in"
                    f" {found[table.device].file} and {file}: remove one"
                )
            found[table.device] = table
    return dict(sorted(found.items()))


def _read(file: Path) -> Iterator[LayerTable]:
    """Each device of a file."""
    try:
        rows = read_csv(file, COLUMNS)
    except UnreadableError as error:
        raise DataError(
            f"expected costs per layer in {file}, found: {error}; replace or remove it"
        ) from None
    costs: dict[str, dict[int, dict[str, float]]] = defaultdict(lambda: defaultdict(dict))
    for row in rows:
        layer, delta = _numbers(file, row)
        inside = costs[row["device"]][layer]
        if row["op"] in inside or (layer == CONSTANT and inside):
            raise DataError(
                f"expected one cost of {row['op']} in layer {layer} for device {row['device']} in"
                f" {file}, found several: keep one of them"
            )
        inside[row["op"]] = delta
    for device, layers in costs.items():
        constant = sum(layers.pop(CONSTANT, {}).values())
        yield LayerTable(file, device, constant, dict(layers))


def _numbers(file: Path, row: Mapping[str, str]) -> tuple[int, float]:
    """Layer and cost of a row."""
    try:
        layer, delta = int(row["layer"][:9]), float(row["delta_ms"])
        if CONSTANT <= layer <= MOST_LAYERS and isfinite(delta):
            return layer, delta
    except ValueError:
        pass
    raise DataError(
        f"expected a layer from {CONSTANT} on and a cost in ms in every row of {file}, found layer"
        f" {row['layer'][:20]!r} and delta_ms {row['delta_ms'][:20]!r}: correct that row"
    )
