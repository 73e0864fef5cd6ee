"""What goes wrong in a tool, as a host shows it."""

from collections.abc import Callable
from functools import wraps
from typing import Any, TypeVar

from mcp.server.mcpserver.exceptions import ToolError

from pelnas.errors import InputError
from pelnas.inputs.formats import what_failed

T = TypeVar("T")


def told(tool: Callable[..., T]) -> Callable[..., T]:
    """The tool with its own errors as a host shows them: one clear sentence."""

    @wraps(tool)
    def telling(*args: Any, **kwargs: Any) -> T:
        try:
            return tool(*args, **kwargs)
        except InputError as error:
            raise ToolError(str(error)) from None
        except OSError as error:
            raise ToolError(what_failed(error)) from None

    return telling
