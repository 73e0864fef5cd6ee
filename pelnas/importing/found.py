"""What a file turned out to hold, before anything of it is kept."""

from collections.abc import Mapping
from dataclasses import dataclass, field

import numpy as np
from numpy.typing import NDArray

Floats = NDArray[np.float64]
#: The unit of each metric, as tables are kept.
UNITS = {"latency": "ms", "energy": "mJ", "accuracy": "percent"}


@dataclass(frozen=True, slots=True)
class Meaning:
    """What a column says. ``device``: of costs; ``split`` and ``epochs``: of accuracies."""

    metric: str  # latency, energy or accuracy
    dataset: str
    device: str = ""
    split: str = ""
    epochs: int = 0

    @property
    def column(self) -> str:
        """Its name in a table that is kept."""
        if self.metric == "accuracy":
            return f"{self.dataset}_{self.split}_acc_{self.epochs}"
        return f"{self.dataset}__{self.device}_{self.metric}"

    @property
    def unit(self) -> str:
        """Of the values that are kept."""
        return UNITS[self.metric]


@dataclass(frozen=True, eq=False, slots=True)
class Rows:
    """One table: ``texts`` of networks as the file has them, and columns in their final units.

    ``converted``: what was done to values, for people. ``left``: names of columns that were not
    understood.
    """

    texts: tuple[str, ...]
    columns: Mapping[Meaning, Floats]
    converted: tuple[str, ...] = ()
    left: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class Summary:
    """A summary of one imported column. ``coverage``: share of the space; ``missing`` values."""

    space: str
    dataset: str
    device: str
    metric: str
    unit: str
    networks: int
    coverage: float
    infeasible: int
    missing: int


@dataclass(frozen=True, slots=True)
class Imported:
    """What became of a file: the table that is kept, its columns, and what people should know."""

    source: str
    kept: str
    columns: tuple[Summary, ...]
    notes: tuple[str, ...] = field(default=())
    warnings: tuple[str, ...] = field(default=())
