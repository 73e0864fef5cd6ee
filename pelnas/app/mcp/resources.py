"""Runs as resources: what a host may read, and attach to a conversation, without a tool.

::

    pelnas://runs                    the list
    pelnas://runs/{run}/status       how it stands
    pelnas://runs/{run}/front.json   the front, by latency
    pelnas://runs/{run}/rules        every rule with its evidence
    pelnas://runs/{run}/trace        its rounds and steps: who did what, how long, with what outcome
    pelnas://runs/{run}/report.html  the report

Texts inside them are data that models and people wrote.
"""

from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any
from urllib.parse import quote

from mcp.server.mcpserver.exceptions import ResourceError
from mcp.types import Completion, Resource, ResourceTemplateReference

from pelnas.app.mcp.failures import told
from pelnas.app.mcp.server import Server
from pelnas.errors import RunError
from pelnas.report import front_json
from pelnas.store import RunStore, list_runs
from pelnas.store.folder import content
from pelnas.tools import answers
from pelnas.tools.runs import run_below
from pelnas.traces.tree import Span, tree

ROOT = "pelnas://runs"
JSON, HTML = "application/json", "text/html"
LISTED = 20  # runs, the newest
COMPLETED = 100  # names at once, as the protocol has it
REPORT = "report.html"
SORTS = ("round", "step")  # of the spans in a trace's summary

View = Callable[[RunStore], Any]


def _status(store: RunStore) -> Any:
    """How the run stands: state, rounds, best finds, spend, directives."""
    return answers.status(store)


def _front(store: RunStore) -> Any:
    """The non-dominated architectures found so far, by latency."""
    return front_json(store)


def _rules(store: RunStore) -> Any:
    """Every rule with its measured effect and what became of it."""
    return answers.rules(store, every=True)


def _trace(store: RunStore) -> Any:
    """Its rounds and steps: which agent, how long, with what outcome, and how many model calls."""
    return [_shortened(span) for span in tree(store.events()).children if span.sort in SORTS]


def _report(store: RunStore) -> Any:
    """The report as a page."""
    page = content(store.folder, REPORT)
    if not page:
        raise RunError(
            f"run {store.name} has no report yet: it is written when the search ends; read its status"
        )
    return page.decode("utf-8", "replace")


VIEWS: dict[str, tuple[View, str]] = {
    "status": (_status, JSON),
    "front.json": (_front, JSON),
    "rules": (_rules, JSON),
    "trace": (_trace, JSON),
    REPORT: (_report, HTML),
}


def add(made: Server, output: Path) -> None:
    """Have a server show the runs directly below a folder."""

    def runs() -> list[dict[str, Any]]:
        """All runs, newest first, with their state."""
        found = list_runs(output)
        return [{"run": r.name, "status": r.status, "reason": r.reason} for r in found]

    made.resource(ROOT, name="runs", mime_type=JSON)(told(runs, ResourceError))
    for name, (view, kind) in VIEWS.items():
        reader = told(_reader(output, view), ResourceError)
        made.resource(f"{ROOT}/{{run}}/{name}", name=name, mime_type=kind)(reader)
    made.of_runs = lambda: list(_listed(output))

    @made.completion()  # type: ignore[no-untyped-call, untyped-decorator] # it has no types
    async def complete(reference: Any, argument: Any, _: Any) -> Completion | None:
        if not isinstance(reference, ResourceTemplateReference) or argument.name != "run":
            return None
        names = [r.name for r in list_runs(output) if r.name.startswith(argument.value)]
        return Completion(values=names[:COMPLETED], total=len(names))


def _reader(output: Path, view: View) -> Callable[[str], Any]:
    def read(run: str) -> Any:
        with RunStore.read(run_below(output, run)) as store:
            return view(store)

    read.__doc__ = view.__doc__
    return read


def _listed(output: Path) -> Iterator[Resource]:
    """What the newest runs have; older ones are read by the templates."""
    for run in list_runs(output)[:LISTED]:
        for name, (view, kind) in VIEWS.items():
            if name != REPORT or (run.folder / REPORT).is_file():
                yield Resource(
                    uri=f"{ROOT}/{quote(run.name, safe='')}/{name}",
                    name=f"{run.name} {name}",
                    description=view.__doc__,
                    mime_type=kind,
                )


def _shortened(span: Span) -> dict[str, Any]:
    """A span with the rounds and steps within it, and of what is deeper a count."""
    calls = [each for each in span.walk() if each.sort == "call"]
    return {
        **{name: getattr(span, name) for name in ("id", "agent", "niche", "seconds", "outcome")},
        "calls": len(calls),
        "failed_calls": sum(call.failed for call in calls),
        "steps": [_shortened(each) for each in span.children if each.sort in SORTS],
    }
