"""What a search trades off: accuracy, and one or two costs that are to be low.

One value says what the objectives of a run are and how each is read from an evaluation;
fronts, parents, plots and answers take it from there.
"""

from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from math import inf, isfinite

import numpy as np
from numpy.typing import NDArray

from pelnas.architecture import Evaluation
from pelnas.inputs.quantities import COSTS, UNITS, CostName, Metric

Floats = NDArray[np.float64]


@dataclass(frozen=True, slots=True)
class CostMetric:
    """A cost that may be minimised or limited; lower is better.

    ``unit``: of its plain values, '' for counts. ``read``: its value of an evaluation,
    ``None`` where it is not known.
    """

    name: CostName
    unit: str
    read: Callable[[Evaluation], float | None]

    @property
    def label(self) -> str:
        """``latency, ms`` for axes and columns."""
        return f"{self.name}, {self.unit}" if self.unit else self.name

    def of(self, evaluation: Evaluation) -> float:
        """The value; ``inf`` where the device cannot run the network, or nothing is known."""
        value = self.read(evaluation) if evaluation.cost.feasible else None
        return inf if value is None else float(value)


_READ: Mapping[CostName, Callable[[Evaluation], float | None]] = {
    "latency": lambda e: e.cost.latency_ms,
    "energy": lambda e: e.cost.energy_mj,
    "parameters": lambda e: e.parameters,
    "flops": lambda e: e.flops,
    "memory": lambda e: e.memory,
    "size": lambda e: e.size,
}
METRICS = {name: CostMetric(name, UNITS[name], _READ[name]) for name in COSTS}


@dataclass(frozen=True, slots=True)
class Objectives:
    """The costs of a run in the order asked for; accuracy, which is to be high, is always there."""

    costs: tuple[CostMetric, ...]

    @classmethod
    def of(cls, names: Iterable[CostName]) -> "Objectives":
        """Of these costs, each known by name, as ``SearchConfig.objectives`` has them."""
        return cls(tuple(METRICS[name] for name in names))

    @property
    def names(self) -> tuple[CostName, ...]:
        """Of the costs."""
        return tuple(cost.name for cost in self.costs)

    @property
    def metrics(self) -> tuple[Metric, ...]:
        """What rules speak about: accuracy and the costs."""
        return ("accuracy", *self.names)

    @property
    def goal(self) -> str:
        """What no network should beat another in, for prompts."""
        score = "accuracy score (higher is better)"
        if len(self.costs) == 1:
            return f"both {self.first.name} (lower is better) and {score}"
        return f"{', '.join(self.names)} (lower is better) and {score}"

    @property
    def columns(self) -> str:
        """``latency ms`` for the heads of columns in prompts."""
        return ", ".join(f"{cost.name} {cost.unit}".rstrip() for cost in self.costs)

    @property
    def fields(self) -> tuple[str, ...]:
        """The names of the costs with their units, then ``score``: of figures that tools answer."""
        units = (
            f"_{cost.unit.lower()}" if cost.unit in ("ms", "mJ") else "" for cost in self.costs
        )
        return (*map("".join, zip(self.names, units, strict=True)), "score")

    @property
    def units(self) -> str:
        """``latency in ms`` for sentences."""
        descriptions = (
            f"{cost.name} in {cost.unit}" if cost.unit else cost.name for cost in self.costs
        )
        return " and ".join(descriptions)

    @property
    def listed(self) -> str:
        """``latency`` or ``latency and energy``."""
        return " and ".join(self.names)

    def figures(self, evaluation: Evaluation) -> str:
        """The costs of an evaluation in the order of ``columns``, in few digits."""
        return "  ".join(f"{cost.of(evaluation):.4g}" for cost in self.costs)

    def named(self, evaluation: Evaluation | None) -> dict[str, float | None]:
        """The costs of an evaluation by name; ``None`` where infeasible or not known."""
        found = {cost.name: cost.of(evaluation) if evaluation else inf for cost in self.costs}
        return {name: value if isfinite(value) else None for name, value in found.items()}

    @property
    def first(self) -> CostMetric:
        """The cost by which fronts are sorted."""
        return self.costs[0]

    @property
    def need_footprint(self) -> bool:
        """Whether memory or size has to be counted."""
        return not {"memory", "size"}.isdisjoint(self.names)

    def point(self, evaluation: Evaluation) -> tuple[float, ...]:
        """Costs, ``inf`` where infeasible, then the negated score: all to be minimised."""
        return (*(cost.of(evaluation) for cost in self.costs), -evaluation.score)

    def points(self, evaluations: Sequence[Evaluation]) -> Floats:
        """The point of each, (n, k)."""
        rows = [self.point(evaluation) for evaluation in evaluations]
        return np.array(rows, dtype=float).reshape(len(rows), len(self.costs) + 1)

    def dominates(self, a: Evaluation, b: Evaluation) -> bool:
        """Whether ``a`` is no worse than ``b`` in every objective, and better in one of them."""
        pairs = list(zip(self.point(a), self.point(b), strict=True))
        return all(x <= y for x, y in pairs) and any(x < y for x, y in pairs)


DEFAULT = Objectives.of(("latency",))
