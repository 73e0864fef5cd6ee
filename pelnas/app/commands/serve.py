"""``pelnas serve``: both graphs by LangGraph's own server, for programs of this user only."""

import logging
import os
from importlib.util import find_spec
from pathlib import Path
from typing import Annotated, Any

import typer

from pelnas.app import options
from pelnas.app.socket import LOOPBACK, listen
from pelnas.errors import ConfigError
from pelnas.inputs import bounds
from pelnas.text import install

PORT = 8124
GRAPHS = {"search": "pelnas.graph.serve.graphs:search", "chat": "pelnas.graph.serve.graphs:chat"}
CHECKPOINTER = "pelnas.graph.serve.checkpointer.postgres"
#: As in langgraph.json: the guard, and nothing that neither graph uses. A webhook would let a
#: client send this machine to any address.
HTTP: dict[str, Any] = {
    "app": "pelnas.graph.serve.app:app",
    "disable_store": True,
    "disable_ui": True,
    "disable_mcp": True,
    "disable_webhooks": True,
}
AT_ONCE = 8  # runs that are worked on at the same time; the others wait


def serve(
    output: options.Output = None,
    port: Annotated[int, options.number(bounds.PORT, "--port", "0: any that is free.")] = PORT,
    no_token: Annotated[
        bool, typer.Option("--no-token", help="Let any program on this machine ask.")
    ] = False,
) -> None:
    """Serve the search and the conversation to LangGraph clients on this machine."""
    if find_spec("langgraph_api") is None:
        raise ConfigError(f"expected LangGraph's server, found none: {install('serve')}")
    from pelnas.app.display.output import say

    checkpointer = _checkpointer()
    message = _token(no_token)
    with listen(port) as taken:  # else the server would quietly take another port
        port = int(taken.getsockname()[1])
    say(f"http://{LOOPBACK}:{port}\n{message}", errors=True)
    _run(options.runs_folder(output), port, checkpointer)


def _token(none: bool) -> str:
    """Put the token where the guard reads it, and say how it is sent."""
    from pelnas.graph.serve.policy import TOKEN
    from pelnas.guard import chosen_token, new_token

    if none:
        os.environ.pop(TOKEN, None)
        return "no token is asked for"
    if chosen_token(TOKEN) is not None:
        return f"Authorization: Bearer, with the token of {TOKEN}"
    os.environ[TOKEN] = new_token()
    return f"Authorization: Bearer {os.environ[TOKEN]}"


def _checkpointer() -> dict[str, str] | None:
    """What LangGraph's server is told of the database for threads; ``None``: they stay in memory."""
    import asyncio

    from pelnas.graph.serve.checkpointer import address, check

    if address() is None:
        return None
    asyncio.run(check())
    return {"path": CHECKPOINTER}


def _run(output: Path, port: int, checkpointer: dict[str, str] | None) -> None:
    from langgraph_api.cli import run_server

    from pelnas.graph.serve.policy import RUNS

    os.environ[RUNS] = str(output.resolve())
    os.environ["LANGGRAPH_NO_VERSION_CHECK"] = "true"  # it would ask an index on the internet
    os.environ.setdefault("LOG_LEVEL", "WARNING")
    logging.getLogger("langgraph_api.cli").setLevel(logging.WARNING)  # its welcome is another's
    run_server(
        host=LOOPBACK,
        port=port,
        graphs=GRAPHS,
        http=HTTP,
        checkpointer=checkpointer,
        n_jobs_per_worker=AT_ONCE,
        # Threads would be kept below the working directory as pickles, which run what they
        # hold when they are read: by whoever starts a server in a folder of somebody else.
        disable_persistence=True,
    )
