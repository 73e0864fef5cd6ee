"""``pelnas mcp``: the questions to a run, and steering, as tools for any MCP host."""

from pathlib import Path
from typing import Annotated, Any

import typer

from pelnas.app import options
from pelnas.app.mcp import Steering
from pelnas.inputs import bounds

PORT = 8765
AT_MOST = 3  # searches that a server starts


@options.takes(
    *options.BUDGETS,
    texts={
        "max_calls": "Language-model calls of a started search at most.",
        "max_tokens": "Tokens of a started search at most, in and out.",
        "max_dollars": "Dollars of a started search at most; every price must be known.",
        "max_minutes": "Minutes of a started search at most.",
        "max_evaluations": "Networks scored in a started search at most. Default: 600.",
    },
)
def mcp(
    *,
    output: options.Output = None,
    http: Annotated[
        bool,
        typer.Option("--http", help="Streamable HTTP on this machine, not standard input."),
    ] = False,
    port: Annotated[
        int, options.number(bounds.PORT, "--port", "Of --http; 0: any that is free.")
    ] = PORT,
    no_token: Annotated[
        bool,
        typer.Option("--no-token", help="Let any program on this machine ask and steer by --http."),
    ] = False,
    steer: Annotated[
        Steering,
        typer.Option(
            "--steer",
            help="Orders of a model: ask a person first, off, or trust them.",
        ),
    ] = "ask",
    searches: Annotated[
        Steering,
        typer.Option(
            "--searches",
            help="Searches that a model starts: ask a person first, off, or trust them.",
        ),
    ] = "off",
    search_model: Annotated[
        list[str] | None,
        typer.Option(
            "--search-model",
            help="A model that started searches may use, or a pattern such as openai:*; repeatable.",
        ),
    ] = None,
    search_settings: Annotated[
        Path | None,
        typer.Option("--search-settings", help="TOML file of settings of every started search."),
    ] = None,
    max_searches: Annotated[
        int, options.number(bounds.SEARCHES, "--max-searches", "Searches started at most.")
    ] = AT_MOST,
    given: dict[str, Any],
) -> None:
    """Serve the runs here as tools to an MCP host: over standard input and output, or by HTTP."""
    folder = options.runs_folder(output)
    from pelnas.app.mcp.searches import Allowed

    budget = given.get("budget", {})
    allowed = Allowed.of(searches, search_model or [], search_settings, budget, max_searches)
    if not http:
        from pelnas.app.mcp.tools import server

        server(folder, steer, allowed).run("stdio")
        return
    from pelnas.app.display.output import say
    from pelnas.app.mcp.http import Host, token_of

    token, notice = (None, "no token is asked for") if no_token else token_of()
    host = Host(folder, port, token, steer, allowed)
    say(f"{host.address}\n{notice}", errors=True)
    host.serve()
