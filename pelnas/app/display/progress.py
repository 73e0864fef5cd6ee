"""The progress of a search, derived from its events."""

import time
from collections import Counter
from collections.abc import Callable
from threading import Lock

from pelnas.config import SearchConfig
from pelnas.store import Event

Point = tuple[float, ...]  # costs, then the score


class Progress:
    """What a search has done so far, over all its resumes; may be updated from several threads.

    ``before``: seconds that earlier processes spent on the run; their events are
    reported again by whoever resumes it.
    """

    def __init__(
        self,
        config: SearchConfig,
        before: float = 0.0,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        self.objectives = config.objectives
        self.rounds = config.rounds
        self.round = 0  # counted from 0
        self.niche: int | None = None  # the one that was last heard of
        self.stage = "starting"
        self._planned = Counter[int]()  # designs, by round
        self._scored = Counter[int]()  # candidates with a score
        self._timed = Counter[int]()  # candidates with a latency
        self.evaluations = 0
        self.refused = 0
        self.calls = 0
        self.tokens = 0
        self.dollars = 0.0
        self.unpriced = 0  # calls whose price is unknown
        self._minutes = config.budget.minutes
        self._clock = clock
        self._start = clock() - before
        self._rounds_done = 0
        self._seconds_then = 0.0  # when the last round was done
        self._scores: dict[str, float] = {}
        self._costs: dict[str, tuple[float, ...]] = {}
        self._first = 0  # the round that a fork begins with
        self._aside: frozenset[str] = frozenset()  # what directives keep off the front
        self._paused_at: float | None = None
        self._lock = Lock()

    @property
    def planned(self) -> int:
        """Designs of this round."""
        return self._planned[self.round]

    @property
    def scored(self) -> int:
        """Candidates of this round with a score."""
        return self._scored[self.round]

    @property
    def timed(self) -> int:
        """Candidates of this round with a latency."""
        return self._timed[self.round]

    @property
    def seconds(self) -> float:
        """Running time; none passes while paused."""
        now = self._clock() if self._paused_at is None else self._paused_at
        return now - self._start

    @property
    def seconds_left(self) -> float | None:
        """Until the limit of time, or by the pace of the rounds so far; ``None``: unknown."""
        if self._minutes is not None:
            return max(0.0, 60 * self._minutes - self.seconds)
        if not self._rounds_done:
            return None
        whole = self._seconds_then / self._rounds_done * (self.rounds - self._first)
        return max(0.0, whole - self.seconds)

    def front(self) -> list[Point]:
        """The points that no other one dominates and no directive keeps off, by the first cost."""
        from pelnas.pareto import minimised, non_dominated

        with self._lock:
            points = sorted(
                (*costs, self._scores[id_])
                for id_, costs in self._costs.items()
                if id_ in self._scores and id_ not in self._aside
            )
        if not points:
            return []
        mask = non_dominated(minimised(*zip(*points, strict=True)))
        return [point for point, kept in zip(points, mask, strict=True) if kept]

    def update(self, event: Event) -> None:
        """Take one event in; kinds that say nothing about progress are passed over."""
        take = getattr(self, f"_on_{event.kind.replace('-', '_')}", None)
        if take is not None:
            with self._lock:
                take(event)

    def _on_round_planned(self, event: Event) -> None:
        self.round = event.round or 0
        self.stage, self.niche = "designing", None
        for counts in (self._planned, self._scored, self._timed):
            counts[self.round] = 0

    def _on_designed(self, event: Event) -> None:
        self.stage, self.niche = "designing", event.niche
        self._planned[self.round] += event.data["accepted"]
        self.refused += event.data["refused"]

    def _on_run_forked(self, event: Event) -> None:
        """Everything so far was done by the run that this one was forked from."""
        self.round = self._first = event.data["after"] + 1
        self.stage, self.niche = "taking over", None
        for counts in (self._planned, self._scored, self._timed):
            counts.clear()
        self.evaluations = self.refused = self.calls = self.tokens = self.unpriced = 0
        self.dollars, self._rounds_done, self._seconds_then = 0.0, 0, 0.0
        if not event.data["scores"]:
            self._scores.clear()
        if not event.data["costs"]:
            self._costs.clear()

    def _on_predicted(self, event: Event) -> None:
        self.stage, self.niche = "scoring", None
        self._turn_to(event.round)
        self._scored[self.round] += 1
        self._scores[event.data["candidate"]] = event.data["score"]

    def _on_evaluated(self, event: Event) -> None:
        self.stage, self.niche = "measuring", event.niche
        self._turn_to(event.round)
        self._timed[self.round] += 1
        self.evaluations += event.round is None or event.round >= self._first
        costs = event.data.get("costs", [event.data["latency_ms"]])
        if None not in costs:
            self._costs[event.data["candidate"]] = tuple(costs)

    def _turn_to(self, round_: int | None) -> None:
        """Where rounds overlap, the one that is evaluated is not the one that was planned last."""
        if round_ is not None and round_ in self._planned:
            self.round = round_

    def _on_call(self, event: Event) -> None:
        self.calls += 1
        self.tokens += event.data["tokens"]
        dollars = event.data.get("dollars")
        self.dollars += dollars or 0.0
        self.unpriced += dollars is None
        self.niche = event.niche

    def _on_set_aside(self, event: Event) -> None:
        self._aside = frozenset(event.data["candidates"])

    def _on_paused(self, event: Event) -> None:
        self.stage, self.niche = "paused", None
        self._paused_at = self._clock()

    def _on_unpaused(self, event: Event) -> None:
        self.stage = "going on"
        if self._paused_at is not None:  # time paused is not running time
            self._start += self._clock() - self._paused_at
        self._paused_at = None

    def _on_rounds_changed(self, event: Event) -> None:
        self.rounds = event.data["rounds"]

    def _on_budget_changed(self, event: Event) -> None:
        self._minutes = event.data["minutes"]

    def _on_learned(self, event: Event) -> None:
        self.stage, self.niche = "learning", None

    def _on_round_done(self, event: Event) -> None:
        if event.data.get("again"):
            return  # a resumed run may end a round that an earlier process had ended
        self._rounds_done += 1
        self._seconds_then = self.seconds
