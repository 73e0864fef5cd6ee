"""What a file turned out to hold, before anything of it is kept."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

Floats = NDArray[np.float64]
#: The unit of each metric, as tables are kept.
UNITS = {"latency": "ms", "energy": "mJ", "accuracy": "percent"}
#: Milliseconds between which the latency of a usual network is believed.
PLAUSIBLE = (0.02, 20_000.0)


def doubtful(latency: float) -> bool:
    """Whether the latency of a usual network, in ms, is likely one of another unit."""
    low, high = PLAUSIBLE
    return not low <= latency <= high


def plain_name(path: Path) -> str:
    """A file's name without its ending, of letters that every system takes."""
    plain = "".join(each if each.isalnum() or each in "-_" else "-" for each in path.stem)
    return plain[:80] or "table"


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
    def title(self) -> str:
        """The metric, as lists name it."""
        if self.metric == "accuracy":
            return f"{self.split} accuracy, {self.epochs} epochs"
        return self.metric

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
    """A summary of one imported column. ``coverage``: share of the space; ``missing`` values.

    Of costs per layer, ``networks`` are those of the first space that they fit.
    """

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
    """What became of a file: the tables that are kept, what they hold, and what people should know."""

    source: str
    kept: tuple[str, ...]
    columns: tuple[Summary, ...]
    notes: tuple[str, ...] = field(default=())
    warnings: tuple[str, ...] = field(default=())
