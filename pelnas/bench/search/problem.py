"""What every method of a comparison is given: one cell of the bench, and its evaluator."""

from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from functools import cached_property
from typing import NamedTuple

import numpy as np

from pelnas.architecture import Architecture, Prediction
from pelnas.bench.search.measures import Yardstick
from pelnas.config import SearchConfig
from pelnas.errors import BudgetExhausted
from pelnas.pareto import Floats, minimised
from pelnas.partition import Partition
from pelnas.predictors.base import AccuracyPredictor
from pelnas.spaces import SearchSpace

REPEATS = 1_000  # evaluations of known networks in a row after which a method is over


class Cell(NamedTuple):
    """What one comparison of methods is made on. ``accuracy``: the source that guides."""

    space: str
    dataset: str
    device: str
    accuracy: str


@dataclass(frozen=True, eq=False)
class Problem:
    """A cell with what it takes to search it and to judge a search.

    ``guide``: the accuracy that searches see; ``latency`` and ``accuracy``: what judges, by
    architecture, ms and percent; no latency where the device cannot run it. ``config``: the
    settings of a search of this package in this cell; ``partition``: niches by which coverage is
    counted; ``labels``: what few-shot orders
    a finished search by; ``exact``: the networks of the yardstick's front, () where these are not known.
    """

    cell: Cell
    config: SearchConfig
    space: SearchSpace
    partition: Partition
    guide: AccuracyPredictor
    truth: "TrueValues"
    yardstick: Yardstick
    exact: Sequence[Architecture] = ()
    labels: "Labels | None" = None
    _known: dict[Architecture, Prediction] = field(default_factory=dict)

    def see(self, architectures: Sequence[Architecture]) -> Floats:
        """Latency in ms, infinite where the device cannot run it, and negated score (n, 2)."""
        latency = [self.truth.latency(a) for a in architectures]
        return minimised(latency, [found.score for found in self.predictions(architectures)])

    def predictions(self, architectures: Sequence[Architecture]) -> list[Prediction]:
        """What the guide says of each, asked once."""
        fresh = [a for a in dict.fromkeys(architectures) if a not in self._known]
        self._known.update(zip(fresh, self.guide.predict(fresh), strict=True))
        return [self._known[a] for a in architectures]

    def true_points(self, architectures: Sequence[Architecture]) -> Floats:
        """Latency in ms and negated true accuracy (n, 2), by which they are judged."""
        latency = [self.truth.latency(a) for a in architectures]
        return minimised(latency, [self.truth.accuracy(a) for a in architectures]).reshape(-1, 2)

    def covered(
        self, tried: Sequence[Architecture], front: Floats
    ) -> list[tuple[str, int, int, int]]:
        """Of each niche: label, networks tried, networks of the true front, how many are in ``front``."""
        homes = Counter(map(self.partition.locate, tried))
        hits = self.yardstick.hits(front).tolist() if self.exact else []
        niches = [self.partition.locate(each) for each in self.exact]
        held = Counter(niches)
        found = Counter(niche for niche, hit in zip(niches, hits, strict=True) if hit)
        return [
            (niche.label, homes[niche.index], held[niche.index], found[niche.index])
            for niche in self.partition.niches
        ]


@dataclass(frozen=True, slots=True)
class Labels:
    """``count`` labels for few-shot. ``accuracy``: percent, by text; any may be asked for."""

    count: int
    accuracy: Mapping[str, float]


class TrueValues:
    """True latency and accuracy of networks by table or formula."""

    def latency(self, architecture: Architecture) -> float:
        """Milliseconds; infinite where the device cannot run it."""
        raise NotImplementedError

    def accuracy(self, architecture: Architecture) -> float:
        """Percent, by which a search is judged."""
        raise NotImplementedError


class Tabled(TrueValues):
    """Both of a table, by architecture; what the device cannot run has no latency."""

    def __init__(
        self, latency: Mapping[Architecture, float], accuracy: Mapping[Architecture, float]
    ) -> None:
        self._latency, self._accuracy = latency, accuracy

    def latency(self, architecture: Architecture) -> float:
        return self._latency.get(architecture, float("inf"))

    def accuracy(self, architecture: Architecture) -> float:
        return self._accuracy[architecture]


class Spent(NamedTuple):
    """What had been spent when a network was evaluated. ``seconds``: since the search began."""

    calls: int
    dollars: float
    seconds: float


class Trial:
    """One search under way: it evaluates networks for a method, and counts each once.

    A network that was evaluated before is answered from memory and costs nothing, so that no
    method loses by repeating itself.
    """

    def __init__(self, problem: Problem, budget: int, seed: int, first: int) -> None:
        """``first``: networks of the first population, which counts."""
        self.problem, self.budget, self.seed = problem, budget, seed
        self.space = problem.space
        self.rng = np.random.default_rng((seed, 1))
        self.tried: dict[Architecture, tuple[float, float]] = {}
        self.counts: dict[str, float] = {}  # what the model of the designers did, if counted
        self.spent: list[Spent] = []  # by evaluation; of searches that spend something
        self.authors: list[str] = []  # by evaluation; of searches with several designers
        self.run = ""  # the folder of the run, of a search of this package
        self._first, self._repeats = first, 0

    @cached_property
    def first(self) -> list[Architecture]:
        """The first population: different networks, the same for every baseline of a seed."""
        rng = np.random.default_rng(self.seed)
        drawn: dict[Architecture, None] = {}
        while len(drawn) < min(self._first, self.space.size):
            drawn[self.space.sample(rng)] = None
        return list(drawn)

    @property
    def left(self) -> int:
        """Evaluations that the budget still allows."""
        return self.budget - len(self.tried)

    def evaluate(self, architectures: Sequence[Architecture]) -> Floats:
        """Latency in ms and negated score (n, 2), both minimised; infinite latency: cannot run.

        BudgetExhausted: the budget was spent on the first of them.
        """
        fresh = [a for a in dict.fromkeys(architectures) if a not in self.tried]
        affordable = fresh[: self.left]
        for architecture, point in zip(affordable, self.problem.see(affordable), strict=True):
            self.tried[architecture] = (float(point[0]), float(point[1]))
        self._repeats = 0 if fresh else self._repeats + 1
        if len(affordable) < len(fresh) or not self.left or self._over():
            raise BudgetExhausted("all evaluations are spent")
        return np.array([self.tried[a] for a in architectures]).reshape(-1, 2)

    def _over(self) -> bool:
        return len(self.tried) == self.space.size or self._repeats > REPEATS

    @property
    def points(self) -> Floats:
        """What was seen of everything tried, in order (n, 2)."""
        return np.array(list(self.tried.values())).reshape(-1, 2)

    def finite(self, points: Floats) -> Floats:
        """The points with something worse than all else in place of what cannot run."""
        known = self.points
        known = known[np.isfinite(known).all(axis=1)]
        if not len(known):
            return np.where(np.isfinite(points), points, 0.0)
        worst = known.max(axis=0) + np.maximum(np.ptp(known, axis=0), 1e-9)
        runs = np.isfinite(points).all(axis=1, keepdims=True)
        return np.where(runs, points, worst)
