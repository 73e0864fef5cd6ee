"""The MCP server of the tools: errors are one sentence each, and its list of resources is alive."""

from collections.abc import Callable
from typing import Any

import anyio.to_thread
from mcp.server import MCPServer
from mcp.server.mcpserver.exceptions import ToolError
from mcp.types import Resource
from pydantic import ValidationError

from pelnas.app.mcp.arguments import sentence


class Server(MCPServer[Any]):
    """Tools that say in one sentence which argument is wrong, and resources that come and go.

    ``of_runs``: the resources beside those that are always there, looked up at each list.
    """

    of_runs: Callable[[], list[Resource]] = list

    async def call_tool(
        self, name: str, arguments: dict[str, Any], *rest: Any, **named: Any
    ) -> Any:
        """The answer of a tool. ToolError: it cannot answer, and why."""
        try:
            return await super().call_tool(name, arguments, *rest, **named)
        except ToolError as error:
            if isinstance(error.__cause__, ValidationError):
                raise ToolError(sentence(name, error.__cause__)) from None
            raise

    async def list_resources(self) -> list[Resource]:
        """All that can be read now."""
        always = await super().list_resources()
        return [*always, *await anyio.to_thread.run_sync(self.of_runs)]
