"""Searches on a large space, judged by an exact front.

The accuracy is made (``pelnas.predictors.known_truth``), the costs are those of a device that
charges per layer. The exact front of such sums follows by dynamic programming over the
positions, which keeps of every last operation the points that no other dominates.
"""

from collections import defaultdict
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass

import numpy as np

from pelnas.architecture import Architecture
from pelnas.bench.validation import Interval
from pelnas.config import SearchConfig
from pelnas.devices.layered import LayeredDevice, Tables, layer_tables, of_dataset
from pelnas.errors import DataError, DeviceError
from pelnas.pareto import Floats, hypervolume, igd, minimised, non_dominated
from pelnas.predictors.known_truth import Truth, named
from pelnas.spaces import SearchSpace, get_space

REFERENCE = 1.1  # of the hypervolume, in the box of the exact front
EVOLVER, NSGA2, RANDOM = "builtin:evolver", "nsga2", "random"
METHODS = (EVOLVER, NSGA2, RANDOM)
POPULATION = 40  # of NSGA-II
BOOTSTRAPS = 10_000


@dataclass(frozen=True, eq=False)
class KnownProblem:
    """A truth and a device over one space, with the exact front of both."""

    space: SearchSpace
    device: LayeredDevice
    truth: Truth
    latency: Floats  # ms (n,) of the exact front, ascending
    accuracy: Floats  # percent (n,) of the exact front

    @classmethod
    def of(cls, space: SearchSpace, device: LayeredDevice, truth: Truth) -> "KnownProblem":
        return cls(space, device, truth, *exact_front(device, truth))

    def observe(self, architecture: Architecture) -> tuple[float, float]:
        """Latency in ms and the accuracy that a search is shown."""
        return self.device.latency(architecture), self.truth.observed(architecture)

    def judge(self, found: Sequence[Architecture]) -> tuple[float, float]:
        """Hypervolume ratio (reference 1.1) and IGD of a front, in the box of the exact one.

        By true accuracies, also where a search saw them through noise.
        """
        latency = [self.device.latency(each) for each in found]
        accuracy = [self.truth.accuracy(each) for each in found]
        points, exact = minimised(latency, accuracy), minimised(self.latency, self.accuracy)
        low, high = exact.min(axis=0), exact.max(axis=0)
        wide = low, low + REFERENCE * (high - low)
        ratio = hypervolume(points, wide) / hypervolume(exact, wide)
        return ratio, igd(points, exact, (low, high))


def exact_front(device: LayeredDevice, truth: Truth) -> tuple[Floats, Floats]:
    """Latency in ms (n,) and accuracy in percent (n,) that no network of the space beats."""
    ends = [
        (np.array([cost]), np.array([worth]))
        for cost, worth in zip(device.layers[0], truth.worth[0], strict=True)
    ]
    for costs, worth, pairs in zip(device.layers[1:], truth.worth[1:], truth.pairs, strict=True):
        ends = [
            undominated(
                np.concatenate([latency + costs[op] for latency, _ in ends]),
                np.concatenate(
                    [acc + worth[op] + pairs[last, op] for last, (_, acc) in enumerate(ends)]
                ),
            )
            for op in range(len(costs))
        ]
    latency, accuracy = (np.concatenate(parts) for parts in zip(*ends, strict=True))
    latency, accuracy = undominated(latency, accuracy)
    return latency + device.constant, accuracy


def undominated(latency: Floats, accuracy: Floats) -> tuple[Floats, Floats]:
    """The points that no other one beats, by latency."""
    kept = np.flatnonzero(non_dominated(minimised(latency, accuracy)))
    kept = kept[np.argsort(latency[kept])]
    return latency[kept], accuracy[kept]


@dataclass(frozen=True, slots=True)
class Outcome:
    """One judged search. ``ratio``: higher is better, 1 is the exact front; ``igd``: lower."""

    method: str
    device: str
    truth: str
    seed: int
    evaluations: int
    ratio: float
    igd: float


@dataclass(frozen=True, slots=True)
class Mean:
    """One method at one budget on one truth, over devices and seeds."""

    truth: str
    method: str
    evaluations: int
    searches: int
    ratio: Interval
    lowest_ratio: float
    igd: float
    highest_igd: float


def means(found: Sequence[Outcome]) -> list[Mean]:
    """Over devices and seeds, the intervals by bootstrap over the searches."""
    groups: dict[tuple[str, str, int], list[Outcome]] = defaultdict(list)
    for one in found:
        groups[one.truth, one.method, one.evaluations].append(one)
    return [
        Mean(
            *group,
            searches=len(inside),
            ratio=_mean([one.ratio for one in inside]),
            lowest_ratio=min(one.ratio for one in inside),
            igd=float(np.mean([one.igd for one in inside])),
            highest_igd=max(one.igd for one in inside),
        )
        for group, inside in groups.items()
    ]


def _mean(values: Sequence[float]) -> Interval:
    rng = np.random.default_rng(0)
    drawn = rng.choice(values, size=(BOOTSTRAPS, len(values))).mean(axis=1)
    low, high = np.quantile(drawn, [0.025, 0.975])
    return Interval(float(np.mean(values)), float(low), float(high))


def bench_known_truth(
    config: SearchConfig,
    devices: Sequence[str] | None,
    truths: Sequence[str],
    seeds: Sequence[int],
    budgets: Mapping[str, Sequence[int]],
) -> Iterator[Outcome]:
    """Each method on each device, truth and seed, judged at its budgets of evaluations.

    ``config`` names the space, the folder of layer costs and the output; ``devices``: all of
    the folder unless said; ``truths``: as ``known_truth.named`` reads them; ``budgets``:
    evaluations by method (``METHODS``), ascending. DataError, DeviceError, DatasetError:
    one of these is not there.
    """
    space = get_space(config.space)
    tables = _tables(config)
    drawn = {name: Truth.draw(space, *named(name)) for name in truths}
    for device in devices or list(tables):
        if device not in tables:
            raise DeviceError(
                f"expected a device with costs per layer in {config.data}, found {device!r}: use"
                f" one of {', '.join(tables)}"
            )
        for name, truth in drawn.items():
            costs = LayeredDevice(of_dataset(tables[device], ""), space)
            problem = KnownProblem.of(space, costs, truth)
            asked = {"device": device, "dataset": name, "accuracy": "known-truth"}
            for seed in seeds:
                for method, counts in budgets.items():
                    chosen = config.model_copy(update=asked | {"seed": seed, "model": method})
                    tried = _tried(problem, chosen, max(counts))
                    for count in counts:
                        front = _front(tried[:count])
                        judged = problem.judge(front)
                        yield Outcome(method, device, name, seed, count, *judged)


def _tables(config: SearchConfig) -> dict[str, Tables]:
    tables = layer_tables(config.data) if config.data else {}
    if not tables:
        raise DataError(
            "expected a folder with costs per layer (device, layer, op, delta_ms), found none in"
            f" {config.data}: give one with --data"
        )
    return tables


#: An architecture with the latency and the accuracy that the search was shown.
Tried = tuple[Architecture, float, float]


def _front(tried: Sequence[Tried]) -> list[Architecture]:
    """What a search would show as its front."""
    kept = non_dominated(minimised([each[1] for each in tried], [each[2] for each in tried]))
    return [each[0] for each, on_front in zip(tried, kept, strict=True) if on_front]


def _tried(problem: KnownProblem, config: SearchConfig, budget: int) -> list[Tried]:
    """Everything that a method evaluated, in order."""
    if config.model == RANDOM:
        rng = np.random.default_rng(config.seed)
        drawn = [problem.space.sample(rng) for _ in range(budget)]
        return [(each, *problem.observe(each)) for each in drawn]
    if config.model == NSGA2:
        return _nsga2(problem, config.seed, budget)
    return _searched(problem, config, budget)


def _searched(problem: KnownProblem, config: SearchConfig, budget: int) -> list[Tried]:
    """By a search of this package, run as anybody runs it."""
    from pelnas.graph.runs.search import Search
    from pelnas.store import RunStore

    limit = config.budget.model_copy(update={"evaluations": budget})
    rounds = -(-budget // (config.per_niche * config.niches)) + 1
    settings = config.model_copy(update={"budget": limit, "rounds": rounds})
    with RunStore.read(Search(settings).run().folder) as store:
        return [
            (problem.space.parse(e.candidate.architecture), e.latency_ms, e.score)
            for e in store.evaluations()
        ]


def _nsga2(problem: KnownProblem, seed: int, budget: int) -> list[Tried]:
    """By pymoo's NSGA-II on the choices, which have no order: uniform crossover, new draws."""
    from pelnas.bench.nsga2 import minimise

    tried: list[Tried] = []

    def evaluate(genes: tuple[int, ...]) -> tuple[float, float]:
        architecture = problem.space.of(genes)
        latency, accuracy = problem.observe(architecture)
        tried.append((architecture, latency, accuracy))
        return latency, -accuracy

    sizes = [len(options) for options in problem.space.choices]
    minimise(evaluate, sizes, POPULATION, budget, seed)
    return tried
