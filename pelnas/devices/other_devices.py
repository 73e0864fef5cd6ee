"""What the tables of other devices say beforehand about a new one."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from pelnas.architecture import Architecture, Shape
from pelnas.devices.cost_features import CostFeatures, Floats
from pelnas.devices.few_shot import OFFSET, Belief, fit
from pelnas.spaces import SearchSpace

LEARNED_FROM = 150  # networks of each other device
LEAST_SPREAD = 0.5  # of a logarithm of a weight that other devices agree on
LEAST_WEIGHT = 1e-3
FEWEST_DEVICES = 2  # of which one can be predicted from the rest


@dataclass(frozen=True, slots=True)
class Source:
    """A column of costs: of which device and data set, and ``latency`` or ``energy``."""

    device: str
    dataset: str
    metric: str


class OtherDevices:
    """Costs of every network of a space on other devices.

    ``columns``: (size of the space,) each, by index; no cost where negative, zero or NaN.
    """

    def __init__(self, space: SearchSpace, columns: Mapping[Source, Floats]) -> None:
        self._space, self._columns = space, columns
        self._table = _completed(np.column_stack([_standard(each) for each in columns.values()]))

    @property
    def devices(self) -> tuple[str, ...]:
        """Their names."""
        return tuple(dict.fromkeys(source.device for source in self._columns))

    def values(self, architectures: Sequence[Architecture]) -> Floats:
        """Standardised costs, (n, columns)."""
        values: Floats = self._table[[self._space.index(each) for each in architectures]]
        return values

    def without(self, device: str) -> "OtherDevices | None":
        """All but one device; ``None`` where none is left."""
        left = {s: column for s, column in self._columns.items() if s.device != device}
        return OtherDevices(self._space, left) if left else None

    def belief(self, shape: Shape, dataset: str, seed: int = 0) -> Belief | None:
        """What predicting each of them from the others says about the weights of the kernels.

        ``dataset``: of the latencies that are predicted; where no other device has that one, the
        first. ``None``: too few devices for that.
        """
        there = [source.dataset for source in self._columns if source.metric == "latency"]
        dataset = dataset if dataset in there else next(iter(there), "")
        rng = np.random.default_rng(seed)
        found = [
            logs
            for source, column in self._columns.items()
            if (source.dataset, source.metric) == (dataset, "latency")
            and (logs := self._weights(source.device, column, shape, rng)) is not None
        ]
        if len(found) < FEWEST_DEVICES:
            return None
        weights = np.maximum(np.exp(found).mean(axis=0), LEAST_WEIGHT)
        return Belief(np.log(weights), np.maximum(np.std(found, axis=0), LEAST_SPREAD))

    def _weights(
        self, device: str, column: Floats, shape: Shape, rng: np.random.Generator
    ) -> Floats | None:
        others = self.without(device)
        if others is None:
            return None
        standard = _standard(column)
        feasible = np.flatnonzero(np.isfinite(standard))
        chosen = rng.permutation(feasible)[:LEARNED_FROM]
        features = CostFeatures(self._space, shape, others)
        rows = features.rows([self._space.at(int(i)) for i in chosen])
        target = standard[chosen] - standard[chosen].mean()
        return fit(features.kernels(rows, rows), target, Belief.usual(features))


def _standard(column: Floats) -> Floats:
    """As a latency is modelled, of mean 0 and variance 1; NaN where there is no cost."""
    good = np.isfinite(column) & (column > 0)
    found = np.full(len(column), np.nan)
    warped = np.log(column[good] / np.median(column[good]) + OFFSET)
    found[good] = (warped - warped.mean()) / (warped.std() or 1.0)
    return found


def _completed(table: Floats) -> Floats:
    """Missing costs as the complete columns let expect them, else the mean."""
    missing: NDArray[np.bool_] = np.isnan(table)
    complete = ~missing.any(axis=0)
    known = np.column_stack([table[:, complete], np.ones(len(table))])
    for place in np.flatnonzero(~complete):
        there = ~missing[:, place]
        weights = np.linalg.lstsq(known[there], table[there, place], rcond=None)[0]
        table[~there, place] = known[~there] @ weights
    return table
