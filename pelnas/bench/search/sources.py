"""Where the accuracy comes from that guides the searches of a cell, and the cell itself.

``table``: the test accuracy that judges, too, so that a search sees the truth.
``validation``: validation accuracy guides, test accuracy judges.
``transfer``: the predictor, fitted without the data set that judges (``unseen``).
``few-shot-N-from-BASE``: BASE (``transfer`` or ``rank-sum``) guides; of what a search has
evaluated, few-shot picks N to get validation accuracies, and orders all of it anew.
``known-truth``: a made accuracy with an exact front (``pelnas.bench.known_truth``).
Every other name is a predictor of the package: its scores guide, test accuracy judges.
"""

import re
from collections.abc import Iterator, Mapping, Sequence
from functools import lru_cache
from typing import Any

import numpy as np

from pelnas.architecture import Architecture, Prediction
from pelnas.bench.known_truth import KnownProblem
from pelnas.bench.search.measures import Yardstick
from pelnas.bench.search.problem import Cell, Labels, Problem, Tabled, TrueValues
from pelnas.bench.search.unseen import base_of, load
from pelnas.cache import default_cache
from pelnas.config import SearchConfig
from pelnas.devices.layered import LayeredDevice, layer_tables, of_dataset
from pelnas.errors import ConfigError, DataError, DeviceError
from pelnas.images import load_images
from pelnas.pareto import minimised, non_dominated
from pelnas.partition import Partition, partition_by_flops, partition_by_operations
from pelnas.predictors import PLUGINS, get_predictor
from pelnas.predictors.base import AccuracyPredictor
from pelnas.predictors.known_truth import KnownTruthPredictor, Truth, named
from pelnas.predictors.labels import FEWEST
from pelnas.spaces import SearchSpace, get_space
from pelnas.tables import Lookup, accuracy_column, cost_columns

KEPT = 4  # problems that a process keeps
_FEW_SHOT = re.compile(r"few-shot-(?P<count>[0-9]{1,6})-from-(transfer|rank-sum)")
SAMPLE = 2_000  # networks whose latencies stand for those of a space that cannot be listed
TABLES = ("table", "validation")  # sources that are columns of a table


class Values(AccuracyPredictor):
    """Accuracies of a column, looked up in memory."""

    name = "table"

    def __init__(self, values: Mapping[Architecture, float], split: str, source: str) -> None:
        self.unit, self.source = f"{split} accuracy, %", source
        self._values = values

    def predict(self, architectures: Sequence[Architecture]) -> Iterator[Prediction]:
        return (Prediction(self._values[each]) for each in architectures)


def problem_of(cell: Cell, config: SearchConfig) -> Problem:
    """The problem of a cell, kept of this process.

    ``config``: names the folder of tables and the settings of searches of this package.
    InputError: something that the cell names is not there, or a table lacks networks.
    """
    check_source(cell.accuracy)
    return _problem(cell, config.model_dump_json())


@lru_cache(maxsize=KEPT)
def _problem(cell: Cell, text: str) -> Problem:
    config = SearchConfig.model_validate_json(text)
    own: dict[str, Any] = {"space": cell.space, "dataset": cell.dataset, "device": cell.device}
    if not config.scoring.workers:  # searches run side by side: each scores in its own process
        own["scoring"] = config.scoring.model_copy(update={"workers": 1})
    config = config.model_copy(update=own | {"accuracy": _configured(cell.accuracy)})
    if cell.accuracy == "known-truth":
        return _known(cell, config)
    space = get_space(cell.space)
    latency, accuracy = _tables(config, space)
    runs = list(latency)
    points = minimised([latency[a] for a in runs], [accuracy[a] for a in runs])
    return Problem(
        cell,
        config,
        space,
        _partition(config, space),
        _guide(cell, config, space, accuracy),
        Tabled(latency, accuracy),
        Yardstick.of_space(points),
        [runs[i] for i in np.flatnonzero(non_dominated(points))],
        _labels(cell, config, space),
    )


def _partition(config: SearchConfig, space: SearchSpace) -> Partition:
    """The niches that a search has unless its settings say otherwise."""
    from pelnas.graph.session.problem import shape_of  # brings LangGraph

    shape = shape_of(config)
    if space.complexity_niches:
        return partition_by_operations(space, shape)
    return partition_by_flops(space, config.niches, shape)


def _configured(accuracy: str) -> str:
    """The setting ``accuracy`` of a search, whose predictor is then replaced by the guide."""
    return "table" if accuracy in TABLES else base_of(accuracy)


def _tables(
    config: SearchConfig, space: SearchSpace
) -> tuple[dict[Architecture, float], dict[Architecture, float]]:
    """Latency where the device can run it, and test accuracy. DataError: a network is missing."""
    if config.data is None:
        raise ConfigError("searches are judged by tables, found no folder of them: give --data")
    costs = Lookup(cost_columns(config.data, config.dataset, config.device)["latency"], space)
    judged = _column(config, space, "test")
    latency = dict(zip(costs.architectures, costs.values.tolist(), strict=True))
    runs = {a: ms for a, ms in latency.items() if np.isfinite(ms) and ms >= 0}
    if not runs:
        raise DeviceError(
            f"expected latencies of {config.device} on {config.dataset}, found none that is not"
            " negative: choose another device"
        )
    return runs, judged


def _column(config: SearchConfig, space: SearchSpace, split: str) -> dict[Architecture, float]:
    """Accuracy of every network. DataError: one has none."""
    assert config.data is not None  # noqa: S101 - checked by the caller
    column = accuracy_column(config.data, config.dataset, split)
    found = Lookup(column, space)
    missing = int(np.isnan(found.values).sum())
    if missing:
        raise DataError(
            f"expected an accuracy of every architecture in column {column.name} of {column.file},"
            f" found none for {missing} of them: use a complete table"
        )
    return dict(zip(found.architectures, found.values.tolist(), strict=True))


def _guide(
    cell: Cell, config: SearchConfig, space: SearchSpace, judged: Mapping[Architecture, float]
) -> AccuracyPredictor:
    if cell.accuracy == "table":
        return Values(judged, "test", "benchmark truth: the column that judges")
    if cell.accuracy == "validation":
        values = _column(config, space, "val")
        return Values(values, "validation", "benchmark truth: validation accuracy")
    images = load_images(config.images, config.scoring.size, config.scoring.channels)
    if config.accuracy == "transfer":
        return load(cell, config, space, images)
    return get_predictor(config, space, images, default_cache())


def check_source(name: str) -> None:
    """ConfigError: no source of accuracy has this name."""
    if name.startswith("few-shot"):
        match = _FEW_SHOT.fullmatch(name)
        if match is None or int(match["count"]) < FEWEST:
            raise ConfigError(
                f"expected few-shot-N-from-BASE with at least {FEWEST} labels from transfer or"
                f" rank-sum, found {name[:40]!r}: write for example few-shot-50-from-transfer"
            )
    elif name not in (known := (*TABLES, "known-truth", "rank-sum", "transfer", *PLUGINS.names())):
        raise ConfigError(
            f"expected a source of accuracy, found {name[:40]!r}: use {', '.join(known)} or"
            " few-shot-N-from-BASE"
        )


def _labels(cell: Cell, config: SearchConfig, space: SearchSpace) -> Labels | None:
    """What few-shot learns from, in the cells that have it."""
    match = _FEW_SHOT.fullmatch(cell.accuracy)
    if match is None:
        return None
    values = _column(config, space, "val")
    known = {space.format(each): value for each, value in values.items()}
    return Labels(int(match["count"]), known)


class _Made(TrueValues):
    """Of a made truth and a device that charges per layer."""

    def __init__(self, problem: KnownProblem) -> None:
        self._problem = problem

    def latency(self, architecture: Architecture) -> float:
        return self._problem.device.latency(architecture)

    def accuracy(self, architecture: Architecture) -> float:
        return self._problem.truth.accuracy(architecture)


def _known(cell: Cell, config: SearchConfig) -> Problem:
    tables = layer_tables(config.data) if config.data else {}
    if cell.device not in tables:
        raise DeviceError(
            f"expected a device with costs per layer in {config.data}, found {cell.device!r}: use"
            f" one of {', '.join(tables) or 'a folder that has some'}"
        )
    space = get_space(cell.space)
    truth = Truth.draw(space, *named(cell.dataset))
    costs = LayeredDevice(of_dataset(tables[cell.device], ""), space)
    known = KnownProblem.of(space, costs, truth)
    rng = np.random.default_rng(0)
    latencies = np.array([known.device.latency(space.sample(rng)) for _ in range(SAMPLE)])
    return Problem(
        cell,
        config,
        space,
        _partition(config, space),
        KnownTruthPredictor(space, cell.dataset),
        _Made(known),
        Yardstick.of_front(minimised(known.latency, known.accuracy), latencies),
    )
