"""The one guard before the page, the MCP server and the served graphs."""

import asyncio
from typing import Any

import pytest

from pelnas.errors import ConfigError
from pelnas.guard import Guard, chosen_token

PORT = 8123
HERE = f"127.0.0.1:{PORT}"
WORD = "open-sesame-open"
BEARER = ("authorization", f"Bearer {WORD}")
SAYS_JSON = ("content-type", "application/json")


async def _behind(scope: Any, receive: Any, send: Any) -> None:
    if scope["type"] == "websocket":
        await send({"type": "websocket.accept"})
        return
    await send({"type": "http.response.start", "status": 200, "headers": []})
    await send({"type": "http.response.body", "body": b""})


def ask(*headers: tuple[str, str], method: str = "GET", **scope: Any) -> Any:
    """What is sent first in answer to a request: a status, or the end of a socket."""
    sent: list[Any] = []

    async def receive() -> Any:
        return {"type": "websocket.connect"}

    async def send(message: Any) -> None:
        sent.append(message)

    raw = [(name.encode(), value.encode("latin-1")) for name, value in headers]
    asked = {"type": "http", "scheme": "http", "path": "/x", "method": method, "headers": raw}
    guard = Guard(_behind, WORD, "ask", lambda path: path == "/", {"X-Ours": "1"})
    asyncio.run(guard(asked | {"server": ("127.0.0.1", PORT)} | scope, receive, send))
    return sent[0].get("status", sent[0]["type"])


@pytest.mark.parametrize("host", [HERE, f"LOCALHOST:{PORT}", f"[::1]:{PORT}"])
def test_this_machine_is_let_in_by_its_own_names(host: str) -> None:
    assert ask(("host", host), BEARER) == 200
    assert ask(("host", host), BEARER, ("origin", f"http://{host.lower()}")) == 200


@pytest.mark.parametrize("hosts", [[], [""], ["127.0.0.1"], ["evil.example"], [HERE, "evil"]])
def test_any_other_name_is_refused_also_beside_its_own(hosts: list[str]) -> None:
    assert ask(*(("host", host) for host in hosts), BEARER) == 421


@pytest.mark.parametrize(
    "origins",
    [["null"], [""], ["https://" + HERE], ["http://127.0.0.1"], [f"http://{HERE}", "http://evil"]],
)
def test_any_other_origin_is_refused(origins: list[str]) -> None:
    assert ask(("host", HERE), BEARER, *(("origin", origin) for origin in origins)) == 403


@pytest.mark.parametrize("offered", ["", "Bearer", "Bearer ", f"Bearer {WORD}x", "Bearer \xe9"])
def test_only_the_token_opens(offered: str) -> None:
    assert ask(("host", HERE), ("authorization", offered)) == 401
    assert ask(("host", HERE), ("x-api-key", offered)) == 401
    assert ask(("host", HERE), ("cookie", f"token={WORD}")) == 401
    assert ask(("host", HERE), ("x-api-key", WORD)) == 200


def test_what_is_public_needs_no_token_but_the_rest() -> None:
    assert ask(("host", HERE), path="/") == 200
    assert ask(("host", "evil"), path="/") == 421
    assert ask(("host", HERE), ("origin", "http://evil"), path="/") == 403


@pytest.mark.parametrize("kind", ["text/plain", "", "multipart/form-data", "application/jsonx"])
def test_a_body_says_that_it_is_json(kind: str) -> None:
    known, length = [("host", HERE), BEARER], ("content-length", "2")
    assert ask(*known, length, ("content-type", kind), method="POST") == 415
    assert ask(*known, length, method="POST") == 415
    assert ask(*known, ("transfer-encoding", "chunked"), method="PATCH") == 415
    assert ask(*known, length, SAYS_JSON, ("content-type", kind), method="PUT") == 415
    assert ask(*known, length, SAYS_JSON, method="POST") == 200
    assert ask(*known, ("content-length", "0"), method="POST") == 200
    assert ask(*known, method="DELETE") == 200


def test_a_socket_is_held_to_the_same() -> None:
    socket = {"type": "websocket", "scheme": "ws"}
    mine = [("host", HERE), BEARER]
    assert ask(*mine, **socket) == "websocket.accept"
    assert ask(*mine, ("origin", f"http://{HERE}"), **socket) == "websocket.accept"
    assert ask(*mine, ("origin", "http://evil.example"), **socket) == "websocket.close"
    assert ask(("host", HERE), **socket) == "websocket.close"


@pytest.mark.parametrize("chosen", ["", "short", "x" * 15, "with a space in it", "ü" * 20])
def test_a_token_that_can_be_guessed_or_not_sent_is_refused(
    chosen: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("A_TOKEN", chosen)
    with pytest.raises(ConfigError, match="expected at least 16 visible ASCII characters"):
        chosen_token("A_TOKEN")
    monkeypatch.delenv("A_TOKEN")
    assert chosen_token("A_TOKEN") is None
