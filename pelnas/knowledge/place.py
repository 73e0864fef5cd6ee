"""What tells devices and data sets apart: how a few reference networks rank on them.

The reference networks of a space are the same in every run. A device is described by their ranks
by latency, a data set by their mean ranks over the zero-cost proxies: vectors of norm 1 whose
cosine is Spearman's correlation. Ranks need no units, and no download to embed them.
"""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from pelnas.architecture import Architecture, Cost, Prediction
from pelnas.spaces import SearchSpace
from pelnas.surrogate.ranks import ranks

REFERENCES = 16  # networks
SEED = 0  # of their choice
TRIES = 50 * REFERENCES  # draws at most: a small space has fewer different ones

Vector = tuple[float, ...]  # of norm 1, or () where nothing is known


@dataclass(frozen=True, slots=True)
class Place:
    """Where a rule was learned. ``device_ranks``, ``dataset_ranks``: descriptors (REFERENCES,)."""

    space: str
    device: str
    dataset: str
    device_ranks: Vector = ()
    dataset_ranks: Vector = ()


def references(space: SearchSpace) -> list[Architecture]:
    """The reference networks of a space, different ones in a fixed order."""
    rng = np.random.default_rng(SEED)
    drawn: dict[Architecture, None] = {}
    for _ in range(TRIES):
        drawn[space.sample(rng)] = None
        if len(drawn) == REFERENCES:
            break
    return list(drawn)


def device_ranks(costs: Sequence[Cost]) -> Vector:
    """Of the reference networks by latency; those that the device cannot run rank last."""
    latencies = [np.inf if cost.latency_ms is None else cost.latency_ms for cost in costs]
    return _unit(ranks(np.array(latencies, dtype=np.float64)))


def dataset_ranks(predictions: Sequence[Prediction]) -> Vector:
    """Of the reference networks, the mean over the proxies; () where a predictor reads none."""
    names = sorted(set.intersection(*(set(found.proxies) for found in predictions)))
    if not names:
        return ()
    values = np.array([[found.proxies[name] for name in names] for found in predictions])
    values = np.where(np.isnan(values), -np.inf, values)
    return _unit(np.array([ranks(column) for column in values.T]).T.mean(axis=1))


def similarity(one: Vector, other: Vector) -> float | None:
    """Spearman's correlation of two descriptors, -1 to 1; ``None`` where one is unknown."""
    if not one or len(one) != len(other):
        return None
    return float(np.dot(one, other))


def _unit(ranks: NDArray[np.float64]) -> Vector:
    centred = ranks - ranks.mean()
    norm = float(np.linalg.norm(centred))
    if not norm:
        return ()
    placed = np.zeros(REFERENCES)  # a small space has fewer references
    placed[: len(centred)] = centred / norm
    return tuple(round(float(value), 6) for value in placed)
