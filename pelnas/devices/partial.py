"""A device of which only some networks were measured: looked up there, predicted elsewhere."""

from collections.abc import Iterator, Sequence
from math import isfinite
from pathlib import Path

import numpy as np

from pelnas.architecture import Architecture, Cost, Shape
from pelnas.devices.base import Device
from pelnas.devices.cost_features import CostFeatures, Floats
from pelnas.devices.few_shot import Belief, LatencyModel
from pelnas.devices.other_devices import OtherDevices, Source
from pelnas.errors import DataError
from pelnas.spaces import SearchSpace
from pelnas.tables import MOST_LISTED, Column, Lookup, all_costs, cost_columns

FEWEST = 10  # measured networks from which others are predicted
QUARTILES = 0.6745  # share of the width of a deviation on both sides that is between quartiles
MOST_LEARNED = 800  # measured networks that a model learns from, chosen at random from more


class PartialDevice(Device):
    """Latency and energy from a table that lacks networks of its space.

    What other complete tables of the folder say of the same networks is known beforehand.
    Raises DataError, DeviceError or DatasetError when there is no such table.
    """

    def __init__(
        self, folder: Path, dataset: str, device: str, space: SearchSpace, shape: Shape
    ) -> None:
        self.name, self._space = device, space
        columns = cost_columns(folder, dataset, device)
        others = _others(folder, device, space)
        self._features = CostFeatures(space, shape, others)
        belief = others.belief(shape, dataset) if others is not None else None
        self._belief = belief or Belief.usual(self._features)
        self._known = {
            metric: _known(column, space)
            for metric, column in columns.items()
            if metric in ("latency", "energy")
        }
        latency = columns["latency"]
        self._models = {
            metric: self._learned(known, columns[metric]) for metric, known in self._known.items()
        }
        self.held_out = self._models["latency"].held_out
        self.source = (
            f"looked up in column {latency.name} of {latency.file.name} for"
            f" {len(self._known['latency'])} networks and predicted from them for others"
            f" ({self.held_out})"
        )

    @staticmethod
    def suffices(rows: int, space: SearchSpace) -> bool:
        """Whether a table of so many networks lacks some, and has enough to predict them from."""
        return FEWEST <= rows < space.size

    def costs(self, architectures: Sequence[Architecture]) -> Iterator[Cost]:
        """``spread_ms`` of a prediction: the interquartile range of what is predicted."""
        latencies = self._metric("latency", architectures)
        energies = self._metric("energy", architectures) if "energy" in self._models else None
        for place, (latency, spread, extrapolated) in enumerate(latencies):
            energy = None if energies is None or latency is None else energies[place][0]
            yield Cost(latency, spread, energy, extrapolated)

    def _metric(
        self, metric: str, architectures: Sequence[Architecture]
    ) -> list[tuple[float | None, float, bool]]:
        """Value, spread and whether it is extrapolated, of each: as measured, else as predicted."""
        known = self._known[metric]
        unknown = [each for each in architectures if each not in known]
        predicted: dict[Architecture, tuple[float, float, bool]] = {}
        if unknown:
            expected = self._models[metric].expect(self._features.rows(unknown))
            spreads = QUARTILES * (expected.high - expected.low)
            columns = (expected.latency, spreads, expected.extrapolated)
            rows = zip(*(column.tolist() for column in columns), strict=True)
            predicted = dict(zip(unknown, rows, strict=True))
        return [
            (known[each], 0.0, False) if each in known else predicted[each]
            for each in architectures
        ]

    def _learned(self, known: dict[Architecture, float | None], column: Column) -> LatencyModel:
        measured = [(each, value) for each, value in known.items() if value]
        if len(measured) < FEWEST:
            raise DataError(
                f"expected at least {FEWEST} networks with a value in column {column.name} of"
                f" {column.file} to predict others from, found {len(measured)}: measure more"
            )
        order = np.random.default_rng(0).permutation(len(measured))[:MOST_LEARNED]
        rows = self._features.rows([measured[i][0] for i in order])
        values = [measured[i][1] for i in order]
        return LatencyModel(self._features, rows, values, self._belief)


def _known(column: Column, space: SearchSpace) -> dict[Architecture, float | None]:
    """What was measured; ``None`` where the device cannot run the network."""
    lookup = Lookup(column, space, partial=True)
    pairs = zip(lookup.architectures, lookup.values.tolist(), strict=True)
    return {each: value if value > 0 else None for each, value in pairs if isfinite(value)}


def _others(folder: Path, device: str, space: SearchSpace) -> OtherDevices | None:
    """The complete tables of other devices; ``None``: there is none, or a space beyond listing."""
    if space.size > MOST_LISTED:
        return None
    columns: dict[Source, Floats] = {}
    for (name, dataset, metric), column in all_costs(folder).items():
        if name == device:
            continue
        try:
            lookup = Lookup(column, space)
        except DataError:
            continue  # of another space, or partial itself
        every = [space.at(place) for place in range(space.size)]
        columns[Source(name, dataset, metric)] = lookup.of(every)
    return OtherDevices(space, columns) if columns else None
