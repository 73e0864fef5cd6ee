"""The MCP server of the tools: errors are one sentence each."""

from typing import Any

from mcp.server import MCPServer
from mcp.server.mcpserver.exceptions import ToolError
from pydantic import ValidationError

from pelnas.app.mcp.arguments import sentence


class Server(MCPServer[Any]):
    """Tools that say in one sentence which argument is wrong."""

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
