"""How good the found fronts are, against the whole benchmark table.

The search sees validation accuracy; its front is judged by test accuracy.
Error and latency are min-max normalised over the feasible part of the space,
the reference is (1, 1): ``ratio`` is the dominated volume of the found front
over that of the true front, higher is better; ``igd`` is the mean distance
from the true front, lower is better.
"""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path

import numpy as np

from pelnas.config import SearchConfig
from pelnas.errors import ConfigError
from pelnas.pareto import Box, Floats, hypervolume, igd, minimised, non_dominated
from pelnas.tables import cost_columns, true_accuracy


@dataclass(frozen=True)
class Truth:
    """Latency in ms (n,) and test accuracy in percent (n,) of every feasible architecture."""

    texts: tuple[str, ...]
    latency: Floats
    accuracy: Floats

    @classmethod
    def load(cls, data: Path, dataset: str, device: str) -> "Truth":
        """From a folder of tables. DataError, DatasetError, DeviceError: what it lacks."""
        accuracy = true_accuracy(data, dataset)
        latency = cost_columns(data, dataset, device)["latency"].read()
        texts = tuple(t for t in accuracy if latency.get(t, -1.0) >= 0)
        return cls(
            texts,
            np.array([latency[text] for text in texts]),
            np.array([accuracy[text] for text in texts]),
        )

    @cached_property
    def _place(self) -> dict[str, int]:
        return {text: i for i, text in enumerate(self.texts)}

    @cached_property
    def _points(self) -> Floats:
        return minimised(self.latency, self.accuracy)

    @cached_property
    def _box(self) -> Box:
        return self._points.min(axis=0), self._points.max(axis=0)

    @cached_property
    def _front(self) -> Floats:
        return self._points[non_dominated(self._points)]

    def judge(self, texts: Sequence[str]) -> tuple[float, float]:
        """Hypervolume ratio and IGD of a set of feasible architectures."""
        found = self._points[[self._place[text] for text in texts]]
        best, reached = hypervolume(self._front, self._box), hypervolume(found, self._box)
        return reached / best, igd(found, self._front, self._box)


@dataclass(frozen=True, slots=True)
class Quality:
    """One judged search. ``ratio``: higher is better, 1 is the true front; ``igd``: lower is better."""

    model: str
    device: str
    seed: int
    evaluations: int
    ratio: float
    igd: float
    seconds: float


def bench_search(
    config: SearchConfig, devices: Sequence[str], seeds: Sequence[int], models: Sequence[str]
) -> Iterator[Quality]:
    """Run the whole search for each device, model and seed and judge its front.

    ``config`` names data folder, data set, rounds, designs and output; its
    accuracy may be ``table`` or any predictor.
    """
    need_latency_alone(config)
    for device in devices:
        truth = Truth.load(_data(config), config.dataset, device)
        for model in models:
            for seed in seeds:
                changed = {"device": device, "seed": seed, "model": model}
                yield _run(config.model_copy(update=changed), truth)


def need_latency_alone(config: SearchConfig) -> None:
    """ConfigError: searches for other costs, which are judged by other volumes."""
    if config.objectives != ("latency",):
        raise ConfigError(
            "expected a search for latency and accuracy, by which fronts are judged here, found"
            f" the objectives {', '.join(config.objectives)}: use `pelnas bench objectives`"
        )


def _data(config: SearchConfig) -> Path:
    if config.data is None:
        raise ConfigError("a search is judged by tables, found no folder of them: give --data")
    return config.data


def _run(config: SearchConfig, truth: Truth) -> Quality:
    from pelnas.graph.runs.search import Search
    from pelnas.store import RunStore

    result = Search(config).run()
    ratio, distance = truth.judge([point.architecture for point in result.front])
    with RunStore.read(result.folder) as store:
        spent = store.spent()
    return Quality(
        model=config.model,
        device=config.device,
        seed=config.seed,
        evaluations=spent.evaluations,
        ratio=ratio,
        igd=distance,
        seconds=spent.seconds,
    )
