"""The whole benchmark table of a device, and how good a front is against it.

Error and latency are min-max normalised over the feasible part of the space, the reference is
(1, 1): the hypervolume ratio is the dominated volume of a front over that of the true front,
higher is better; IGD is the mean distance from the true front, lower is better.
"""

from collections.abc import Sequence
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
    def points(self) -> Floats:
        """Latency and negated accuracy (n, 2)."""
        return minimised(self.latency, self.accuracy)

    @cached_property
    def _box(self) -> Box:
        return self.points.min(axis=0), self.points.max(axis=0)

    @cached_property
    def _front(self) -> Floats:
        return self.points[non_dominated(self.points)]

    def judge(self, texts: Sequence[str]) -> tuple[float, float]:
        """Hypervolume ratio and IGD of a set of feasible architectures."""
        found = self.points[[self._place[text] for text in texts]]
        best, reached = hypervolume(self._front, self._box), hypervolume(found, self._box)
        return reached / best, igd(found, self._front, self._box)


def need_latency_alone(config: SearchConfig) -> None:
    """ConfigError: searches for other costs, which are judged by other volumes."""
    if config.objectives != ("latency",):
        raise ConfigError(
            "expected a search for latency and accuracy, by which fronts are judged here, found"
            f" the objectives {', '.join(config.objectives)}: use `pelnas bench objectives`"
        )
