"""``pelnas mcp``: the questions to a run, and steering, as tools for any MCP host."""

from typing import Annotated

import typer

from pelnas.app import options
from pelnas.app.mcp import Steering
from pelnas.inputs import bounds

PORT = 8765


def mcp(
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
) -> None:
    """Serve the runs here as tools to an MCP host: over standard input and output, or by HTTP."""
    folder = options.runs_folder(output)
    if not http:
        from pelnas.app.mcp.tools import server

        server(folder, steer).run("stdio")
        return
    from pelnas.app.display.output import say
    from pelnas.app.mcp.http import Host, token_of

    token, told = (None, "no token is asked for") if no_token else token_of()
    host = Host(folder, port, token, steer)
    say(f"{host.address}\n{told}", errors=True)
    host.serve()
