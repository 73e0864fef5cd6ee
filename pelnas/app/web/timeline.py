"""Who worked when: the tree of spans, as one line a round and as the waterfall of a round."""

from collections.abc import Iterator
from typing import Any

from pelnas.errors import RunError
from pelnas.traces.tree import Span

NOTED = (
    "fallback",
    "form-chosen",
    "share-set",
    "probe-failed",
    "budget",
    "error",
    "directive",
    "paused",
    "unpaused",
)


def rounds(root: Span) -> list[dict[str, Any]]:
    """Each round with its times, calls, tokens and calls that went wrong."""
    return [_summary(span) for span in root.children if span.sort == "round"]


def waterfall(root: Span, round_: int) -> dict[str, Any]:
    """The spans of a round, each before those within it, and what was noted. RunError: no such round."""
    for span in root.children:
        if span.sort == "round" and span.round == round_:
            return {
                "round": round_,
                "began": span.began,
                "ended": span.ended,
                "spans": [_line(inner, depth) for inner, depth in _walk(span, 0) if depth],
                "notes": [
                    {
                        "kind": note.kind,
                        "agent": note.agent,
                        "niche": note.niche,
                        "text": _text(note.data),
                    }
                    for inner in span.walk()
                    for note in inner.notes
                    if note.kind in NOTED
                ],
            }
    raise RunError(f"round {round_ + 1} has not begun: see the list of rounds")


def _summary(span: Span) -> dict[str, Any]:
    calls = [inner for inner in span.walk() if inner.sort == "call"]
    return {
        "round": span.round,
        "began": span.began,
        "ended": span.ended,
        "calls": len(calls),
        "tokens": sum(call.data.get("tokens", 0) for call in calls),
        "failed": sum(call.failed for call in calls),
    }


def _walk(span: Span, depth: int) -> Iterator[tuple[Span, int]]:
    yield span, depth
    for child in span.children:
        yield from _walk(child, depth + 1)


def _line(span: Span, depth: int) -> dict[str, Any]:
    return {
        "span": span.id,
        "sort": span.sort,
        "depth": depth,
        "agent": span.agent,
        "niche": span.niche,
        "began": span.began,
        "ended": span.ended,
        "outcome": span.outcome,
        "problem": span.data.get("problem", ""),
        "call": span.data.get("call", "") if span.sort == "call" else "",
        "by": span.data.get("model", span.data.get("tool", "")),
        "tokens": span.data.get("tokens", 0),
    }


def _text(data: dict[str, Any] | Any) -> str:
    return str(data.get("problem") or data.get("message") or data.get("asks") or "")
