"""How well a few measured networks let a device's latency of all others be expected.

Each judged device is left out of what is known beforehand: its latencies and its energy, on
every data set. Draws differ in the networks that may be chosen and in the first one.
"""

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from statistics import fmean
from time import perf_counter

import numpy as np
from numpy.typing import NDArray
from scipy.stats import kendalltau, spearmanr
from sklearn.linear_model import RidgeCV

from pelnas.architecture import Architecture, Shape
from pelnas.bench.trained import CHOICES, MNASNET, first_rows, mobile_text
from pelnas.devices.cost_features import CostFeatures, Floats, Rows
from pelnas.devices.few_shot import Belief, LatencyModel
from pelnas.devices.other_devices import OtherDevices, Source
from pelnas.devices.selection import CANDIDATES, Indices, chosen, farthest_first
from pelnas.devices.table import TableDevice
from pelnas.errors import DataError, UnreadableError
from pelnas.inputs.formats import csv_columns
from pelnas.spaces import SearchSpace, get_space
from pelnas.tables import Lookup, all_costs

CELLS = "nasbench201"
SHOTS = {CELLS: (10, 50, 200), "mnasnet": (50, 200, 500)}
PENALTIES = np.logspace(-3, 3, 13)  # of the ridge, chosen by leaving one out
IMAGENET = Shape.square(1000, 224)
THROUGHPUT, PER_SECOND = "throughput", 1000.0  # milliseconds of one image at one a second
MODEL, RIDGE = "few-shot", "ridge"
INFORMATIVE, FARTHEST, RANDOM = "informative", "farthest-first", "random"
#: What is compared: model and choice of the measured networks.
METHODS = ((MODEL, INFORMATIVE), (MODEL, FARTHEST), (MODEL, RANDOM), (RIDGE, FARTHEST))


@dataclass(frozen=True, slots=True)
class Outcome:
    """One draw on one device, judged on the networks that were not measured.

    ``spearman``, ``kendall``: rank agreement with the truth, 1 is best. ``within``: share of the
    truth within one predicted deviation, 0.68 if that means what it says; ``None`` for a ridge.
    """

    device: str
    dataset: str
    model: str
    choice: str
    count: int
    draw: int
    spearman: float
    kendall: float
    within: float | None


@dataclass(frozen=True, slots=True)
class Mean:
    """Of several outcomes; the mean over devices is of each alike."""

    device: str
    model: str
    choice: str
    count: int
    spearman: float
    kendall: float
    within: float | None


@dataclass(frozen=True, eq=False)
class _Target:
    """A device to be learned: latencies of networks that it can run, by row."""

    device: str
    dataset: str
    features: CostFeatures
    belief: Belief
    rows: Rows  # of every network of the table
    plain: Floats  # what the ridge learns from, (n, k)
    latencies: Floats  # NaN where the device cannot run a network

    @cached_property
    def feasible(self) -> Indices:
        return np.flatnonzero(np.isfinite(self.latencies))


def cell_outcomes(
    folder: Path, draws: int, methods: Sequence[tuple[str, str]] = METHODS
) -> Iterator[Outcome]:
    """Of every device and data set of a folder's tables of cells.

    A cell that a device cannot run has no latency: it is neither measured nor judged.
    DataError: no such tables, or of another space.
    """
    space = get_space(CELLS)
    costs = {
        Source(*key): Lookup(column, space)
        for key, column in all_costs(folder).items()
        if key[2] in ("latency", "energy")
    }
    every = [space.at(place) for place in range(space.size)]
    columns = {source: _feasible(lookup, every) for source, lookup in costs.items()}
    for device in sorted({source.device for source in columns}):
        others = OtherDevices(space, columns).without(device)
        if others is None:
            raise DataError(f"expected tables of several devices in {folder}, found {device} alone")
        features = CostFeatures(space, Shape(), others)
        rows = features.rows(every)
        for source, latencies in columns.items():
            if (source.device, source.metric) == (device, "latency"):
                belief = others.belief(Shape(), source.dataset) or Belief.usual(features)
                plain = rows.linear[-1]
                target = _Target(device, source.dataset, features, belief, rows, plain, latencies)
                yield from _outcomes(target, SHOTS[CELLS], draws, methods)


def _feasible(lookup: Lookup, every: Sequence[Architecture]) -> Floats:
    values = lookup.of(every)
    return np.where(values > 0, values, np.nan)


def mobile_outcomes(
    folder: Path, draws: int, methods: Sequence[tuple[str, str]] = METHODS
) -> Iterator[Outcome]:
    """Of every device column of the table of MnasNet's networks, without other devices.

    A throughput in images per second is read as the milliseconds that one image takes.
    DataError: no such table, or a row of another space.
    """
    space = get_space("mnasnet")
    architectures, columns = _mobile_table(folder / MNASNET, space)
    features = CostFeatures(space, IMAGENET)
    rows, belief = features.rows(architectures), Belief.usual(features)
    names, counted = sorted(space.feature_names), map(space.features, architectures)
    counts = np.array([[each.get(name, 0.0) for name in names] for each in counted])
    for name, latencies in columns.items():
        target = _Target(name, "imagenet", features, belief, rows, counts, latencies)
        yield from _outcomes(target, SHOTS["mnasnet"], draws, methods)


def _mobile_table(
    path: Path, space: SearchSpace
) -> tuple[tuple[Architecture, ...], Mapping[str, Floats]]:
    """The networks, each once, and their latencies in ms by column; NaN where a cell is empty."""
    try:
        header = csv_columns(path)
    except UnreadableError as error:
        raise DataError(
            f"expected networks of {space.name} in {path}, found: {error}; correct the path or the"
            " file"
        ) from None
    names = [name for name in header if name.endswith("_ms") or name.startswith(f"{THROUGHPUT}_")]
    architectures, columns = first_rows(path, space, CHOICES, mobile_text, names)
    return architectures, {name: _milliseconds(name, values) for name, values in columns.items()}


def _milliseconds(column: str, values: Floats) -> Floats:
    known = np.where(values > 0, values, np.nan)
    return PER_SECOND / known if column.startswith(THROUGHPUT) else known


def _outcomes(
    target: _Target, counts: Sequence[int], draws: int, methods: Sequence[tuple[str, str]]
) -> Iterator[Outcome]:
    for draw in range(draws):
        for choice in dict.fromkeys(choice for _, choice in methods):
            measured = _CHOICES[choice](target, max(counts), np.random.default_rng(draw))
            for count in counts:
                for model in (model for model, other in methods if other == choice):
                    expected, within = _MODELS[model](target, measured[:count])
                    rest = np.setdiff1d(target.feasible, measured[:count])
                    truth = target.latencies[rest]
                    yield Outcome(
                        target.device,
                        target.dataset,
                        model,
                        choice,
                        count,
                        draw,
                        float(spearmanr(expected[rest], truth).statistic),
                        float(kendalltau(expected[rest], truth).statistic),
                        None if within is None else float(within[rest].mean()),
                    )


def _informative(target: _Target, count: int, rng: np.random.Generator) -> Indices:
    pool = target.feasible
    return pool[chosen(target.features, target.belief, target.rows.take(pool), count, rng)]


def _farthest(target: _Target, count: int, rng: np.random.Generator) -> Indices:
    """As far apart as can be in what the ridge learns from."""
    pool = rng.permutation(target.feasible)[:CANDIDATES]
    points = target.plain[pool]
    spread = np.where(points.std(axis=0) > 0, points.std(axis=0), np.inf)
    return pool[farthest_first(points / spread, count, 0)]


def _random(target: _Target, count: int, rng: np.random.Generator) -> Indices:
    return rng.permutation(target.feasible)[:count]


Judged = tuple[Floats, NDArray[np.bool_] | None]


def _few_shot(target: _Target, measured: Indices) -> Judged:
    rows = target.rows.take(measured)
    model = LatencyModel(target.features, rows, target.latencies[measured].tolist(), target.belief)
    found = model.expect(target.rows)
    within = (target.latencies >= found.low) & (target.latencies <= found.high)
    return found.latency, within


def _ridge(target: _Target, measured: Indices) -> Judged:
    spread = target.plain.std(axis=0)
    points = target.plain / np.where(spread > 0, spread, np.inf)
    fitted = RidgeCV(PENALTIES).fit(points[measured], np.log(target.latencies[measured]))
    return fitted.predict(points), None


_CHOICES: Mapping[str, Callable[[_Target, int, np.random.Generator], Indices]] = {
    INFORMATIVE: _informative,
    FARTHEST: _farthest,
    RANDOM: _random,
}
_MODELS: Mapping[str, Callable[[_Target, Indices], Judged]] = {MODEL: _few_shot, RIDGE: _ridge}


def means(outcomes: Sequence[Outcome]) -> list[Mean]:
    """For each method and count: of each device, and of all devices."""
    devices = list(dict.fromkeys(each.device for each in outcomes))
    kinds = dict.fromkeys((each.model, each.choice, each.count) for each in outcomes)
    found = []
    for model, choice, count in kinds:
        kind = [e for e in outcomes if (e.model, e.choice, e.count) == (model, choice, count)]
        found += [_mean([e for e in kind if e.device == device], device) for device in devices]
        found.append(_mean(kind, "all"))
    return found


def _mean(outcomes: Sequence[Outcome], device: str) -> Mean:
    first = outcomes[0]
    shares = [each.within for each in outcomes if each.within is not None]
    return Mean(
        device,
        first.model,
        first.choice,
        first.count,
        fmean(each.spearman for each in outcomes),
        fmean(each.kendall for each in outcomes),
        fmean(shares) if shares else None,
    )


@dataclass(frozen=True, slots=True)
class LookupTime:
    """``networks`` looked up in one go after the table was loaded, the median of ``repeats``."""

    networks: int
    repeats: int
    load_ms: float
    lookup_ms: float


def lookup_time(folder: Path, dataset: str, device: str, repeats: int = 9) -> LookupTime:
    """How long every cell's cost on a device of a folder's tables takes."""
    space = get_space(CELLS)
    every = [space.at(place) for place in range(space.size)]
    started = perf_counter()
    table = TableDevice(folder, dataset, device, space)
    loaded = perf_counter() - started
    times = []
    for _ in range(repeats):
        started = perf_counter()
        list(table.costs(every))
        times.append(perf_counter() - started)
    return LookupTime(len(every), repeats, 1000 * loaded, 1000 * float(np.median(times)))
