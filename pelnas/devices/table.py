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
        self._latency = Lookup(latency, space)
        self._energy = Lookup(columns["energy"], space) if "energy" in columns else None

    def costs(self, architectures: Sequence[Architecture]) -> Iterator[Cost]:
        return map(self._cost, architectures)

    def _cost(self, architecture: Architecture) -> Cost:
        latency = _charge(self._latency[architecture])
        if latency is None or self._energy is None:
            return Cost(latency)
        return Cost(latency, energy_mj=_charge(self._energy[architecture]))


def _charge(value: float) -> float | None:
    return value if isfinite(value) and value >= 0 else None
