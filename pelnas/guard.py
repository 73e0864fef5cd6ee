"""Who may ask a server of this machine: the page, the MCP server and the served graphs alike.

Kept out are other programs of other users (the token), other web pages in the user's browser
(the Origin header, and JSON that has to say that it is JSON, which no page can send elsewhere
without asking first), and names that somebody points at 127.0.0.1 (the Host header). Nothing
rests on a cookie: browsers send the cookies of a host to all its ports.
"""

import hmac
import json
import os
import secrets
from collections.abc import Awaitable, Callable, Iterable, Mapping, MutableMapping
from typing import Any

from pelnas.errors import ConfigError

SHORTEST = 16  # characters of a token that somebody chose
NAMES = ("127.0.0.1", "localhost", "[::1]")  # of this machine, as nobody else's page is called
READING = ("GET", "HEAD", "OPTIONS")

# The types of ASGI, so that no server's package is needed to import this.
Scope = MutableMapping[str, Any]
Message = MutableMapping[str, Any]
Receive = Callable[[], Awaitable[Message]]
Send = Callable[[Message], Awaitable[None]]
App = Callable[[Scope, Receive, Send], Awaitable[None]]


class Guard:
    """ASGI middleware for a server on loopback; what it refuses never reaches the application."""

    def __init__(
        self,
        app: App,
        token: str | None,
        where: str = "",
        public: Callable[[str], bool] = lambda _: False,
        headers: Mapping[str, str] | None = None,
    ) -> None:
        """``token``: to be sent as ``Authorization: Bearer`` or ``X-Api-Key``; ``None``: none is.

        ``where``: where to find the token, for the sentence that refuses. ``public``: whether a path
        is shown without the token. ``headers``: added to every answer.
        """
        self._app = app
        self._token = token
        self._where = where
        self._public = public
        self._headers = [(k.lower().encode(), v.encode()) for k, v in (headers or {}).items()]

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] not in ("http", "websocket"):
            await self._app(scope, receive, send)
            return
        refusal = self._refusal(scope)
        if refusal is None:
            await self._app(scope, receive, self._adding(send))
        elif scope["type"] == "websocket":
            await receive()
            await send({"type": "websocket.close", "code": 1008, "reason": refusal[1]})
        else:
            await _answer(self._adding(send), *refusal)

    def _refusal(self, scope: Scope) -> tuple[int, str] | None:
        """Status and sentence of a request that may not pass."""
        here = _names(scope)
        if [host.lower() for host in _all(scope, b"host")] not in [[name] for name in here]:
            name = next(iter(here), NAMES[0])
            return 421, f"expected a request to {name}, found another host: use the address"
        if not set(_all(scope, b"origin")) <= {f"{_scheme(scope)}://{name}" for name in here}:
            return 403, "this request comes from another page: only this server's own may ask"
        if not self._public(scope["path"]) and not self._knows(scope):
            return 401, f"expected the token as Authorization: Bearer TOKEN: {self._where}"
        if scope["type"] == "http" and scope["method"] not in READING and _body_is_unsaid(scope):
            return 415, "expected Content-Type: application/json: say that the body is JSON"
        return None

    def _knows(self, scope: Scope) -> bool:
        if self._token is None:
            return True
        bearers = [value.partition(" ")[2] for value in _all(scope, b"authorization")]
        offered = [*bearers, *_all(scope, b"x-api-key")]
        expected = self._token.encode()
        return any(hmac.compare_digest(o.strip().encode(), expected) for o in offered)

    def _adding(self, send: Send) -> Send:
        async def adding(message: Message) -> None:
            if message["type"] == "http.response.start":
                ours = {name for name, _ in self._headers}
                kept = [(k, v) for k, v in message.get("headers", []) if k.lower() not in ours]
                message["headers"] = [*kept, *self._headers]
            await send(message)

        return adding


def chosen_token(variable: str) -> str | None:
    """The token that a variable of the environment holds. ConfigError: it is too short."""
    chosen = os.environ.get(variable)
    if chosen is None:
        return None
    if len(chosen) < SHORTEST or not chosen.isascii() or any(c.isspace() for c in chosen):
        raise ConfigError(
            f"expected at least {SHORTEST} visible ASCII characters in {variable}, found"
            f" {len(chosen)}: choose a longer token, or unset it to get one"
        )
    return chosen


def new_token() -> str:
    """A token that nobody can guess."""
    return secrets.token_urlsafe(24)


def _names(scope: Scope) -> tuple[str, ...]:
    """What this server may be called, with its port where that has to be said."""
    port = (scope.get("server") or ("", None))[1]
    usual = {"http": 80, "ws": 80, "https": 443, "wss": 443}.get(scope.get("scheme", "http"))
    bare = NAMES if port == usual else ()
    return (*(f"{name}:{port}" for name in NAMES), *bare)


def _scheme(scope: Scope) -> str:
    """Of the page that belongs to a request."""
    return "https" if scope.get("scheme") in ("https", "wss") else "http"


def _body_is_unsaid(scope: Scope) -> bool:
    """Whether there is a body that does not say that it is JSON."""
    lengths = _all(scope, b"content-length")
    if not _all(scope, b"transfer-encoding") and all(length.strip() == "0" for length in lengths):
        return False
    types = {value.partition(";")[0].strip().lower() for value in _all(scope, b"content-type")}
    return types != {"application/json"}


def _all(scope: Scope, name: bytes) -> list[str]:
    headers: Iterable[tuple[bytes, bytes]] = scope["headers"]
    return [value.decode("latin-1") for key, value in headers if key.lower() == name]


async def _answer(send: Send, status: int, sentence: str) -> None:
    body = json.dumps({"error": sentence}).encode()
    headers = [(b"content-type", b"application/json"), (b"content-length", b"%d" % len(body))]
    if status == 401:
        headers.append((b"www-authenticate", b"Bearer"))
    await send({"type": "http.response.start", "status": status, "headers": headers})
    await send({"type": "http.response.body", "body": body})
