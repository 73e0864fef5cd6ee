"""The evaluations of a run in memory: its archive and its evidence, made longer by what is new."""

from collections.abc import Sequence
from math import isfinite
from operator import is_
from threading import RLock

from pelnas.architecture import Evaluation
from pelnas.archive import Archive
from pelnas.directives import Directives
from pelnas.graph.session.excluded import Excluded
from pelnas.objectives import DEFAULT, Objectives
from pelnas.partition import Partition
from pelnas.rules.evidence import Evidence, Observation
from pelnas.store import RunStore
from pelnas.surrogate import Seen, Surrogate


class Evaluated:
    """Follows the store, which is the truth: what it replaces is replaced here, too."""

    def __init__(
        self, store: RunStore, partition: Partition, objectives: Objectives = DEFAULT
    ) -> None:
        self._store = store
        self._partition = partition
        self._objectives = objectives
        self._excluded = Excluded(store, partition.space)
        self._archive = Archive((), len(partition.niches), objectives=objectives)
        self._observed: Sequence[Evaluation] = ()
        self._evidence = Evidence()
        self._learned: Sequence[Evaluation] = ()
        self._surrogate: Surrogate | None = None
        self._lock = RLock()

    def archive(self, directives: Directives, before: int | None = None) -> Archive:
        """All evaluations so far; those that break one of the directives are excluded from the front.

        ``before``: of rounds before this one alone. Designers of one round see no more, so that what
        each does depends on nobody who works beside it, and is the same when it is done again.
        """
        evaluations = self._of(before)
        excluded = self._excluded.of(directives, evaluations)
        with self._lock:
            held = self._archive
            if held.excluded != excluded or not _same(held.evaluations, evaluations):
                held = self._archive = Archive(
                    evaluations, len(self._partition.niches), excluded, self._objectives
                )
            return held

    def evidence(self) -> Evidence:
        """Every feasible evaluation as rules see it."""
        evaluations = self._store.evaluations()
        with self._lock:
            known = {evaluation.id: evaluation for evaluation in self._observed}
            fresh = [e for e in evaluations if known.pop(e.id, None) is not e]
            if known or len(fresh) + len(self._observed) != len(evaluations):
                self._evidence, fresh = Evidence(), evaluations
            if fresh:
                self._evidence = self._evidence.extended(map(self._observation, fresh))
            self._observed = evaluations
            return self._evidence

    def surrogate(self, before: int | None = None) -> Surrogate:
        """Fitted, at its first use, to every evaluation; ``before``: as of ``archive``."""
        evaluations = self._of(before)
        with self._lock:
            if self._surrogate is None or not _same(self._learned, evaluations):
                self._learned = evaluations
                parse = self._partition.space.parse
                failed = [e for e in evaluations if not e.cost.feasible]
                self._surrogate = Surrogate(
                    self._partition,
                    self._seen(evaluations),
                    [parse(e.candidate.architecture) for e in failed],
                    self._surrogate,
                )
            return self._surrogate

    def _of(self, before: int | None) -> Sequence[Evaluation]:
        evaluations = self._store.evaluations()
        if before is None:
            return evaluations
        return [e for e in evaluations if e.candidate.round < before]

    def _seen(self, evaluations: Sequence[Evaluation]) -> list[Seen]:
        parse, costs = self._partition.space.parse, self._objectives.costs
        return [
            Seen(parse(e.candidate.architecture), e.score, tuple(cost.of(e) for cost in costs))
            for e in evaluations
            if all(map(isfinite, self._objectives.point(e)))
        ]

    def tell(self, directives: Directives, *, evaluated: bool) -> None:
        """As ``Excluded.tell``."""
        self._excluded.tell(directives, evaluated=evaluated)

    def _observation(self, evaluation: Evaluation) -> Observation:
        """Where the device cannot run it, its latency is infinite, and evidence leaves it out."""
        space = self._partition.space
        return Observation(
            id=evaluation.id,
            niche=evaluation.candidate.niche,
            features=self._partition.features(space.parse(evaluation.candidate.architecture)),
            score=evaluation.score,
            latency_ms=evaluation.latency_ms,
            others=tuple(
                (cost.name, cost.of(evaluation))
                for cost in self._objectives.costs
                if cost.name != "latency"
            ),
        )


def _same(held: Sequence[Evaluation], found: Sequence[Evaluation]) -> bool:
    return len(held) == len(found) and all(map(is_, held, found))
