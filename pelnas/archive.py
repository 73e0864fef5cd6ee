"""The Pareto archive of every niche, and the front of their union, which is the answer."""

from collections.abc import Collection, Sequence
from dataclasses import dataclass
from functools import cached_property
from itertools import pairwise

from pelnas.architecture import Evaluation
from pelnas.objectives import DEFAULT, Objectives
from pelnas.pareto import box_of, hypervolume, non_dominated, non_dominated_sort, spread_out


@dataclass(frozen=True, slots=True)
class Gap:
    """A stretch of a cost in which a front has no point; ``low`` to ``high`` in its ``unit``."""

    low: float
    high: float
    unit: str = "ms"

    def __str__(self) -> str:
        return f"{self.low:.4g} to {self.high:.4g} {self.unit}".rstrip()


class Archive:
    """All evaluations of a run, by niche. A value: a round later there is a new one.

    Infeasible evaluations are kept, so that nobody tries them again, and are
    never on a front. Nor are those in ``aside``, ids of candidates that break a
    directive: they are no parents either.
    """

    def __init__(
        self,
        evaluations: Sequence[Evaluation],
        niches: int,
        excluded: Collection[str] = (),
        objectives: Objectives = DEFAULT,
    ) -> None:
        self.objectives = objectives
        self.evaluations = tuple(evaluations)
        self._by_niche: list[list[Evaluation]] = [[] for _ in range(niches)]
        self.excluded = excluded
        self._fronts: dict[int, tuple[Evaluation, ...]] = {}
        self._standing = tuple(e for e in self.evaluations if e.id not in excluded)
        self._standing_in: list[list[Evaluation]] = [[] for _ in range(niches)]
        for evaluation in self.evaluations:
            self._by_niche[evaluation.candidate.niche].append(evaluation)
        for evaluation in self._standing:
            self._standing_in[evaluation.candidate.niche].append(evaluation)

    def without(self, ids: Collection[str]) -> "Archive":
        """The same with more standing aside."""
        standing = {evaluation.id for evaluation in self._standing}.difference(ids)
        excluded = [e.id for e in self.evaluations if e.id not in standing]
        return Archive(self.evaluations, len(self._by_niche), excluded, self.objectives)

    def niche(self, index: int) -> tuple[Evaluation, ...]:
        """All evaluations of a niche, oldest first."""
        return tuple(self._by_niche[index])

    def front(self, index: int) -> tuple[Evaluation, ...]:
        """The non-dominated evaluations of a niche, by the first cost."""
        if index not in self._fronts:
            self._fronts[index] = self._front(self._standing_in[index])
        return self._fronts[index]

    def union(self) -> tuple[Evaluation, ...]:
        """The front of the union of all niches, by the first cost: the answer of the search."""
        return self._union

    @cached_property
    def _union(self) -> tuple[Evaluation, ...]:
        return self._front(self._standing)

    def parents(self, index: int, limit: int) -> tuple[Evaluation, ...]:
        """At most ``limit`` parents of a niche: its front, then the front behind it, ...

        Where the front alone is more than ``limit``, a choice spread over it.
        """
        members = self._standing_in[index]
        points = self.objectives.points(members)
        first = non_dominated_sort(points, enough=1)
        if len(first) > limit:
            chosen = [first[i] for i in spread_out(points[first], limit)]
        else:
            chosen = non_dominated_sort(points, enough=limit)[:limit]
        return tuple(members[i] for i in chosen)

    def hypervolume(self) -> float:
        """Of the union's front, normalised by the ranges of this run's own evaluations.

        A figure to watch a run by; not comparable between runs.
        """
        box = box_of(self.objectives.points(self.evaluations))
        return 0.0 if box is None else hypervolume(self.objectives.points(self._standing), box)

    def largest_gap(self, index: int) -> Gap | None:
        """The widest stretch of the first cost between two neighbours of a niche's front."""
        cost = self.objectives.first
        values = [cost.of(e) for e in self.front(index)]
        if len(values) < 2:
            return None
        low, high = max(pairwise(values), key=lambda pair: pair[1] - pair[0])
        return Gap(low, high, cost.unit)

    def _front(self, evaluations: Sequence[Evaluation]) -> tuple[Evaluation, ...]:
        mask = non_dominated(self.objectives.points(evaluations))
        chosen = [e for e, on_front in zip(evaluations, mask, strict=True) if on_front]
        return tuple(sorted(chosen, key=self.objectives.first.of))
