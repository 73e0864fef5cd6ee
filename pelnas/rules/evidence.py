"""What the evaluations say about a predicate: a rank effect within niches, and its error.

Effect of a predicate on a metric: within each niche, Cliff's delta (Cliff 1993,
equal to Somers' d and to twice the area under the ROC curve minus one)::

    d_s = P(holder better than other) - P(holder worse than other)  in [-1, 1]
        = (2 W_s - m_s (N_s + 1)) / (m_s n_s)

with m_s holders of the predicate, n_s others, N_s = m_s + n_s and W_s the sum
of the holders' mid-ranks. Niches are pooled with the weights of van Elteren
(1960), w_s = m_s n_s / (N_s + 1), so that a predicate is never credited with
the difference between niches. The error is the standard deviation of the
pooled effect when the predicate says nothing, over the permutations of each
niche, with the correction for ties (Lehmann, Nonparametrics, 1975)::

    error² = Σ w_s² (N_s + 1) / (3 m_s n_s) (1 - Σ (t³ - t) / (N_s³ - N_s)) / (Σ w_s)²

Ranks make both indifferent to outliers, to units, and to any monotone change
of a predictor's score.
"""

from collections.abc import Callable, Hashable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property
from math import isfinite
from threading import RLock
from typing import Any, TypeVar

import numpy as np
from numpy.typing import NDArray

from pelnas.inputs.quantities import CostName, Metric
from pelnas.predicate import Predicate

Found = TypeVar("Found")
Row = tuple[str, int, float, float, tuple[tuple[CostName, float], ...]]
METRICS: tuple[Metric, ...] = ("accuracy", "latency")  # of a search that asks for no others


@dataclass(frozen=True, slots=True)
class Observation:
    """An evaluated candidate, as far as rules are concerned.

    ``score``: higher is better; ``latency_ms``: lower is better, ``inf`` where
    the device cannot run it. ``others``: the values of further objectives, lower is better;
    all observations of one run have the same ones.
    """

    id: str
    niche: int
    features: Mapping[str, float]
    score: float
    latency_ms: float
    others: tuple[tuple[CostName, float], ...] = ()

    @property
    def usable(self) -> bool:
        """Whether every value is finite."""
        values = self.score, self.latency_ms, *(value for _, value in self.others)
        return all(map(isfinite, values))


@dataclass(frozen=True, slots=True)
class Effects:
    """For p predicates, arrays (p,): see the module for ``effect`` and ``error``.

    ``effect`` is positive where holders are better (higher score, lower
    latency). ``holders`` and ``others`` count only niches that have both; where
    there is none, effect is 0 and error infinite.
    """

    effect: NDArray[np.float64]
    error: NDArray[np.float64]
    holders: NDArray[np.int64]
    others: NDArray[np.int64]


class Evidence:
    """Observations with their ranks, so that many predicates are measured on one ranking.

    Infeasible observations and those without a finite score are left out. The
    order of the observations makes no difference. A value: what is asked of it is
    found once, also by several threads.
    """

    def __init__(self, observations: Iterable[Observation] = ()) -> None:
        usable = [o for o in observations if o.usable]
        names = sorted({name for o in usable for name in o.features})
        self._hold(
            _Table(
                tuple((o.id, o.niche, o.score, o.latency_ms, o.others) for o in usable),
                {name: place for place, name in enumerate(names)},
                _features(usable, names),
            ).sorted()
        )

    def _hold(self, table: "_Table") -> None:
        self._table = table
        self.ids = tuple(row[0] for row in table.rows)
        self.niche = np.array([row[1] for row in table.rows], dtype=np.int64)
        self._values: dict[Metric, NDArray[np.float64]] = {
            "accuracy": np.array([row[2] for row in table.rows], dtype=np.float64),
            "latency": np.array([-row[3] for row in table.rows], dtype=np.float64),
        }
        for place, (name, _) in enumerate(table.rows[0][4] if table.rows else ()):
            values = [-row[4][place][1] for row in table.rows]
            self._values[name] = np.array(values, dtype=np.float64)
        self._found: dict[Hashable, Any] = {}
        self._lock = RLock()

    def measures(self, metric: Metric) -> bool:
        """Whether anything is known of a metric; without observations, whether it is usual."""
        return metric in self._values

    @classmethod
    def _of(cls, table: "_Table") -> "Evidence":
        evidence = cls.__new__(cls)
        evidence._hold(table)
        return evidence

    def extended(self, observations: Iterable[Observation]) -> "Evidence":
        """With these besides: equal to evidence of all of them, and made of what is new alone."""
        return self._of(self._table.joined(Evidence(observations)._table))

    def within(self, niche: int | None) -> "Evidence":
        """That of one niche; all of it for ``None``."""
        if niche is None:
            return self
        rows = np.flatnonzero(self.niche == niche)
        return self.once(("within", niche), lambda: self._of(self._table.part(rows)))

    def where(self, kept: Callable[[str], bool]) -> "Evidence":
        """That of the observations whose id is ``kept``."""
        return self._of(self._table.part([k for k, id_ in enumerate(self.ids) if kept(id_)]))

    def once(self, key: Hashable, find: Callable[[], Found]) -> Found:
        """What follows from this evidence, found by whoever asks first."""
        with self._lock:
            if key not in self._found:
                self._found[key] = find()
            found: Found = self._found[key]
            return found

    def column(self, feature: str) -> NDArray[np.float64]:
        """A feature of each observation, (n,); 0 where an architecture does not have it."""
        return self._table.column(feature)

    def holders(self, predicate: Predicate) -> NDArray[np.bool_]:
        """Which observations satisfy the predicate, (n,)."""
        held = np.ones(len(self.ids), bool)
        for condition in predicate.conditions:
            held &= condition.compared(self.column(condition.feature))
        return held

    def side(self, metric: Metric) -> NDArray[np.float64]:
        """+1 for better than the median of its niche, -1 for worse, 0 for equal, (n,)."""
        return self._sides[metric]

    def distance(self, metric: Metric) -> NDArray[np.float64]:
        """How far from the middle of its niche each stands in rank, 0 to 1, (n,)."""
        size = np.array([len(r) for r in self._strata.values()], dtype=np.float64)
        width = dict(zip(self._strata, size, strict=True))
        scale = np.array([width[int(k)] for k in self.niche])
        ranks: NDArray[np.float64] = np.abs(self._ranks[metric][0]) * 2 / np.maximum(scale, 1)
        return ranks

    def effects(self, holds: NDArray[np.bool_], metric: Metric) -> Effects:
        """The effects of p predicates given as holders (n, p), niche by niche."""
        ranks, ties = self._ranks[metric]
        shape = holds.shape[1]
        total, weight, variance = np.zeros(shape), np.zeros(shape), np.zeros(shape)
        held, rest = np.zeros(shape, np.int64), np.zeros(shape, np.int64)
        for stratum, rows in self._strata.items():
            inside = holds[rows].astype(np.float64)
            m = inside.sum(axis=0)
            n = len(rows) - m
            pairs = m * n / (len(rows) + 1)
            # Ranks are halves of whole numbers: their sums are exact in any order.
            total += 2 * (ranks[rows] @ inside) / (len(rows) + 1)
            weight += pairs
            variance += pairs * ties[stratum] / 3
            both = pairs > 0
            held += np.where(both, m, 0).astype(np.int64)
            rest += np.where(both, n, 0).astype(np.int64)
        known = np.maximum(weight, 1e-300)
        effect = np.where(weight > 0, total / known, 0.0)
        error = np.where(weight > 0, np.sqrt(variance) / known, np.inf)
        return Effects(effect, error, held, rest)

    @cached_property
    def _strata(self) -> dict[int, NDArray[np.int64]]:
        return {int(k): np.flatnonzero(self.niche == k) for k in np.unique(self.niche)}

    @cached_property
    def _ranks(self) -> dict[Metric, tuple[NDArray[np.float64], dict[int, float]]]:
        """For each metric: mid-ranks within the niche minus their mean, and tie corrections."""
        result = {}
        for metric, values in self._values.items():
            centred, ties = np.zeros(len(values)), {}
            for stratum, rows in self._strata.items():
                centred[rows], ties[stratum] = _mid_ranks(values[rows])
            result[metric] = (centred, ties)
        return result

    @cached_property
    def _sides(self) -> dict[Metric, NDArray[np.float64]]:
        sides = {metric: np.zeros(len(values)) for metric, values in self._values.items()}
        for metric, values in self._values.items():
            for rows in self._strata.values():
                sides[metric][rows] = np.sign(values[rows] - np.median(values[rows]))
        return sides


def _mid_ranks(values: NDArray[np.float64]) -> tuple[NDArray[np.float64], float]:
    """Ranks from 1, ties sharing their mean, minus the mean rank; and the tie correction."""
    size = len(values)
    _, inverse, counts = np.unique(values, return_inverse=True, return_counts=True)
    last = np.cumsum(counts)
    ranks = (last - (counts - 1) / 2)[inverse] - (size + 1) / 2
    if size < 2:
        return ranks, 1.0
    return ranks, 1.0 - float((counts.astype(float) ** 3 - counts).sum()) / (size**3 - size)


@dataclass(frozen=True, slots=True)
class _Table:
    """Observations as rows (id, niche, score, latency, others) and a matrix (n, f) of their features."""

    rows: tuple[Row, ...]
    places: Mapping[str, int]  # of the features in the matrix
    features: NDArray[np.float64]

    def column(self, feature: str) -> NDArray[np.float64]:
        place = self.places.get(feature)
        return np.zeros(len(self.rows)) if place is None else self.features[:, place]

    def sorted(self) -> "_Table":
        """By id first, whatever the order was."""
        return self.part(sorted(range(len(self.rows)), key=self.rows.__getitem__))

    def part(self, rows: Sequence[int] | NDArray[np.int64]) -> "_Table":
        """Some of the rows, in this order."""
        picked = np.asarray(rows, dtype=np.int64)
        kept = tuple(self.rows[row] for row in picked.tolist())
        return _Table(kept, self.places, np.asfortranarray(self.features[picked]))

    def joined(self, other: "_Table") -> "_Table":
        """The rows of both."""
        names = list(self.places)
        names += [name for name in other.places if name not in self.places]
        wide = (np.column_stack([t.column(name) for name in names]) for t in (self, other))
        both = np.concatenate(list(wide)) if names else np.zeros((len(self.rows + other.rows), 0))
        places = {name: place for place, name in enumerate(names)}
        return _Table(self.rows + other.rows, places, both).sorted()


def _features(observations: Sequence[Observation], names: Sequence[str]) -> NDArray[np.float64]:
    values = [[o.features.get(name, 0.0) for name in names] for o in observations]
    return np.array(values, dtype=np.float64).reshape(len(observations), len(names))
