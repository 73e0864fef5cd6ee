"""A search watched until its end, and what it found."""

import os
from collections.abc import Callable
from concurrent.futures import Future, ThreadPoolExecutor
from contextlib import nullcontext
from pathlib import Path
from typing import TYPE_CHECKING, NoReturn

import typer

from pelnas.app.signals import INTERRUPTED

if TYPE_CHECKING:
    from pelnas import Result, Search
    from pelnas.app.display.progress_view import View
    from pelnas.store import Event

STOPPING = "stopping after the step under way; once more stops at once"
FILES = {
    "picture": "front.png",
    "report": "report.html",
    "front": "front.json",
    "table": "front.csv",
}


def follow(search: "Search", as_json: bool, chat: bool = False) -> None:
    """Watch a search to its end and print what it found. ``chat``: talk to it until the person leaves."""
    from pelnas.app.display.progress import Progress
    from pelnas.app.display.progress_view import view_of

    store = search.session.store
    progress = Progress(store.config, store.spent().seconds)
    for event in store.events():
        progress.update(event)
    view = view_of(progress)
    try:
        if chat:
            result, code = _talking(search, view)
        else:
            with view:
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
    return _ended(search, lambda: _begun(search, on_event))


def _begun(search: "Search", on_event: "Callable[[Event], None] | None") -> "Future[Result]":
    """In a thread of its own, so that signals are heard while a step keeps its thread busy."""
    return ThreadPoolExecutor(1).submit(search.run, on_event)


def _ended(search: "Search", begin: "Callable[[], Future[Result]]") -> "tuple[Result, int]":
    """``begin``: called when signals are heard, so that none comes before."""
    from pelnas.app.signals import stopped_by_signals
    from pelnas.pool.base import result_of

    with stopped_by_signals(search.stop, STOPPING) as received:
        result = result_of(begin())
    return result, 128 + received[0] if received else int(result.stopped)


def leave(folder: Path) -> NoReturn:
    """End the process with the step under way unfinished, as a kill would: a run is made for that."""
    from pelnas.app.display.output import note

    note(f"stopped at once; go on with: pelnas resume {folder}")
    os._exit(INTERRUPTED)


def _talking(search: "Search", view: "View") -> "tuple[Result, int]":
    """A conversation beside the search, then its view; Ctrl-C in it stops the search.

    A failure of the conversation ends the conversation alone.
    """
    shown = False

    def on_event(event: "Event") -> None:
        (view if shown else view.progress.update)(event)

    running = _begun(search, on_event)
    left = False
    try:
        failure = _converse(search)
        left = True
        if failure:
            view.note(f"the conversation has ended, the search goes on: {failure}")
    except KeyboardInterrupt:
        view.note(STOPPING)
    finally:
        if not left:  # nobody would watch it any more
            search.stop()
    shown = not running.done()
    with view if shown else nullcontext():
        result, code = _ended(search, lambda: running)
    return result, max(code, 0 if left else INTERRUPTED)


def _converse(search: "Search") -> str:
    """As ``pelnas chat``, with the search's own model as the reader of natural language, within its limits.

    '' when the person leaves, or why the conversation could not go on.
    """
    from pelnas.app.commands.chat import converse
    from pelnas.app.user import user
    from pelnas.config import Budget
    from pelnas.graph.chat.boundary import in_words, keep, surviving

    config, folder = search.session.config, search.folder.resolve()
    limits = Budget(tokens=config.budget.tokens, dollars=config.budget.dollars)

    def conversing() -> str:
        converse(folder, user(), config.model, config.base_url, limits)
        return ""

    def failed(error: Exception) -> str:
        keep(folder, "t0", "", "", error)
        return in_words(error)

    return surviving(conversing, failed)


def _conclude(result: "Result", as_json: bool) -> None:
    """The front, and where to look further."""
    from pelnas.app.commands.runs import print_front
    from pelnas.app.display.output import print_json, say
    from pelnas.report import summary
    from pelnas.report.knowledge import carried
    from pelnas.store import RunStore

    with RunStore.read(result.folder) as store:
        if as_json:
            print_json(summary(store) | {"path": str(result.folder)})
            return
        print_front(store)
        known = carried(store)
    if known is not None:
        say(known.said)
    say(f"ended: {result.reason or 'stopped before the end'}")
    for kind, name in FILES.items():
        if (result.folder / name).is_file():
            say(f"{kind:9}{result.folder / name}")
