"""The tools of one agent in one step of a search, and how many of them it may call.

The program runs every call and counts it, whatever comes of it: a name that was invented and
arguments that cannot be read cost as much of the allowance as a call that works. What a tool
answers is data; errors go back to the model as text.
"""

import json
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import AbstractContextManager, contextmanager
from dataclasses import dataclass, field
from typing import Any, Generic, TypeVar

from pydantic import BaseModel, ValidationError

from pelnas.errors import InputError

RESULT_LIMIT = 4_000  # characters of a result that a model sees
SHOWN = 60  # characters of a name that is not known

Arguments = TypeVar("Arguments", bound=BaseModel)


@dataclass(frozen=True, slots=True)
class Tool(Generic[Arguments]):
    """Something that an agent may call.

    ``about``: what it does, for the model. ``form``: its arguments. ``run``: the answer as plain
    values, by the arguments and the id of the model call that asks ('': no model does);
    InputError: goes back to who asked.
    """

    name: str
    about: str
    form: type[Arguments]
    run: Callable[[Arguments, str], Mapping[str, Any]]


def _ignored(_refused: bool) -> None:
    """Do nothing."""


@contextmanager
def unwatched(_number: int, _name: str) -> Iterator[Callable[[bool], None]]:
    """Run a tool without recording it."""
    yield _ignored


#: A context around one call, by its number and the tool's name ('' for an unknown tool). It yields
#: a function that is called with whether the call was refused.
Watch = Callable[[int, str], AbstractContextManager[Callable[[bool], None]]]


@dataclass
class Toolbox:
    """The tools of one step and the calls that are left. ``allowance``: calls in all."""

    tools: Sequence[Tool[Any]]
    allowance: int
    watch: Watch = unwatched
    used: int = field(default=0, init=False)

    @property
    def left(self) -> int:
        """How many calls may still be made."""
        return max(0, self.allowance - self.used)

    @property
    def names(self) -> tuple[str, ...]:
        """The names of its tools."""
        return tuple(tool.name for tool in self.tools)

    def call(self, name: str, args: Mapping[str, Any], call: str, problem: str = "") -> str:
        """Run one call and count it: the answer for the model, as JSON.

        ``call``: the id of the model call that asks; '': no model does. ``problem``: why its
        arguments cannot be read. BudgetExhausted, Stopped: whatever a tool works on ends.
        """
        if not self.left:
            return result_text(
                {"error": "no tool calls are left in this round: submit your answer"}
            )
        self.used += 1
        tool = next((tool for tool in self.tools if tool.name == name), None)
        with self.watch(self.used, tool.name if tool else "") as ends:
            found, refused = self._answer(tool, name, args, call, problem)
            ends(refused)
        return result_text({**found, "tool_calls_left": self.left})

    def _answer(
        self, tool: Tool[Any] | None, name: str, args: Mapping[str, Any], call: str, problem: str
    ) -> tuple[Mapping[str, Any], bool]:
        if tool is None:
            known = ", ".join(self.names)
            return {"error": f"there is no tool {name[:SHOWN]!r}: use one of {known}"}, True
        try:
            if problem:
                raise InputError(problem)
            return tool.run(_read(tool, args), call), False
        except InputError as error:
            return {"error": str(error)[:RESULT_LIMIT]}, True


def result_text(found: Mapping[str, Any]) -> str:
    """A result as the model sees it: one JSON object on one line, cut where it is too long.

    In ASCII: what others wrote may hold characters that hide or reorder text.
    """
    text = json.dumps(found)
    return text if len(text) <= RESULT_LIMIT else json.dumps({"cut": text[:RESULT_LIMIT]})


def _read(tool: Tool[Arguments], args: Mapping[str, Any]) -> Arguments:
    """The arguments of a tool. InputError: they do not fit."""
    unknown = sorted(set(args) - set(tool.form.model_fields))
    if unknown:
        raise InputError(f"the argument {unknown[0][:SHOWN]!r} is not known: call without it")
    try:
        return tool.form.model_validate(args)
    except ValidationError as error:
        first = error.errors(include_url=False, include_input=False, include_context=False)[0]
        where = ".".join(map(str, first["loc"]))[:SHOWN] or "arguments"
        raise InputError(
            f"the argument {where} cannot be used ({first['msg'].lower()}): correct it and call again"
        ) from None
