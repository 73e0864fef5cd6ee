"""Searches with several costs against the exact front of a benchmark table, and NSGA-III.

Every method sees validation accuracy; its front is judged by test accuracy (``judged`` =
``test``) or by what it has seen (``seen``). All objectives are min-max normalised over the
feasible part of the space, the reference is 1 in each: ``ratio`` is the dominated volume of the
found front over that of the exact one, higher is better.
"""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import Literal, get_args

import numpy as np
from numpy.typing import NDArray

from pelnas.config import SearchConfig
from pelnas.errors import ConfigError
from pelnas.inputs.quantities import CostName
from pelnas.pareto import Box, Floats, hypervolume, minimised, non_dominated
from pelnas.spaces import get_space
from pelnas.tables import accuracy_column, cost_columns, true_accuracy

Judged = Literal["test", "seen"]
TABLED: tuple[CostName, ...] = ("latency", "energy")  # costs that tables have
NSGA3 = "pymoo NSGA-III"
RESAMPLES = 2000  # bootstrap samples behind an interval


@dataclass(frozen=True)
class Tabled:
    """Everything that a table says of a device: points (n, k) of costs and negated accuracy.

    Feasible architectures alone; ``seen`` with validation accuracy, ``test`` with test accuracy.
    """

    texts: tuple[str, ...]
    seen: Floats
    test: Floats

    @classmethod
    def load(cls, config: SearchConfig) -> "Tabled":
        """For the device, data set and objectives of a configuration.

        ConfigError: no folder of tables, or a cost that no table has. DataError, DatasetError,
        DeviceError: what the tables lack.
        """
        if config.data is None:
            raise ConfigError("searches are judged by tables, found no folder of them: give --data")
        columns = cost_columns(config.data, config.dataset, config.device)
        missing = next((name for name in config.objectives if name not in columns), None)
        if missing is not None:
            raise ConfigError(
                f"expected costs that the tables have for {config.device},"
                f" {' and '.join(columns)}, found {missing}: choose another device or objective"
            )
        costs = [columns[name].read() for name in config.objectives]
        latency = columns["latency"].read()
        shown = accuracy_column(config.data, config.dataset).read()
        true = true_accuracy(config.data, config.dataset)
        texts = tuple(t for t in shown if latency.get(t, -1.0) >= 0)
        values = [[column[t] for t in texts] for column in costs]
        return cls(
            texts,
            minimised(*values, [shown[t] for t in texts]),
            minimised(*values, [true[t] for t in texts]),
        )

    @cached_property
    def place(self) -> Mapping[str, int]:
        """Of each architecture among the points."""
        return {text: i for i, text in enumerate(self.texts)}

    @cached_property
    def _exact(self) -> Mapping[Judged, tuple[Box, float]]:
        """The box of the space, and the volume of its exact front."""
        found = {}
        for judged in get_args(Judged):
            points: Floats = getattr(self, judged)
            box = points.min(axis=0), points.max(axis=0)
            found[judged] = box, hypervolume(points[non_dominated(points)], box)
        return found

    def ratio(self, tried: Sequence[str], judged: Judged) -> float:
        """Of the front that a search shows after it has tried these."""
        rows = np.array([self.place[text] for text in tried if text in self.place], dtype=int)
        front = rows[non_dominated(self.seen[rows])]
        points: Floats = getattr(self, judged)
        box, whole = self._exact[judged]
        return hypervolume(points[front], box) / whole


@dataclass(frozen=True, slots=True)
class Outcome:
    """One judged search of a method."""

    dataset: str
    device: str
    method: str
    seed: int
    evaluations: int
    test: float
    seen: float


@dataclass(frozen=True, slots=True)
class Row:
    """A method on a device, over seeds; ``low``, ``high``: 95 % by bootstrap.

    ``ahead``: of the paired difference to NSGA-III of the same seeds; ``None`` for NSGA-III.
    """

    dataset: str
    device: str
    judged: Judged
    method: str
    searches: int
    mean: float
    low: float
    high: float
    lowest: float
    ahead: tuple[float, float, float] | None


def bench_objectives(
    config: SearchConfig,
    datasets: Sequence[str],
    devices: Sequence[str],
    seeds: Sequence[int],
    evaluations: int,
) -> Iterator[Outcome]:
    """The search of this package and NSGA-III at equal evaluations on every data set and device."""
    for dataset in datasets:
        for device in devices:
            asked = {"dataset": dataset, "device": device, "accuracy": "table"}
            chosen = config.model_copy(update=asked)
            table = Tabled.load(chosen)
            for seed in seeds:
                here = chosen.model_copy(update={"seed": seed})
                for method, tried in (
                    (config.model, _searched(here, evaluations)),
                    (NSGA3, _nsga3(table, here, evaluations)),
                ):
                    ratios = (table.ratio(tried, judged) for judged in ("test", "seen"))
                    yield Outcome(dataset, device, method, seed, len(tried), *ratios)


def _searched(config: SearchConfig, budget: int) -> list[str]:
    """By a search of this package, run as anybody runs it."""
    from pelnas.graph.runs.search import Search
    from pelnas.store import RunStore

    limit = config.budget.model_copy(update={"evaluations": budget})
    rounds = max(config.rounds, -(-budget // config.per_niche))
    settings = config.model_copy(update={"budget": limit, "rounds": rounds})
    with RunStore.read(Search(settings).run().folder) as store:
        return [e.candidate.architecture for e in store.evaluations()]


def _nsga3(table: Tabled, config: SearchConfig, budget: int) -> list[str]:
    """By pymoo's NSGA-III on the choices; what the device cannot run is worse than all else."""
    from pelnas.bench.nsga3 import minimise

    space, tried = get_space(config.space), []
    worst = table.seen.max(axis=0) + np.ptp(table.seen, axis=0)

    def evaluate(genes: tuple[int, ...]) -> Sequence[float]:
        text = space.format(space.of(genes))
        tried.append(text)
        place = table.place.get(text)
        found: NDArray[np.float64] = worst if place is None else table.seen[place]
        return [float(value) for value in found]

    sizes = [len(options) for options in space.choices]
    minimise(evaluate, sizes, len(config.objectives) + 1, budget, config.seed)
    return tried[:budget]  # it ends with a whole generation


def summary(outcomes: Sequence[Outcome]) -> list[Row]:
    """One row for each data set, device, judge and method; devices together as ``all``."""
    places = list(dict.fromkeys((o.dataset, o.device) for o in outcomes))
    places += [(dataset, "all") for dataset in dict.fromkeys(o.dataset for o in outcomes)]
    methods = list(dict.fromkeys(o.method for o in outcomes))
    rows = []
    for dataset, device in places:
        own = [o for o in outcomes if o.dataset == dataset and device in (o.device, "all")]
        for judged in get_args(Judged):
            ratios = {m: [getattr(o, judged) for o in own if o.method == m] for m in methods}
            rows += [_row(dataset, device, judged, m, ratios) for m in methods]
    return rows


def _row(
    dataset: str, device: str, judged: Judged, method: str, ratios: Mapping[str, list[float]]
) -> Row:
    values = np.array(ratios[method])
    ahead = None
    if method != NSGA3:
        ahead = _interval(values - np.array(ratios[NSGA3]))
    lowest = float(values.min())
    return Row(dataset, device, judged, method, len(values), *_interval(values), lowest, ahead)


def _interval(values: Floats) -> tuple[float, float, float]:
    """The mean with its bootstrap's 2.5 % and 97.5 % quantiles."""
    rng = np.random.default_rng(0)
    means = rng.choice(values, size=(RESAMPLES, len(values))).mean(axis=1)
    low, high = np.quantile(means, [0.025, 0.975])
    return float(values.mean()), float(low), float(high)
