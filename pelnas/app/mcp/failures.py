"""What goes wrong in a tool or a resource, as a host shows it."""

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from functools import wraps
from inspect import iscoroutinefunction
from typing import Any, TypeVar

from mcp.server.mcpserver.exceptions import MCPServerError, ToolError

from pelnas.errors import InputError
from pelnas.inputs.formats import what_failed

F = TypeVar("F", bound=Callable[..., Any])


def told(tool: F, raised: type[MCPServerError] = ToolError) -> F:
    """A tool, or a resource, with its own errors as a host shows them: one clear sentence."""

    @wraps(tool)
    def telling(*args: Any, **kwargs: Any) -> Any:
        with _as_sentence(raised):
            return tool(*args, **kwargs)

    @wraps(tool)
    async def telling_later(*args: Any, **kwargs: Any) -> Any:
        with _as_sentence(raised):
            return await tool(*args, **kwargs)

    return telling_later if iscoroutinefunction(tool) else telling  # type: ignore[return-value]


@contextmanager
def _as_sentence(raised: type[MCPServerError]) -> Iterator[None]:
    try:
        yield
    except InputError as error:
        raise raised(str(error)) from None
    except OSError as error:
        raise raised(what_failed(error)) from None
