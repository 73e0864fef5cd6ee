"""What a run may spend and has spent: calls, tokens, dollars, minutes, evaluations.

The meter decides before something is spent, not after: a call is reserved
before it is made, so that designers who ask at the same moment share what is left.
"""

import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass, replace
from threading import Condition
from typing import Protocol, Self

from pelnas.calls.usage import Usage
from pelnas.config import Budget
from pelnas.errors import BudgetExhausted

BOOKED = 0.1  # seconds that are worth a write: steps that look costs up take a few ms each
WARN_FROM = 0.8  # share of a budget from which a person is warned


@dataclass(frozen=True, slots=True)
class Spent:
    """What a run has used over all its resumes.

    ``calls`` and ``tokens``: of language models only; the built-in designer is free.
    ``seconds``: wall time while running. ``evaluations``: candidates scored.
    ``dollars``: of calls whose price is known; ``unpriced``: how many have another.
    """

    calls: int = 0
    tokens: int = 0
    seconds: float = 0.0
    evaluations: int = 0
    dollars: float = 0.0
    unpriced: int = 0

    def with_call(self, usage: Usage) -> Self:
        """The same, and a call more."""
        return replace(
            self,
            calls=self.calls + 1,
            tokens=self.tokens + usage.tokens,
            dollars=self.dollars + usage.dollars,
            unpriced=self.unpriced + usage.unpriced,
        )


class Ledger(Protocol):
    """Where spending is kept: the run's store."""

    def spent(self) -> Spent:
        """Everything spent so far, by this process and by earlier ones."""

    def add_seconds(self, seconds: float) -> None:
        """Add running time."""


@dataclass(frozen=True, slots=True)
class Line:
    """One budget: what it is called, its limit and what is used of it."""

    name: str
    limit: float
    used: float

    def __str__(self) -> str:
        return f"{self.used:.10g} of {self.limit:.10g} {self.name}"


class Meter:
    """Holds a run to its budget; safe to use from several threads.

    ``ledger`` is read once for what earlier processes spent; calls, tokens, dollars and
    seconds of this process are counted here.
    ``clock``: seconds that never go back.
    """

    def __init__(
        self, budget: Budget, ledger: Ledger, clock: Callable[[], float] = time.monotonic
    ) -> None:
        self._budget = budget
        self._ledger = ledger
        self._clock = clock
        self._ticked = clock()
        self._turn = Condition()
        self._spent = ledger.spent()
        self._in_flight = 0
        self._largest = 0  # tokens of the largest call so far: what the next one may take
        self._most_expensive = 0.0  # dollars of the most expensive one

    def before_call(self) -> None:
        """Reserve one call; every reservation ends with ``after_call``, also when the call fails.

        Never lets more calls through than the limit. Under a limit of tokens or
        dollars a call waits while those in flight might, at the size of the largest
        call so far, use up what is left: the limit is passed by one call at most.
        BudgetExhausted: calls, tokens, dollars or minutes are spent.
        """
        with self._turn:
            while True:
                self._refuse_if_spent()
                if self._fits():
                    self._in_flight += 1
                    return
                self._turn.wait()

    def after_call(self, usage: Usage) -> None:
        """Settle a reserved call, which took nothing where nothing was answered."""
        with self._turn:
            self._in_flight -= 1
            self._spent = self._spent.with_call(usage)
            self._largest = max(self._largest, usage.tokens)
            self._most_expensive = max(self._most_expensive, usage.dollars)
            self._turn.notify_all()

    def allow_evaluations(self, wanted: int) -> int:
        """How many of ``wanted`` candidates may still be scored, counting what the store holds."""
        limit = self._budget.evaluations
        if limit is None:
            return wanted
        return max(0, min(wanted, limit - self._ledger.spent().evaluations))

    def tick(self) -> None:
        """Write the running time since the last tick into the ledger.

        Called between steps and at the end. Times below ``BOOKED`` are left for a later tick, so
        that a killed run forgets as much more than one step's time.
        """
        with self._turn:
            now = self._clock()
            elapsed = now - self._ticked
            if elapsed < BOOKED:
                return
            self._ticked = now
            self._spent = replace(self._spent, seconds=self._spent.seconds + elapsed)
        self._ledger.add_seconds(elapsed)

    def forget(self) -> None:
        """Let the time since the last tick go unbooked: the search was paused."""
        with self._turn:
            self._ticked = self._clock()

    def change(self, budget: Budget) -> None:
        """Hold the run to another budget from now on; what is spent stays spent."""
        with self._turn:
            self._budget = budget
            self._turn.notify_all()

    def exhausted(self) -> str:
        """Why the run must end, as a sentence; empty while every budget has something left."""
        return _sentence(self.used_up())

    def used_up(self) -> list[Line]:
        """The budgets of which nothing is left."""
        with self._turn:
            return [line for line in self._lines() if line.used >= line.limit]

    def warnings(self) -> list[str]:
        """A sentence for every budget of which at least 80 % but not all is used."""
        with self._turn:
            lines = list(self._lines())
        return [
            f"{line} used ({line.used / line.limit:.0%})"
            for line in lines
            if WARN_FROM * line.limit <= line.used < line.limit
        ]

    def minutes_left(self) -> float | None:
        """Minutes until the limit of time, at least 0; ``None`` without a limit."""
        if self._budget.minutes is None:
            return None
        return max(0.0, self._budget.minutes - self._minutes())

    def _lines(self) -> Iterator[Line]:
        budget = self._budget
        used: dict[str, Callable[[], float]] = {
            "calls": lambda: self._spent.calls + self._in_flight,
            "tokens": lambda: self._spent.tokens,
            "dollars": lambda: self._spent.dollars,
            "minutes": self._minutes,
            "evaluations": lambda: self._ledger.spent().evaluations,
        }
        for name, count in used.items():
            limit = getattr(budget, name)
            if limit is not None:
                yield Line(name, limit, count())

    def _refuse_if_spent(self) -> None:
        spent = [
            line for line in self._lines() if line.name != "evaluations" and line.used >= line.limit
        ]
        if spent:
            raise BudgetExhausted(_sentence(spent))

    def _fits(self) -> bool:
        if self._in_flight == 0:
            return True
        return all(
            limit is None or (largest > 0 and used + (self._in_flight + 1) * largest <= limit)
            for limit, used, largest in (
                (self._budget.tokens, self._spent.tokens, self._largest),
                (self._budget.dollars, self._spent.dollars, self._most_expensive),
            )
        )

    def _minutes(self) -> float:
        return (self._spent.seconds + self._clock() - self._ticked) / 60


def _sentence(spent: list[Line]) -> str:
    if not spent:
        return ""
    what = " and ".join(map(str, spent))
    names = " and ".join(line.name for line in spent)
    return f"the budget of {names} is spent ({what}): give a larger one to go on"
