"""``pelnas mcp`` with the official client."""

import asyncio
import sys
from collections.abc import Awaitable, Callable
from pathlib import Path
from typing import Any

import pytest

from pelnas import Search, load_config
from pelnas.report import front_points
from pelnas.store import RunStore

pytest.importorskip("mcp", reason="the extra 'mcp' is not installed")
COMMAND = str(Path(sys.executable).with_name("pelnas"))
Ask = Callable[[Any], Awaitable[None]]


@pytest.fixture
def begun(tiny_tables: Path, tmp_path: Path) -> Path:
    settings = {
        "space": "tiny",
        "device": "toy",
        "dataset": "toy10",
        "data": tiny_tables,
        "accuracy": "table",
        "name": "begun",
        "output": tmp_path / "runs",
    }
    search = Search(load_config(None, settings))
    search.session.close()
    return search.session.store.folder


def talk(output: Path, ask: Ask) -> None:
    """Hold a conversation with a server in a process of its own."""
    from mcp import Client, StdioServerParameters, stdio_client

    parameters = StdioServerParameters(command=COMMAND, args=["mcp", "--output", str(output)])

    async def held() -> None:
        async with Client(stdio_client(parameters)) as client:
            await ask(client)

    asyncio.run(held())


def test_questions_are_marked_as_such_and_answered(talkative_run: Path) -> None:
    with RunStore.read(talkative_run) as store:
        best = front_points(store)[-1]

    async def ask(client: Any) -> None:
        tools = {tool.name: tool for tool in (await client.list_tools()).tools}
        reading = {name for name, tool in tools.items() if tool.annotations.read_only_hint}
        assert set(tools) - reading == {"steer"}
        assert {"status", "front", "explain", "compare", "afford", "tried", "rules"} <= reading
        assert "run" in tools["steer"].input_schema["required"]
        told = await client.call_tool("explain", {"architecture": best.id})
        assert told.structured_content["on_front"] is True
        front = await client.call_tool("front", {})
        assert front.structured_content["result"][-1]["id"] == best.id
        wrong = await client.call_tool("explain", {"architecture": "../../etc/passwd"})
        assert wrong.is_error
        assert "expects a cell" in wrong.content[0].text
        outside = await client.call_tool("status", {"run": str(talkative_run)})
        assert outside.is_error
        assert "there is no run" in outside.content[0].text

    talk(talkative_run.parent, ask)


def test_steering_names_the_run_and_is_confirmed(begun: Path) -> None:
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


def given(folder: Path) -> list[tuple[str, str]]:
    with RunStore.read(folder) as store:
        return [(directive.author, directive.words) for directive in store.directives()]
