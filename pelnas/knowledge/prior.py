"""What claims of earlier runs let expect of networks, before a run has evaluations of its own.

A claim says by how much holders of a predicate rank above others of their niche. Each metric is
expected to be a weighted sum of the predicates, with the weights that give every predicate the
effect that is claimed for it, as far as claims agree: ridge regression from marginal effects and
the correlation of the predicates among the networks of the niche. Two claims that say nearly the
same so count once. Pure.
"""

from collections.abc import Callable, Sequence
from functools import cache
from itertools import islice

import numpy as np
from numpy.typing import NDArray

from pelnas.architecture import Architecture
from pelnas.inputs.quantities import Metric
from pelnas.knowledge.transfer import Claim
from pelnas.pareto import fronts, minimised, spread_out
from pelnas.partition import ENUMERABLE, Partition
from pelnas.predicate import Features
from pelnas.sampling import FLOPS

SAMPLE = 1_000  # members of a niche that are looked at where it cannot be listed
RIDGE = 1.0  # shrinkage of the weight of a claim that one equal place stands behind

Floats = NDArray[np.float64]


class Prior:
    """Expected ranks within a niche, by the claims about it and about every niche."""

    def __init__(self, partition: Partition, claims: Sequence[Claim]) -> None:
        self._partition = partition
        self._claims = tuple(claims)

    def designs(
        self,
        niche: int,
        count: int,
        metrics: Sequence[Metric],
        taken: Callable[[Architecture], bool],
        rng: np.random.Generator,
    ) -> list[Architecture]:
        """At most ``count`` members that are not ``taken``: the expected front, evenly spaced.

        Then the front of the rest, and so on. ``metrics``: accuracy first, then the costs.
        [] where no claim is about accuracy or a cost of this niche.
        """
        if not any(self._about(niche, metric) for metric in metrics):
            return []
        members = [each for each in self._members(niche, rng) if not taken(each)]
        if not members:
            return []
        accuracy, *costs = self.expected(niche, members, metrics).T
        points = minimised(*(-cost for cost in costs), accuracy)
        chosen: list[int] = []
        for front in fronts(points):
            places = spread_out(points[front], count - len(chosen))
            chosen += [front[place] for place in places]
            if len(chosen) >= count:
                break
        return [members[place] for place in chosen]

    def expected(
        self, niche: int, members: Sequence[Architecture], metrics: Sequence[Metric]
    ) -> Floats:
        """Ranks to expect among these members of a niche, (n, metrics); higher is better.

        Where no claim is about a metric, size stands in: more of it is more accurate and costs more.
        """
        columns_of = _columns([self._partition.features(each) for each in members])
        sizes = np.log(np.maximum(columns_of(FLOPS), 1e-6))
        columns = []
        for metric in metrics:
            about = self._about(niche, metric)
            holds = np.ones((len(members), len(about)))
            for place, claim in enumerate(about):
                for condition in claim.rule.predicate.conditions:
                    holds[:, place] *= condition.compared(columns_of(condition.feature))
            effects = np.array([_signed(claim) for claim in about])
            weights = np.array([claim.weight for claim in about])
            found = _fitted(holds, effects, weights)
            if not found.any():
                found = sizes if metric == "accuracy" else -sizes
            columns.append(found)
        return np.column_stack(columns)

    def _about(self, niche: int, metric: Metric) -> list[Claim]:
        return [
            claim
            for claim in self._claims
            if claim.rule.metric == metric and claim.rule.scope.niche in (None, niche)
        ]

    def _members(self, niche: int, rng: np.random.Generator) -> Sequence[Architecture]:
        if self._partition.space.size <= ENUMERABLE:
            return self._partition.members[niche]
        return list(islice(self._partition.sample(niche, rng), SAMPLE))


def _columns(features: Sequence[Features]) -> Callable[[str], Floats]:
    """A feature of each of n architectures, (n,), by its name."""

    @cache
    def column(name: str) -> Floats:
        return np.array([each.get(name, 0.0) for each in features])

    return column


def _signed(claim: Claim) -> float:
    effect = claim.rule.claimed
    return effect if claim.rule.polarity == "helps" else -effect


def _fitted(holds: Floats, effects: Floats, weights: Floats) -> Floats:
    """The sum of p predicates (n, p) with the given effects, (n,); 0 where none tells members apart."""
    shares = holds.mean(axis=0) if holds.size else np.zeros(holds.shape[1])
    spread = np.sqrt(shares * (1 - shares))
    telling = spread > 0
    if not telling.any():
        return np.zeros(len(holds))
    scaled = (holds[:, telling] - shares[telling]) / spread[telling]
    alike = scaled.T @ scaled / len(scaled)
    alike[np.diag_indices_from(alike)] += RIDGE / weights[telling]
    found: Floats = scaled @ np.linalg.solve(alike, effects[telling] * spread[telling])
    return found
