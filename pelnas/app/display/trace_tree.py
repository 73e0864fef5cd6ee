"""The tree of a run in the terminal: what each span is called, and how it went."""

from typing import TYPE_CHECKING

from rich.text import Text
from rich.tree import Tree

from pelnas.app.display.output import counted, stand_in
from pelnas.calls.prices import in_words
from pelnas.traces.text import one_line

if TYPE_CHECKING:
    from pelnas.store import Event, RunStore
    from pelnas.traces.tree import Span

NOTED = (
    "run-forked",
    "fallback",
    "form-chosen",
    "share-set",
    "probe-failed",
    "error",
    "budget",
    "notice",
    "directive",
    "paused",
    "unpaused",
    "run-reopened",
    "priced",
)  # what gets a line of its own
NOTE = 160  # characters of it


class Labels:
    """Spans in words."""

    def __init__(self, store: "RunStore", whole: "Span", alive: bool) -> None:
        self._store = store
        self._alive = alive
        self._niches = store.niches()
        self._problems = {call.id: call.problem for call in store.calls()}
        self._evaluated = {span.id: span.count("evaluated") for span in [whole, *whole.children]}

    def drawn(self, span: "Span") -> Tree:
        """A span with what is within it."""
        drawn = Tree(self._label(span))
        for note in span.notes:
            if note.kind in NOTED:
                drawn.add(_note(note))
        for child in span.children:
            drawn.children.append(self.drawn(child))
        return drawn

    def _label(self, span: "Span") -> Text:
        words = getattr(self, f"_{span.sort}")(span)
        end = self._end(span)
        style = "red" if span.failed else "yellow" if end else ""
        name, *rest = [part for part in words if part]
        again = f"begun {span.times} times" if span.times > 1 and span.sort != "run" else ""
        text = Text(name, style="bold" if span.sort in ("run", "round") else "")
        for part, look in ((_seconds(span), "dim"), *((r, "") for r in rest), (again, "yellow")):
            if part:
                text.append("  " + one_line(part), look)
        return text.append(f"  {one_line(end)}", style) if end else text

    def _end(self, span: "Span") -> str:
        """How it ended, where that is worth a word."""
        if span.outcome == "open":
            return "under way" if self._alive else "broken off"
        if span.sort == "call" and span.outcome != "ok":
            return f"{span.outcome}: {self._problems.get(span.id, '')}"
        if span.outcome == "fallback":
            to = [note.data.get("to") for note in span.notes if note.kind == "fallback"][-1]
            return f"{stand_in(to, span.agent)} stood in"
        return "" if span.outcome == "ok" else span.outcome

    def _run(self, span: "Span") -> tuple[str, ...]:
        spent = self._store.spent()
        counts = (
            f"{spent.evaluations} evaluated, {counted(spent.calls, 'model call')}, {spent.tokens:,} tokens,"
            f" {in_words(spent.dollars, spent.unpriced)}"
        )
        return self._store.name, counts, self._store.reason

    def _round(self, span: "Span") -> tuple[str, ...]:
        data = span.data
        front = f"{data['front']} on the front" if "front" in data else ""
        area = f"hypervolume {data['hypervolume']:.4f}" if data.get("hypervolume") else ""
        return f"round {span.round}", f"{self._evaluated[span.id]} evaluated", front, area

    def _step(self, span: "Span") -> tuple[str, ...]:
        name = span.agent or span.id.split(".")[-1]
        if span.niche is not None:
            label = self._niches[span.niche] if span.niche < len(self._niches) else ""
            name += f", niche {span.niche} ({label})"
        return name, *(line for note in span.notes if (line := _line(note)))

    def _call(self, span: "Span") -> tuple[str, ...]:
        tokens = f"{span.data['tokens']:,} tokens" if "tokens" in span.data else ""
        price = in_words(span.data["dollars"]) if span.data.get("dollars") else ""
        return span.id, str(span.data.get("model", "")), tokens, price

    def _tool(self, span: "Span") -> tuple[str, ...]:
        candidates = int(span.data.get("candidates", 0))
        parts = (str(span.data.get("tool")), counted(candidates, "candidate") if candidates else "")
        return (*parts, "refused") if any(n.kind == "tool-refused" for n in span.notes) else parts


def _line(note: "Event") -> str:
    """What a step brought, in words."""
    data = note.data
    match note.kind:
        case "round-planned":
            shares = (f"niche {share['niche']}: {share['designs']}" for share in data["plan"])
            return ", ".join(shares)
        case "designed":
            return f"{data['accepted']} accepted, {data['refused']} refused"
        case "reflected":
            return f"rules proposed: {len(data['rules'])}"
        case "learned":
            return f"{counted(data['in_force'], 'rule')} in force, {data['retired']} retired"
    return ""


def _note(note: "Event") -> Text:
    data = note.data
    said = data.get("problem") or data.get("message") or data.get("asks") or ""
    named = f"{data['directive']} {data.get('status', '')}".rstrip() if "directive" in data else ""
    text = f"{note.kind} {named}".rstrip() + (f": {one_line(str(said), NOTE)}" if said else "")
    return Text(text, style="yellow")


def _seconds(span: "Span") -> str:
    return "" if span.seconds is None else f"{span.seconds:.2f} s"
