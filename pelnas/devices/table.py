"""A device whose measured costs are columns of a benchmark table."""

from collections.abc import Iterator, Sequence
from math import isfinite
from pathlib import Path

from pelnas.architecture import Architecture, Cost
from pelnas.devices.base import Device
from pelnas.spaces import SearchSpace
from pelnas.tables import Lookup, cost_columns


class TableDevice(Device):
    """Latency and, where the table has it, energy of every architecture.

    A negative value or NaN is an architecture that the device cannot run.
    Raises DataError, DeviceError or DatasetError when there is no such table.
    """

    def __init__(self, folder: Path, dataset: str, device: str, space: SearchSpace) -> None:
        columns = cost_columns(folder, dataset, device)
        latency = columns["latency"]
        self.name = device
        self.source = f"looked up in column {latency.name} of {latency.file.name}"
        self._lookup = Lookup(latency, space)
        latencies = map(_charge, self._lookup.values.tolist())
        if "energy" in columns:
            energies = Lookup(columns["energy"], space)
            placed = energies.values[energies.places(self._lookup.architectures)]
            both = zip(latencies, map(_charge, placed.tolist()), strict=True)
            self._costs = [
                Cost(latency) if latency is None else Cost(latency, energy_mj=energy)
                for latency, energy in both
            ]
        else:
            self._costs = [Cost(latency) for latency in latencies]

    def costs(self, architectures: Sequence[Architecture]) -> Iterator[Cost]:
        return (self._costs[place] for place in self._lookup.places(architectures))


def _charge(value: float) -> float | None:
    return value if isfinite(value) and value >= 0 else None
