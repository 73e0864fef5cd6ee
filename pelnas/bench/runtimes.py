"""How far runtimes agree on what is fast, and what it costs to search by the wrong one."""

from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import ExitStack
from dataclasses import dataclass
from itertools import combinations
from pathlib import Path
from statistics import fmean
from tempfile import TemporaryDirectory
from time import perf_counter

import numpy as np
from scipy.stats import kendalltau, spearmanr

from pelnas.architecture import Architecture, Shape
from pelnas.cache import Cache
from pelnas.config import Measurement, SearchConfig
from pelnas.devices.host import HostDevice
from pelnas.pareto import Floats, box_of, hypervolume, minimised, non_dominated
from pelnas.runtimes import get_runtime
from pelnas.runtimes.deployed import Deployed
from pelnas.runtimes.timer import Loaded, Timer, groups
from pelnas.spaces import SearchSpace

FLOPS = "flops"  # no runtime: multiply-accumulates, the simplest thing that predicts latency
WITH, WITHOUT = "beside a reference", "by itself"  # how a network is timed
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

    @property
    def wins(self) -> bool:
        """Whether the search by ONNX Runtime is ahead."""
        return self.deployed > self.interpreter


@dataclass(frozen=True)
class Repeat:
    """How measurements of the same networks at different times agree.

    ``spearman``, ``lowest``: mean and lowest rank agreement of two of them. ``deviation``:
    standard deviation of a network's log latency, about the relative error of one measurement;
    lower is better. ``seconds``: that a network takes.
    """

    way: str
    times: int
    networks: int
    spearman: float
    lowest: float
    deviation: float
    seconds: float


def latencies(
    space: SearchSpace,
    shape: Shape,
    architectures: Sequence[Architecture],
    runtimes: Sequence[str],
    measurement: Measurement,
    cache: Cache,
) -> dict[str, Floats]:
    """Milliseconds (n,) by runtime; FLOPs as well, under their name."""
    devices = {
        name: HostDevice(space, shape, measurement.model_copy(update={"runtime": name}), cache)
        for name in runtimes
    }
    columns = {
        name: np.array([cost.latency_ms for cost in device.costs(architectures)], float)
        for name, device in devices.items()
    }
    flops = [space.flops(architecture, shape) for architecture in architectures]
    return columns | {FLOPS: np.array(flops, float)}


def repeated(
    space: SearchSpace,
    shape: Shape,
    architectures: Sequence[Architecture],
    measurement: Measurement,
    times: int,
    cache: Cache,
) -> list[Repeat]:
    """How well ``times`` measurements of each network here agree, with and without the reference.

    Both ways take turns, so that both meet the same disturbances. Nothing but
    exports and the reference's latency is taken from the cache. ``times``: two or more.
    """
    timer = Timer(get_runtime(measurement.runtime), measurement, cache)
    networks = [Deployed(space, each, shape) for each in architectures]
    ways = {WITH: timer.latencies, WITHOUT: timer.plain}
    found: dict[str, list[list[float]]] = {way: [] for way in ways}
    seconds = dict.fromkeys(ways, 0.0)
    for _ in range(times):
        for way, measure in ways.items():
            started = perf_counter()
            found[way].append(_once(timer, networks, measurement, measure))
            seconds[way] += perf_counter() - started
    return [
        _repeat(way, np.array(rows), seconds[way] / times / len(networks))
        for way, rows in found.items()
    ]


def _once(
    timer: Timer,
    networks: Sequence[Deployed],
    measurement: Measurement,
    measure: Callable[[Sequence[Loaded]], list[tuple[float, float]]],
) -> list[float]:
    """The median of each, in the groups that a search times together."""

    def work(network: Deployed) -> float:
        return measurement.batch * network.space.flops(network.architecture, network.shape)

    found = []
    for group in groups(networks, work):
        with ExitStack() as held:
            found += [latency for latency, _ in measure(timer.loaded(group, held))]
    return found


def _repeat(way: str, latencies: Floats, seconds: float) -> Repeat:
    """Of latencies (times, networks) in ms."""
    logs = np.log(latencies)
    ranks = [float(spearmanr(one, other).statistic) for one, other in combinations(logs, 2)]
    deviation = float(np.sqrt(logs.var(axis=0, ddof=1).mean()))
    times, networks = latencies.shape
    return Repeat(way, times, networks, fmean(ranks), min(ranks), deviation, seconds)


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
    box = box_of(judged)
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
    box = box_of(np.concatenate(list(points.values())))
    found = {name: hypervolume(own, box) for name, own in points.items()}
    return Duel(seed, found[DEPLOYED], found[INTERPRETER])


def sampled(config: SearchConfig, count: int) -> tuple[SearchSpace, Shape, list[Architecture]]:
    """``count`` random networks by the configuration's seed, their space and shape."""
    from pelnas.graph.session.problem import shape_of
    from pelnas.spaces import get_space

    space, shape = get_space(config.space), shape_of(config)
    space.check_shape(shape)
    rng = np.random.default_rng(config.seed)
    return space, shape, list(dict.fromkeys(space.sample(rng) for _ in range(count)))
