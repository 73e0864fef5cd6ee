"""``pelnas mcp`` with the official client, over standard input and output and over HTTP."""

import asyncio
import subprocess
import sys
from collections.abc import Awaitable, Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import httpx
import pytest
from patience import limited

from pelnas.report import front_points
from pelnas.spaces import get_space
from pelnas.store import RunStore

pytest.importorskip("mcp", reason="the extra 'mcp' is not installed")
COMMAND = str(Path(sys.executable).with_name("pelnas"))
TINY = get_space("tiny")
Ask = Callable[[Any], Awaitable[None]]


@pytest.fixture
def begun(begin: Callable[..., Path]) -> Path:
    return begin(name="begun")


@contextmanager
def http(output: Path, *options: str) -> Iterator[tuple[str, str]]:
    """Address and token line of a server in a process of its own."""
    command = [COMMAND, "mcp", "--http", "--port", "0", "--output", str(output), *options]
    with subprocess.Popen(command, stderr=subprocess.PIPE, text=True) as child:
        try:
            assert child.stderr is not None
            with limited(child):
                lines = child.stderr.readline().strip(), child.stderr.readline().strip()
            yield lines
        finally:
            child.terminate()
            child.communicate(timeout=20)


def hold(transport: Any, ask: Ask) -> None:
    from mcp import Client

    async def held() -> None:
        async with Client(transport) as client:
            await ask(client)

    asyncio.run(held())


def talk_by_stdio(output: Path, ask: Ask) -> None:
    """Hold a conversation with a server in a process of its own."""
    from mcp import StdioServerParameters, stdio_client

    parameters = StdioServerParameters(command=COMMAND, args=["mcp", "--output", str(output)])
    hold(stdio_client(parameters), ask)


def talk_by_http(output: Path, ask: Ask) -> None:
    from mcp.client.streamable_http import streamable_http_client
    from mcp.shared._httpx_utils import create_mcp_http_client

    async def held(address: str, name: str, value: str) -> None:
        from mcp import Client

        async with create_mcp_http_client({name: value}) as http_client:
            transport = streamable_http_client(address, http_client=http_client)
            async with Client(transport) as client:
                await ask(client)

    with http(output) as (address, told):
        name, _, value = told.partition(": ")
        asyncio.run(held(address, name, value))


both = pytest.mark.parametrize("talk", [talk_by_stdio, talk_by_http], ids=["stdio", "http"])


@both
def test_questions_are_marked_as_such_and_answered(
    talkative_run: Path, talk: Callable[[Path, Ask], None]
) -> None:
    with RunStore.read(talkative_run) as store:
        best = front_points(store)[-1]
        call = store.calls()[0]
        tried = {candidate.architecture for candidate in store.candidates()}

    async def ask(client: Any) -> None:
        tools = {tool.name: tool for tool in (await client.list_tools()).tools}
        reading = {name for name, tool in tools.items() if tool.annotations.read_only_hint}
        assert set(tools) - reading == {"steer"}
        assert {"status", "front", "explain", "compare", "afford", "tried", "rules"} <= reading
        assert {"score", "latency", "directives", "call"} <= reading
        assert "run" in tools["steer"].input_schema["required"]
        told = await client.call_tool("explain", {"architecture": best.id})
        assert told.structured_content["on_front"] is True
        front = await client.call_tool("front", {})
        assert front.structured_content["result"][-1]["id"] == best.id
        answered = await client.call_tool("call", {"id": call.id})
        assert answered.structured_content["answer"] == call.answer
        fresh = next(i for i in range(125) if TINY.format(TINY.at(i)) not in tried)
        scored = await client.call_tool("score", {"architecture": str(fresh)})
        assert scored.structured_content["how"] == "from the table"
        wrong = await client.call_tool("explain", {"architecture": "../../etc/passwd"})
        assert wrong.is_error
        assert "expects a cell" in wrong.content[0].text
        outside = await client.call_tool("status", {"run": str(talkative_run)})
        assert outside.is_error
        assert "there is no run" in outside.content[0].text

    talk(talkative_run.parent, ask)


@both
def test_steering_names_the_run_and_is_confirmed(
    begun: Path, talk: Callable[[Path, Ask], None]
) -> None:
    async def ask(client: Any) -> None:
        order = {"command": "/ban none"}
        assert (await client.call_tool("steer", order | {"run": "last"})).is_error
        told = await client.call_tool("steer", order | {"run": begun.name})
        assert told.structured_content["says"] == "design nothing with none"
        assert given(begun) == []
        await client.call_tool("steer", order | {"run": begun.name, "confirmed": True})
        wrong = await client.call_tool("steer", {"run": begun.name, "command": "rm -rf /"})
        assert wrong.is_error

    talk(begun.parent, ask)
    assert given(begun) == [("mcp", "/ban none")]


HELLO = {"jsonrpc": "2.0", "id": 1, "method": "tools/list"}
ACCEPT = {"Accept": "application/json, text/event-stream"}


def test_http_is_closed_without_the_token_and_to_other_names(begun: Path) -> None:
    with http(begun.parent) as (address, told):
        name, _, value = told.partition(": ")
        assert address.startswith("http://127.0.0.1:")
        known = ACCEPT | {name: value}

        def post(**headers: Any) -> httpx.Response:
            return httpx.post(address, json=HELLO, headers=headers, timeout=20)

        assert post(**ACCEPT).status_code == 401
        assert post(**ACCEPT, Authorization="Bearer wrong").status_code == 401
        assert post(**ACCEPT, Authorization=b"Bearer \xe9").status_code == 401
        assert post(**known, Host="evil.example").status_code == 421
        assert post(**known, Origin="http://evil.example").status_code == 403
        assert post(**known, Origin="http://localhost:1").status_code == 403
        assert post(**known).status_code not in (401, 403, 421)
    assert given(begun) == []


def test_the_token_is_chosen_or_switched_off_in_words(
    begun: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    async def ask(client: Any) -> None:
        status = await client.call_tool("status", {"run": begun.name})
        assert status.structured_content["run"] == begun.name

    with http(begun.parent, "--no-token") as (address, told):
        assert told == "no token is asked for"
        hold(address, ask)
    monkeypatch.setenv("PELNAS_MCP_TOKEN", "a-token-of-my-own")
    with http(begun.parent) as (address, told):
        assert "a-token-of-my-own" not in told
        own = ACCEPT | {"Authorization": "Bearer a-token-of-my-own"}
        assert httpx.post(address, json=HELLO, headers=own, timeout=20).status_code != 401
    monkeypatch.setenv("PELNAS_MCP_TOKEN", "short")
    command = [COMMAND, "mcp", "--http", "--port", "0"]
    done = subprocess.run(command, capture_output=True, text=True, check=False, timeout=60)
    assert (done.returncode, done.stderr.count("\n")) == (2, 1)
    assert "choose a longer token" in done.stderr


def given(folder: Path) -> list[tuple[str, str]]:
    with RunStore.read(folder) as store:
        return [(directive.author, directive.words) for directive in store.directives()]
