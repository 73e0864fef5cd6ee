"""MCP over streamable HTTP, for hosts on this machine: by a bearer token, on loopback only."""

from contextlib import suppress
from pathlib import Path

from pelnas.app.mcp import Steering
from pelnas.app.mcp.searches import Allowed
from pelnas.app.mcp.tools import server
from pelnas.app.socket import LOOPBACK, listen
from pelnas.guard import Guard, chosen_token, new_token

PATH = "/mcp"
VARIABLE = "PELNAS_MCP_TOKEN"


class Host:
    """One server; ``address`` is what an MCP host is given."""

    def __init__(
        self,
        output: Path,
        port: int,
        token: str | None,
        steering: Steering = "ask",
        allowed: Allowed | None = None,
    ) -> None:
        """``token``: ``None`` asks for none. InputError: a package is missing, or the port taken.

        ``steering``, ``allowed``: as of ``server``.
        """
        made = server(output, steering, allowed)
        import uvicorn

        self._socket = listen(port)
        port = int(self._socket.getsockname()[1])
        self.address = f"http://{LOOPBACK}:{port}{PATH}"
        where = f"`pelnas mcp` printed it, or it is that of {VARIABLE}"
        app = Guard(made.streamable_http_app(streamable_http_path=PATH), token, where)
        settings = uvicorn.Config(
            app, log_level="warning", access_log=False, server_header=False,
            timeout_graceful_shutdown=1,
        )  # fmt: skip
        self._server = uvicorn.Server(settings)

    def serve(self) -> None:
        """Answer until a signal to end."""
        with suppress(KeyboardInterrupt):
            self._server.run(sockets=[self._socket])


def token_of() -> tuple[str, str]:
    """The token of the environment, else a new one, and a line that shows it. ConfigError: too short."""
    chosen = chosen_token(VARIABLE)
    if chosen is not None:
        return chosen, f"Authorization: Bearer, with the token of {VARIABLE}"
    made = new_token()
    return made, f"Authorization: Bearer {made}"
