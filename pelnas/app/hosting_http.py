"""MCP over streamable HTTP, for hosts on this machine: by a bearer token, on loopback only.

The package ``mcp`` refuses requests whose Host or Origin is another machine, so that a
page in a browser cannot reach the tools by a name that points at 127.0.0.1.
"""

import hmac
import os
import secrets
from contextlib import suppress
from pathlib import Path
from typing import TYPE_CHECKING

from pelnas.app.hosting import AUTHOR, server
from pelnas.app.listening import LOOPBACK, listen
from pelnas.errors import ConfigError

if TYPE_CHECKING:
    from mcp.server.auth.provider import AccessToken

PATH = "/mcp"
VARIABLE = "PELNAS_MCP_TOKEN"
SHORTEST = 16  # characters of a token that somebody chose


class Token:
    """The one token; whoever sends it may ask and steer."""

    def __init__(self, token: str) -> None:
        self._token = token.encode()

    async def verify_token(self, token: str) -> "AccessToken | None":
        """What the bearer may do; ``None``: nothing."""
        from mcp.server.auth.provider import AccessToken

        if not hmac.compare_digest(token.encode("utf-8", "replace"), self._token):
            return None
        return AccessToken(token=token, client_id=AUTHOR, scopes=[])


class Host:
    """One server; ``address`` is what an MCP host is given."""

    def __init__(self, output: Path, port: int, token: str | None) -> None:
        """``token``: ``None`` asks for none. InputError: a package is missing, or the port taken."""
        made = server(output, None if token is None else Token(token))
        import uvicorn
        from mcp.server.transport_security import TransportSecuritySettings

        self._socket = listen(port)
        port = int(self._socket.getsockname()[1])
        self.address = f"http://{LOOPBACK}:{port}{PATH}"
        names = [f"{LOOPBACK}:{port}", f"localhost:{port}"]
        ours = TransportSecuritySettings(
            allowed_hosts=names, allowed_origins=[f"http://{name}" for name in names]
        )
        app = made.streamable_http_app(streamable_http_path=PATH, transport_security=ours)
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
    """The token of the environment, else a new one, and how to tell it. ConfigError: too short."""
    chosen = os.environ.get(VARIABLE)
    if chosen is None:
        made = secrets.token_urlsafe(24)
        return made, f"Authorization: Bearer {made}"
    if len(chosen) < SHORTEST or not chosen.isascii() or any(c.isspace() for c in chosen):
        raise ConfigError(
            f"expected at least {SHORTEST} visible ASCII characters in {VARIABLE}, found"
            f" {len(chosen)}: choose a longer token, or unset it to get one"
        )
    return chosen, f"Authorization: Bearer, with the token of {VARIABLE}"
