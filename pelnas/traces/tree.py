"""The events of a run as a tree of spans: run, rounds, steps, calls and tools."""

from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field
from typing import Any

from pelnas.store import Event
from pelnas.traces.spans import CLOSING, OPENING, RUN

OPEN = "open"  # has begun and not ended: under way, or cut off by a kill
FAILURES = ("invalid", "failed", "error", "fallback")


@dataclass
class Span:
    """A piece of work.

    ``sort``: ``run``, ``round``, ``step``, ``call`` or ``tool``. ``began``,
    ``ended``: seconds since 1970, of the last time that it was done; ``times``:
    how often it was begun, more than once after a kill. ``outcome``: ``ok``,
    ``fallback`` (another agent stood in), ``error``, ``stopped`` or ``open``;
    of calls ``ok``, ``invalid`` or ``failed``; of rounds also ``cut``. ``data``:
    the data of its end events; ``notes``: what happened in it, oldest first.
    """

    id: str
    parent: str
    sort: str
    round: int | None = None
    agent: str = ""
    niche: int | None = None
    began: float | None = None
    ended: float | None = None
    seconds: float | None = None
    outcome: str = OPEN
    times: int = 0
    data: dict[str, Any] = field(default_factory=dict)
    notes: list[Event] = field(default_factory=list)
    children: list["Span"] = field(default_factory=list)

    @property
    def failed(self) -> bool:
        """Whether something went wrong right here."""
        return self.outcome in FAILURES

    def walk(self) -> Iterator["Span"]:
        """This span and everything within it, depth first."""
        yield self
        for child in self.children:
            yield from child.walk()

    def count(self, kind: str) -> int:
        """How often something happened in it or within it."""
        return sum(note.kind == kind for span in self.walk() for note in span.notes)

    def to_dict(self) -> dict[str, Any]:
        """Plain values, with the spans within it."""
        named = ("id", "sort", "round", "agent", "niche", "began", "ended", "seconds", "outcome")
        return {
            **{name: getattr(self, name) for name in named},
            "times": self.times,
            "data": self.data,
            "events": [
                {"seq": note.seq, "time": note.time, "kind": note.kind, "data": dict(note.data)}
                for note in self.notes
            ],
            "spans": [child.to_dict() for child in self.children],
        }


def tree(events: Iterable[Event]) -> Span:
    """The run with everything within it. Events of an unknown span belong to the run."""
    spans = {RUN: Span(RUN, "", "run")}
    for event in events:
        if event.kind in OPENING:
            _begin(spans, event)
        elif event.kind in CLOSING:
            _end(spans, event)
        else:
            span = spans.get(event.span, spans[RUN])
            span.notes.append(event)
            if event.kind == "fallback":
                span.data["fallback"] = True
    for span in spans.values():
        if span.data.pop("fallback", False) and span.outcome == "ok":
            span.outcome = "fallback"
    return spans[RUN]


def select(
    root: Span,
    *,
    agent: str | None = None,
    niche: int | None = None,
    round_: int | None = None,
    failed: bool = False,
) -> Span:
    """The tree without the branches in which no span is of this agent, niche and round, or failed."""

    def wanted(span: Span) -> bool:
        return (
            (agent is None or span.agent == agent)
            and (niche is None or span.niche == niche)
            and (round_ is None or span.round == round_)
            and (not failed or span.failed)
        )

    def pruned(span: Span) -> Span:
        kept = [pruned(child) for child in span.children if any(map(wanted, child.walk()))]
        return Span(**(vars(span) | {"children": kept}))

    return pruned(root)


def _begin(spans: dict[str, Span], event: Event) -> None:
    span = _span(spans, event, OPENING[event.kind])
    span.times += 1
    span.began, span.ended = event.time, None
    span.outcome = OPEN
    span.data |= event.data


def _end(spans: dict[str, Span], event: Event) -> None:
    span = _span(spans, event, CLOSING[event.kind])
    span.ended = event.time
    span.data |= event.data
    began = event.time if span.began is None else span.began
    span.seconds = event.data.get("seconds", event.time - began)
    ends = {"run-stopped": "stopped", "round-cut": "cut"}
    span.outcome = event.data.get("outcome", ends.get(event.kind, "ok"))


def _span(spans: dict[str, Span], event: Event, sort: str) -> Span:
    if event.span not in spans:
        span = Span(event.span, event.parent, sort, event.round, event.agent, event.niche)
        spans[event.span] = span
        spans.get(event.parent, spans[RUN]).children.append(span)
    return spans[event.span]
