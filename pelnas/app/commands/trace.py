"""``pelnas trace``: what happened in a run, as a tree, as stories, or while it happens."""

import json
import sys
import time
from datetime import datetime
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from pelnas.app import options
from pelnas.errors import InputError
from pelnas.inputs import bounds

if TYPE_CHECKING:
    from pelnas.store import Event, RunStore

PAUSE = 0.2  # seconds between two looks at a run that is followed
AGENTS = ("planner", "designer", "reflection")
FINISHED = "run-finished"
ENDS = (FINISHED, "run-stopped")
LINE = 160  # characters of an event's data


def trace(
    run: options.Run = "last",
    output: options.Output = None,
    agent: Annotated[
        str | None, typer.Option("--agent", help=f"Only this agent: {', '.join(AGENTS)}.")
    ] = None,
    niche: Annotated[
        int | None, options.number(bounds.NICHE, "--niche", "Only this niche.")
    ] = None,
    round_: Annotated[
        int | None, options.number(bounds.ROUND, "--round", "Only this round.")
    ] = None,
    failed: Annotated[bool, typer.Option("--failed", help="Only failures.")] = False,
    call: Annotated[
        str | None, typer.Option("--call", help="Prompt and answer of this model call, in full.")
    ] = None,
    candidate: Annotated[
        str | None, typer.Option("--candidate", help="Where this candidate comes from.")
    ] = None,
    rule: Annotated[
        str | None, typer.Option("--rule", help="Where this rule comes from and led to.")
    ] = None,
    conversations: Annotated[
        bool, typer.Option("--conversations", help="Model calls of conversations about the run.")
    ] = False,
    follow: Annotated[
        bool, typer.Option("--follow", help="Follow events until the run ends.")
    ] = False,
    svg: Annotated[
        Path | None, typer.Option("--svg", help="Write the tree to this image file.")
    ] = None,
    as_json: options.Json = False,
) -> None:
    """Show what happened in a run: rounds, agents, model calls, and where results come from."""
    from pelnas.app.display import trace_text
    from pelnas.store import RunStore, find_run
    from pelnas.traces.lineage import story_of_candidate, story_of_rule

    views = (call, candidate, rule, conversations or None, follow or None, svg)
    _check(agent, as_json and follow, views)
    with RunStore.read(find_run(options.runs_folder(output), run)) as store:
        if follow:
            _follow(store)
        elif call is not None:
            trace_text.tell_call(store, call, as_json)
        elif conversations:
            trace_text.tell_conversations(store, as_json)
        elif candidate is not None:
            trace_text.tell_candidate(story_of_candidate(store, candidate), as_json)
        elif rule is not None:
            trace_text.tell_rule(story_of_rule(store, rule), as_json)
        else:
            wanted = {"agent": agent, "niche": niche, "round_": round_, "failed": failed}
            _show(store, wanted, as_json, svg)


def _check(agent: str | None, as_document: bool, views: tuple[object, ...]) -> None:
    if agent is not None and agent not in AGENTS:
        raise InputError(f"there is no agent {agent[:40]!r}: --agent takes {', '.join(AGENTS)}")
    if sum(view is not None for view in views) > 1:
        raise InputError(
            "--call, --candidate, --rule, --conversations, --follow and --svg exclude each other:"
            " give one"
        )
    if as_document:
        raise InputError(
            "--follow has no end to make one document of: read events.jsonl of the run"
        )


def _follow(store: "RunStore") -> None:
    """Print events as they come, until the run ends or nobody works on it."""
    from pelnas.app.display.output import note, say
    from pelnas.store.folder import in_use

    last = None
    while True:
        alive = in_use(store.folder)  # asked first, so that everything up to then is read below
        for event in store.events(after=last.seq if last else 0):
            say(_line(event))
            last = event
        sys.stdout.flush()
        if last is not None and last.kind in ENDS and (last.kind == FINISHED or not alive):
            return
        if not alive:
            note("nobody works on this run: go on with pelnas resume")
            return
        time.sleep(PAUSE)


def _line(event: "Event") -> str:
    """An event on one line: when, where, what."""
    from pelnas.traces.text import one_line

    moment = datetime.fromtimestamp(event.time).strftime("%H:%M:%S")
    fields = " ".join(f"{name}={_brief(value)}" for name, value in event.data.items())
    return f"{moment}  {event.span:24}  {event.kind:14}  {one_line(fields, LINE)}".rstrip()


def _brief(value: Any) -> str:
    if isinstance(value, float):
        return f"{value:.4g}"
    if isinstance(value, list):
        return f"{len(value)}" if len(value) > 3 else ",".join(map(_brief, value)) or "none"
    return json.dumps(value, ensure_ascii=False) if isinstance(value, dict) else str(value)


def _show(store: "RunStore", wanted: dict[str, Any], as_json: bool, picture: Path | None) -> None:
    from pelnas.app.display.output import console, note, print_json, say
    from pelnas.app.display.svg import as_svg
    from pelnas.app.display.trace_tree import Labels
    from pelnas.store import write_atomically
    from pelnas.store.folder import in_use
    from pelnas.traces.tree import select, tree

    whole = tree(store.events())
    shown = select(whole, **wanted)
    if not shown.children:
        note("nothing in this run is like that")
    drawn = Labels(store, whole, in_use(store.folder)).drawn(shown)
    if picture is not None:
        write_atomically(picture, as_svg(drawn, f"pelnas trace {store.name}"), shared=True)
    if as_json:
        print_json({"run": store.name, "status": store.status, "trace": shown.to_dict()})
    elif picture is not None:
        say(f"picture  {picture}")
    else:
        console().print(drawn)
