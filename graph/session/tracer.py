"""What the nodes do, as events: spans with their parents, durations and outcomes."""

import json
import time
from collections.abc import Iterable, Iterator, Mapping
from contextlib import contextmanager
from contextvars import ContextVar
from dataclasses import dataclass
from threading import Lock
from typing import Any

from pelnas.calls.call import CallRecord
from pelnas.errors import PelnasError, Stopped
from pelnas.rules.rule import Rule
from pelnas.store import Event, RunStore
from pelnas.traces.otel import export
from pelnas.traces.spans import INHERIT, REPORT, RUN, round_span, step_span

_MAY_DIFFER = ("seconds", "again")  # what may differ when the same work is done again


class SearchStopped(Stopped):
    """The search noticed between two pieces of work."""


@dataclass(frozen=True)
class Place:
    """The span that a thread works in. ``earlier``: the events of its earlier executions."""

    span: str = RUN
    parent: str = ""
    round: int | None = None
    agent: str = ""
    niche: int | None = None
    earlier: frozenset[str] = frozenset()

    def where(self) -> dict[str, Any]:
        """The columns of an event that happens here."""
        return {
            "span": self.span,
            "parent": self.parent,
            "round": self.round,
            "agent": self.agent,
            "niche": self.niche,
        }


_NOWHERE = Place()  # the run as a whole
_HERE: ContextVar[Place] = ContextVar("place", default=_NOWHERE)  # of the thread at work


def span_here() -> str:
    """The span that this thread works in."""
    return _HERE.get().span


class Tracer:
    """Writes the events of one process's work on a run; may be used from several threads.

    Spans that an earlier process had begun and that are worked on again after
    a kill begin and end a second time, with ``again`` in their data; what
    happens within them is reported once.
    """

    def __init__(self, store: RunStore) -> None:
        self._store = store
        self._earlier = store.kinds_and_spans()
        self._begun: dict[str, float] = {}  # rounds of this process
        self._lock = Lock()
        self._stop_export = export(store)

    def close(self) -> None:
        """Send what is to be exported; a second call does nothing."""
        self._stop_export()

    def event(self, kind: str, **data: Any) -> None:
        """Something happens here; ``round``, ``agent`` and ``niche`` are this place's unless given."""
        here = _HERE.get()
        values = here.where() | data
        if not here.earlier or _fingerprint(kind, values) not in here.earlier:
            self._store.event(kind, **values)

    def run_begins(self) -> None:
        """A process starts to work on the run, the first one or another."""
        resumed = ("run-started", RUN) in self._earlier
        self.bound("run-resumed" if resumed else "run-started", _NOWHERE, name=self._store.name)

    def bound(self, kind: str, place: Place, **data: Any) -> None:
        """A span begins or ends."""
        if (kind, place.span) in self._earlier:
            data["again"] = True
        self._store.event(kind, **place.where(), **data)

    @contextmanager
    def step(self, name: str, round_: int, agent: str, niche: int | None) -> Iterator[None]:
        """A node at work in a round."""
        self._begin_round(round_)
        span = step_span(name, round_, niche)
        with self._work("step", self._place(span, round_span(round_), round_, agent, niche)):
            yield

    @contextmanager
    def inheriting(self) -> Iterator[None]:
        """The node before the first round of a fork, which belongs to none."""
        with self._work("step", self._place(INHERIT, RUN)):
            yield

    @contextmanager
    def reporting(self) -> Iterator[None]:
        """The last node, which belongs to no round."""
        with self._work("step", self._place(REPORT, RUN)):
            yield

    @contextmanager
    def tool(self, name: str, tool: str, count: int) -> Iterator[None]:
        """A tool at work on so many candidates, within the step."""
        here = _HERE.get()
        place = self._place(f"{here.span}.{name}", here.span, here.round)
        with self._work("tool", place, tool=tool, candidates=count):
            yield

    def call_begins(self, call: CallRecord) -> None:
        """A request is about to be sent."""
        self.bound("call-begun", _call_place(call), call=call.id, model=call.model)

    def call_ends(self, call: CallRecord) -> None:
        """A request has been answered, or has failed."""
        self.bound(
            "call",
            _call_place(call),
            call=call.id,
            model=call.model,
            tokens=call.usage.tokens,
            dollars=call.usage.price,
            seconds=call.usage.seconds,
            outcome=call.outcome,
        )

    def round_ends(self, kind: str, round_: int, **data: Any) -> None:
        """``round-done``, or ``round-cut`` for one that the end of the run cuts short."""
        now = time.perf_counter()
        with self._lock:
            seconds = now - self._begun.get(round_span(round_), now)
        self.bound(kind, Place(round_span(round_), RUN, round_), seconds=seconds, **data)

    def is_open(self, round_: int) -> bool:
        """Whether a round has begun and not ended, in this process or in earlier ones."""
        span = round_span(round_)
        begun = span in self._begun or ("round-begun", span) in self._earlier
        return begun and ("round-done", span) not in self._earlier

    def _begin_round(self, round_: int) -> None:
        span = round_span(round_)
        with self._lock:
            if span in self._begun:
                return
            self._begun[span] = time.perf_counter()
            self.bound("round-begun", Place(span, RUN, round_))

    def _place(
        self,
        span: str,
        parent: str,
        round_: int | None = None,
        agent: str = "",
        niche: int | None = None,
    ) -> Place:
        known: frozenset[str] = frozenset()
        if any(earlier == span for _, earlier in self._earlier):
            known = frozenset(_fingerprint_of(event) for event in self._store.events_of(span))
        return Place(span, parent, round_, agent, niche, known)

    @contextmanager
    def _work(self, kind: str, place: Place, **data: Any) -> Iterator[None]:
        self.bound(f"{kind}-begun", place, **data)
        before, started, outcome = _HERE.set(place), time.perf_counter(), "ok"
        try:
            yield
        except (Stopped, KeyboardInterrupt):
            outcome = "stopped"
            raise
        except Exception as error:
            outcome = "error"
            self.event("error", problem=_sentence(error))
            raise
        finally:
            _HERE.reset(before)
            seconds = time.perf_counter() - started
            self.bound(f"{kind}-ended", place, seconds=seconds, outcome=outcome, **data)


def rule_changes(
    before: Iterable[Rule], after: Iterable[Rule]
) -> Iterator[tuple[str, dict[str, Any]]]:
    """Kind and data of an event for every rule that is new or has another verdict."""
    old = {rule.id: rule.status for rule in before}
    for rule in after:
        verdict = old.get(rule.id)
        if verdict == rule.status:
            continue
        kind = "rule-retired" if rule.status == "retired" else "rule-changed"
        yield (
            "rule-born" if verdict is None else kind,
            {
                "rule": rule.id,
                "niche": rule.scope.niche,
                "author": rule.author,
                "old": verdict or "",
                "new": rule.status,
                "measured": rule.measured,
                "error": rule.error,
                "reason": rule.reason,
            },
        )


def _call_place(call: CallRecord) -> Place:
    return Place(call.id, _HERE.get().span, call.round, call.agent, call.niche)


def _sentence(error: Exception) -> str:
    """What went wrong. The words of errors that are not ours may hold anything: only their kind."""
    return str(error) if isinstance(error, PelnasError) else type(error).__name__


def _fingerprint(kind: str, values: Mapping[str, Any]) -> str:
    kept = {name: value for name, value in values.items() if name not in _MAY_DIFFER}
    return json.dumps([kind, kept], sort_keys=True)


def _fingerprint_of(event: Event) -> str:
    place = Place(event.span, event.parent, event.round, event.agent, event.niche).where()
    return _fingerprint(event.kind, place | dict(event.data))
