"""A search watched until its end, and what it found."""

import os
import sys
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import TYPE_CHECKING, NoReturn

import typer

from pelnas.app.signals import INTERRUPTED

if TYPE_CHECKING:
    from pelnas import Result, Search
    from pelnas.store import Event

STOPPING = "stopping after the step under way; once more stops at once"
FILES = {
    "picture": "front.png",
    "report": "report.html",
    "front": "front.json",
    "table": "front.csv",
}


def follow(search: "Search", as_json: bool) -> None:
    """Watch a search to its end and print what it found."""
    from pelnas.app.progress import Progress
    from pelnas.app.views import view_of

    store = search.session.store
    progress = Progress(store.config, store.spent().seconds)
    for event in store.events():
        progress.update(event)
    try:
        with view_of(progress) as view:
            result, code = heeding_signals(search, view)
    except KeyboardInterrupt:
        leave(search.folder)
    _conclude(result, as_json)
    if result.stopped:
        view.note(f"stopped; go on with: pelnas resume {result.folder}")
        raise typer.Exit(code)


def heeding_signals(
    search: "Search", on_event: "Callable[[Event], None] | None" = None
) -> "tuple[Result, int]":
    """Search until the end or a first signal, and the exit code of a process that this ends.

    KeyboardInterrupt: there was a second one, and the step under way is not finished.
    """
    from pelnas.app.signals import stopped_by_signals

    with stopped_by_signals(search.stop, STOPPING) as received:
        # In a thread of its own, so that signals are heard while a step keeps its thread busy.
        result = ThreadPoolExecutor(1).submit(search.run, on_event).result()
    return result, 128 + received[0] if received else int(result.stopped)


def leave(folder: Path) -> NoReturn:
    """End the process with the step under way unfinished, as a kill would: a run is made for that."""
    print(
        f"pelnas: stopped at once; go on with: pelnas resume {folder}", file=sys.stderr, flush=True
    )
    os._exit(INTERRUPTED)


def _conclude(result: "Result", as_json: bool) -> None:
    """The front, and where to look further."""
    from pelnas.app.output import print_json, say
    from pelnas.app.runs import print_front
    from pelnas.report import summary
    from pelnas.store import RunStore

    with RunStore.read(result.folder) as store:
        if as_json:
            print_json(summary(store) | {"path": str(result.folder)})
            return
        print_front(store)
    say(f"ended: {result.reason or 'stopped before the end'}")
    for kind, name in FILES.items():
        if (result.folder / name).is_file():
            say(f"{kind:9}{result.folder / name}")
