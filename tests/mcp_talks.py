"""Conversations of an MCP client with ``pelnas mcp`` in a process of its own."""

import asyncio
import subprocess
import sys
from collections.abc import Awaitable, Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest
import warm
from patience import limited

COMMAND = str(Path(sys.executable).with_name("pelnas"))
Ask = Callable[[Any], Awaitable[None]]


@contextmanager
def http(output: Path, *options: str) -> Iterator[tuple[str, str]]:
    """Address and token line of a server in a process of its own."""
    command = [COMMAND, "mcp", "--http", "--port", "0", "--output", str(output), *options]
    with warm.Full(command, stderr=subprocess.PIPE, text=True) as child:
        try:
            assert child.stderr is not None
            with limited(child):
                lines = child.stderr.readline().strip(), child.stderr.readline().strip()
            yield lines
        finally:
            child.terminate()
            child.communicate(timeout=20)


def hold(transport: Any, ask: Ask, person: Any = None) -> None:
    """``person``: answers what the server asks; ``None``: this host can show no questions."""
    from mcp import Client

    async def held() -> None:
        async with Client(transport, elicitation_callback=person) as client:
            await ask(client)

    asyncio.run(held())


def talk_by_stdio(output: Path, ask: Ask, *options: str, person: Any = None) -> None:
    """Hold a conversation with a server in a process of its own."""
    from mcp import StdioServerParameters, stdio_client

    command, *arguments = warm.relay("-m", "pelnas", "mcp", "--output", str(output), *options)
    parameters = StdioServerParameters(command=command, args=arguments)
    hold(stdio_client(parameters), ask, person)


def talk_by_http(output: Path, ask: Ask, *options: str, person: Any = None) -> None:
    from mcp.client.streamable_http import streamable_http_client
    from mcp.shared._httpx_utils import create_mcp_http_client

    async def held(address: str, name: str, value: str) -> None:
        from mcp import Client

        async with create_mcp_http_client({name: value}) as http_client:
            transport = streamable_http_client(address, http_client=http_client)
            async with Client(transport, elicitation_callback=person) as client:
                await ask(client)

    with http(output, *options) as (address, log):
        name, _, value = log.partition(": ")
        asyncio.run(held(address, name, value))


both = pytest.mark.parametrize("talk", [talk_by_stdio, talk_by_http], ids=["stdio", "http"])
