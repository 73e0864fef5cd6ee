"""Searches as tools: what one would cost, its start after a person's yes, its progress, its end.

Where the host can show a question to its person (elicitation), a start is confirmed there. Else
the first call starts nothing and answers what would be started, with a code that the second call
has to bring: whoever approves the calls of the host's model sees what they approve.
"""

import time
from collections.abc import Callable
from functools import partial
from pathlib import Path
from typing import Annotated, Any

import anyio
import anyio.to_thread
from mcp.server.elicitation import AcceptedElicitation, ElicitationResult
from mcp.server.mcpserver import Context
from mcp.server.mcpserver.resolve import Elicit, Resolve
from pydantic import BaseModel, BeforeValidator, Field, WithJsonSchema

from pelnas.app.mcp.arguments import NEWEST, Run
from pelnas.app.mcp.failures import told
from pelnas.app.mcp.orders import AUTHOR, can_ask
from pelnas.app.mcp.searches import Searches, schema
from pelnas.errors import InputError
from pelnas.graph.session.steering_client import SteeringClient
from pelnas.store import RunStore
from pelnas.store.folder import in_use
from pelnas.tools import answers
from pelnas.tools.runs import run_below

LONGEST = 300.0  # seconds that one call follows a search
PAUSE = 0.5  # seconds between two looks

Settings = Annotated[
    dict[str, Any],
    BeforeValidator(lambda value: {} if value is None else value),
    WithJsonSchema(schema() | {"description": "Options of `pelnas search`; none: its defaults."}),
]
Seconds = Annotated[
    float,
    BeforeValidator(lambda value: 30.0 if value is None else value),
    Field(ge=0, le=LONGEST, description="How long to wait for the end."),
]
Tool = Callable[..., Any]


class Start(BaseModel):
    """What a person says to a search that a model asks for."""

    start: bool = Field(title="Start this search", description="Yes: it is started.")


def estimating(searches: Searches) -> Tool:
    """The tool that says what a search would cost."""

    def estimate_search(settings: Settings = {}) -> dict[str, Any]:  # noqa: B006 - never changed
        """What a search would cost before anything starts: evaluations, calls, tokens, dollars, minutes.

        ``limits`` end it at the latest. Settings that the owner of this server does not allow
        are refused.
        """
        return searches.estimate(settings)

    return estimate_search


def asking(searches: Searches) -> Tool:
    """The tool that starts a search only after a person's yes."""

    def question(settings: dict[str, Any], context: Context[Any, Any]) -> Elicit[Start] | None:
        """What a person is asked; ``None``: this host cannot ask one."""
        if not can_ask(context):
            return None
        return Elicit(f"The model asks to start {searches.summary(settings)}. Start it?", Start)

    def start_search(
        answer: Annotated[ElicitationResult[Start], Resolve(told(question))],
        settings: Settings = {},  # noqa: B006 - never changed
        confirm: str = "",
    ) -> dict[str, Any]:
        """Ask to start a search, see estimate_search; follow_search watches it.

        The person is asked for a yes. Where this host cannot ask one, nothing starts at first:
        show the person what ``would_start`` says, and call again with the same settings and
        ``confirm`` once they agree.
        """
        data = answer.data if isinstance(answer, AcceptedElicitation) else Start(start=False)
        if data is None and not confirm:  # nobody could be asked
            summary = searches.summary(settings)
            return {"run": None, "would_start": summary, "confirm": searches.code(settings)}
        if data is None:
            searches.confirmed(confirm, settings)
        elif not data.start:
            return {"run": None, "refused": "the person did not say yes"}
        return {"run": searches.start(settings)}

    return start_search


def trusting(searches: Searches) -> Tool:
    """The tool that starts a search at once: the owner of the server has said so."""

    def start_search(settings: Settings = {}) -> dict[str, Any]:  # noqa: B006 - never changed
        """Start a search, see estimate_search; follow_search watches it."""
        return {"run": searches.start(settings)}

    return start_search


def stopping(output: Path, searches: Searches) -> Tool:
    """The tool that stops what this server started."""

    def stop_search(run: str) -> dict[str, Any]:
        """Have a search that this server started finish its round and end with its report."""
        folder = run_below(output, run)
        if run == NEWEST or not searches.started_here(folder.name):
            raise InputError(
                f"expected the full name of a search that this server started, found {run[:80]!r}:"
                " ask to steer another one by /stop"
            )
        with SteeringClient.open(folder) as client:
            return {"given": client.give("/stop", AUTHOR).id}

    return stop_search


def following(output: Path) -> Tool:
    """The tool that watches a search; hosts that ask for progress are told of every step of it."""

    async def follow_search(
        context: Context[Any, Any], run: Run = NEWEST, seconds: Seconds = 30.0
    ) -> dict[str, Any]:
        """Watch a run until it ends or some seconds have passed, and say how it stands then.

        ``ended``: whether nobody works on it any more.
        """
        folder = await anyio.to_thread.run_sync(partial(run_below, output, run))
        until, before = time.monotonic() + seconds, -1
        while True:
            done, total, message, ended = await anyio.to_thread.run_sync(partial(_stand, folder))
            if done > before:
                await context.report_progress(done, total, message)
                before = done
            if ended or time.monotonic() >= until:
                return await anyio.to_thread.run_sync(partial(_status, folder, ended))
            await anyio.sleep(PAUSE)

    return follow_search


def _stand(folder: Path) -> tuple[int, int | None, str, bool]:
    """Evaluations so far, the most there may be if known, both in words, and whether it has ended."""
    alive = in_use(folder)  # asked first, so that everything up to then is read below
    with RunStore.read(folder) as store:
        spent, (rounds, _) = store.spent(), store.designed()
        config = store.config
    message = f"round {rounds} of {config.rounds}, {spent.evaluations} networks evaluated"
    return spent.evaluations, config.budget.evaluations, message, not alive


def _status(folder: Path, ended: bool) -> dict[str, Any]:
    with RunStore.read(folder) as store:
        return {**answers.status(store), "ended": ended}
