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
        self._energies = Lookup(columns["energy"], space) if "energy" in columns else None

    def costs(self, architectures: Sequence[Architecture]) -> Iterator[Cost]:
        latencies = self._lookup.of(architectures).tolist()
        if self._energies is None:
            return (Cost(_charge(latency)) for latency in latencies)
        return map(_cost, latencies, self._energies.of(architectures).tolist())


def _cost(latency: float, energy: float) -> Cost:
    charged = _charge(latency)
    return Cost(charged) if charged is None else Cost(charged, energy_mj=_charge(energy))


def _charge(value: float) -> float | None:
    return value if isfinite(value) and value >= 0 else None
