"""``pelnas mcp``: the questions to a run, and steering, as tools for any MCP host."""

from pelnas.app import options


def mcp(output: options.Output = None) -> None:
    """Serve the runs here as tools over standard input and output, to an MCP host."""
    from pelnas.app.hosting import server

    server(options.runs_folder(output)).run("stdio")
