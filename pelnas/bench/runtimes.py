"""How far runtimes agree on what is fast, and what it costs to search by the wrong one."""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from itertools import combinations
from pathlib import Path
from tempfile import TemporaryDirectory

import numpy as np
from scipy.stats import kendalltau, spearmanr

from pelnas.architecture import Architecture, Shape
from pelnas.cache import Cache, default_cache
from pelnas.config import Measurement, SearchConfig
from pelnas.devices.host import HostDevice
from pelnas.pareto import Box, Floats, hypervolume, minimised, non_dominated
from pelnas.spaces import SearchSpace

FLOPS = "flops"  # no runtime: multiply-accumulates, the simplest thing that predicts latency
DEPLOYED, INTERPRETER = "onnxruntime", "torch"


@dataclass(frozen=True)
class Agreement:
    """How two columns of latencies go together over the same networks; 1 is the same order.

    ``ratio``: median of how many times the first takes as long as the second; ``None`` of FLOPs.
    """

    first: str
    second: str
    networks: int
    spearman: float
    kendall: float
    ratio: float | None


@dataclass(frozen=True)
class FrontLoss:
    """What is left of a front by one runtime when another one is the clock.

    ``kept``: members that stay on it; ``share``: of its hypervolume, in the box of all members.
    """

    runtime: str
    members: int
    kept: int
    share: float


@dataclass(frozen=True)
class Duel:
    """Hypervolumes of two searches of a seed, both measured anew by ONNX Runtime, in one box."""

    seed: int
    deployed: float  # of the search that measured by ONNX Runtime; higher is better
    interpreter: float  # of the one that measured by PyTorch
    wins: bool


def latencies(
    space: SearchSpace,
    shape: Shape,
    architectures: Sequence[Architecture],
    runtimes: Sequence[str],
    measurement: Measurement,
    cache: Cache,
) -> dict[str, Floats]:
    """Milliseconds (n,) by runtime, one network after the other so that a drift hits all alike.

    FLOPs as well, under their name.
    """
    devices = {
        name: HostDevice(space, shape, measurement.model_copy(update={"runtime": name}), cache)
        for name in runtimes
    }
    rows = [
        [next(device.costs([architecture])).latency_ms for device in devices.values()]
        for architecture in architectures
    ]
    columns = dict(zip(devices, np.array(rows, float).T, strict=True))
    flops = [space.flops(architecture, shape) for architecture in architectures]
    return columns | {FLOPS: np.array(flops, float)}


def agreements(columns: Mapping[str, Floats]) -> list[Agreement]:
    """Of every pair of columns."""
    return [
        Agreement(
            first,
            second,
            len(one),
            float(spearmanr(one, other).statistic),
            float(kendalltau(one, other).statistic),
            None if FLOPS in (first, second) else float(np.median(one / other)),
        )
        for (first, one), (second, other) in combinations(columns.items(), 2)
    ]


def front_losses(columns: Mapping[str, Floats], scores: Floats, by: str) -> list[FrontLoss]:
    """What stays of a front of ``scores``, higher is better, when it is measured ``by`` a runtime.

    For every other column: the members of its own front, judged by the clock of ``by``.
    """
    judged = minimised(columns[by], scores)
    box = _filled(judged)
    whole = hypervolume(judged, box)
    losses = []
    for name, column in columns.items():
        if name in (by, FLOPS):
            continue
        own = non_dominated(minimised(column, scores))
        kept = non_dominated(judged) & own
        share = hypervolume(judged[own], box) / whole
        losses.append(FrontLoss(name, int(own.sum()), int(kept.sum()), float(share)))
    return losses


def _filled(points: Floats) -> Box:
    """The box of measured networks, which are all feasible."""
    return points.min(axis=0), points.max(axis=0)


def duels(config: SearchConfig, seeds: Sequence[int]) -> Iterator[Duel]:
    """Searches by either runtime, seed by seed; both fronts measured anew by ONNX Runtime.

    Anew and not from the cache: a network may be on a front for a measurement that was lucky.
    """
    for seed in seeds:
        fronts = {name: _front(config, name, seed) for name in (DEPLOYED, INTERPRETER)}
        yield _judged(config, seed, fronts)


def _front(config: SearchConfig, runtime: str, seed: int) -> Mapping[str, float]:
    """Score by text of what a search found."""
    from pelnas.graph.runs.search import Search

    measurement = config.measurement.model_copy(update={"runtime": runtime})
    changed = {"measurement": measurement, "seed": seed, "name": f"{config.name}-{runtime}"}
    result = Search(config.model_copy(update=changed)).run()
    return {point.architecture: point.score for point in result.front}


def _judged(config: SearchConfig, seed: int, fronts: Mapping[str, Mapping[str, float]]) -> Duel:
    from pelnas.graph.session.problem import SearchProblem

    with TemporaryDirectory() as scratch:
        problem = SearchProblem.build(config)
        space, shape = problem.space, problem.evaluator.shape
        problem.evaluator.close()
        texts = list(dict.fromkeys(text for front in fronts.values() for text in front))
        architectures = [space.parse(text) for text in texts]
        cache = Cache(Path(scratch) / "measurements.sqlite")
        columns = latencies(space, shape, architectures, [DEPLOYED], config.measurement, cache)
    clock = dict(zip(texts, columns[DEPLOYED], strict=True))
    points = {
        name: minimised([clock[text] for text in front], list(front.values()))
        for name, front in fronts.items()
    }
    box = _filled(np.concatenate(list(points.values())))
    found = {name: hypervolume(own, box) for name, own in points.items()}
    wins = found[DEPLOYED] > found[INTERPRETER]
    return Duel(seed, found[DEPLOYED], found[INTERPRETER], wins)


def sampled(config: SearchConfig, runtimes: Sequence[str], count: int) -> dict[str, Floats]:
    """Latencies of ``count`` random networks by the configuration's seed, see ``latencies``."""
    from pelnas.graph.session.problem import shape_of
    from pelnas.spaces import get_space

    space, shape = get_space(config.space), shape_of(config)
    space.check_shape(shape)
    rng = np.random.default_rng(config.seed)
    chosen = list(dict.fromkeys(space.sample(rng) for _ in range(count)))
    cache = default_cache()
    return latencies(space, shape, chosen, runtimes, config.measurement, cache)
