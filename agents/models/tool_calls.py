"""The tool calls of a model's message: read without trust, and written as they are recorded.

Models invent names, leave out ids, give one twice, or send arguments that are not JSON or are
endless. What is kept here can be answered, stored and sent back.
"""

import json
from collections.abc import Collection, Sequence
from dataclasses import dataclass, replace
from itertools import count
from typing import Any

from langchain_core.messages import AIMessage, BaseMessage, ToolCall, ToolMessage
from langchain_core.tools import BaseTool

from pelnas.agents.models.reasoning import without_reasoning
from pelnas.calls.call import Message

ARGUMENTS_LIMIT = 6_000  # characters of what a tool is called with
MESSAGE_LIMIT = 60_000  # characters of all arguments of one message
PARALLEL_CALLS = 16  # calls of one message that are read
NAME_LIMIT = 64  # characters of a tool's name
ID_LIMIT = 256  # characters of the id of a call
TEXT_LIMIT = 20_000  # characters beside the calls
NAMELESS = "unnamed"  # a call needs some name where its answer is sent back
_ROLES = {"system": "system", "human": "user", "tool": "tool"}


@dataclass(frozen=True, slots=True)
class Call:
    """A tool call with a name and an id of its own; ``problem``: why it cannot be run."""

    name: str
    args: dict[str, Any]
    id: str
    problem: str = ""


def calls_of(message: AIMessage, limit: int = ARGUMENTS_LIMIT) -> list[Call]:
    """Every tool call of a message, in the form that its answers need.

    ``limit``: characters of the arguments of one call.
    """
    asked: list[Call] = []
    for given in (*message.tool_calls, *message.invalid_tool_calls):
        args, problem = _arguments(given["args"], limit)
        name = given["name"][:NAME_LIMIT] if isinstance(given["name"], str) else ""
        taken = {call.id for call in asked}
        asked.append(Call(name or NAMELESS, args, _own_id(given["id"], taken), problem))
    return asked


def _arguments(given: Any, limit: int) -> tuple[dict[str, Any], str]:
    """The arguments, and what is wrong with them."""
    if isinstance(given, str) and not given.strip():
        return {}, ""  # so some models call what needs none
    if not isinstance(given, dict):
        return {}, "expected arguments in JSON: call again with them"
    if len(repr(given)) > limit:
        return {}, f"expected at most {limit} characters: call again with fewer"
    return given, ""


def _own_id(given: Any, taken: Collection[str]) -> str:
    """An id that no other call of the message has: servers leave them out, or give one twice."""
    if isinstance(given, str) and 0 < len(given) <= ID_LIMIT and given not in taken:
        return given
    return next(id_ for number in count() if (id_ := f"call_{len(taken)}_{number}") not in taken)


def as_understood(message: AIMessage, asked: Sequence[Call]) -> AIMessage:
    """The message as it goes back with the answers: each of its calls under the id of one.

    One that came in good order goes back as it is, since its provider may have signed it.
    """
    came = [(call["name"], call["args"], call["id"]) for call in message.tool_calls]
    if not message.invalid_tool_calls and came == [(c.name, c.args, c.id) for c in asked]:
        return message
    calls = [ToolCall(name=call.name, args=call.args, id=call.id) for call in asked]
    return AIMessage(without_reasoning(str(message.text)), tool_calls=calls)


# -- what is recorded -----------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class Move:
    """What a model did next: its words and the tools that it called."""

    text: str
    calls: tuple[Call, ...] = ()

    @classmethod
    def of(cls, message: AIMessage) -> "Move":
        """What a message says and calls, within the limits of what is recorded."""
        calls, left = [], MESSAGE_LIMIT
        for call in calls_of(message, MESSAGE_LIMIT)[:PARALLEL_CALLS]:
            left -= len(repr(call.args))
            calls.append(call if left >= 0 else Call(call.name, {}, call.id, _TOO_LONG))
        text = without_reasoning(str(message.text))
        return cls(text[:TEXT_LIMIT], tuple(calls))

    def to_json(self) -> str:
        """The record of an answer."""
        calls = [
            {"name": call.name, "args": call.args, "id": call.id}
            | ({"problem": call.problem} if call.problem else {})
            for call in self.calls
        ]
        return json.dumps({"text": self.text, "calls": calls}, ensure_ascii=False, default=str)

    @classmethod
    def from_json(cls, text: str) -> "Move":
        """The same from the record; of one that was altered, what is left of it."""
        try:
            found = json.loads(text)
            return cls(str(found["text"]), tuple(map(_recorded_call, found["calls"])))
        except (ValueError, LookupError, TypeError):
            return cls("")

    @property
    def message(self) -> AIMessage:
        """As it goes back to the model where its own message is not at hand any more."""
        calls = [ToolCall(name=call.name, args=call.args, id=call.id) for call in self.calls]
        return AIMessage(self.text, tool_calls=calls)


def _recorded_call(found: dict[str, Any]) -> Call:
    """A call as it was recorded. TypeError: the record was altered."""
    call = Call(**found)
    if not isinstance(call.args, dict):
        raise TypeError("arguments are an object")
    return replace(call, name=str(call.name), id=str(call.id), problem=str(call.problem))


_TOO_LONG = f"expected at most {MESSAGE_LIMIT} characters in all calls: call again with fewer"


def recorded(messages: Sequence[BaseMessage]) -> tuple[Message, ...]:
    """Messages as they are stored; equal ones for a message and what ``Move`` kept of it."""
    return tuple(map(_recorded, messages))


def _recorded(message: BaseMessage) -> Message:
    if isinstance(message, AIMessage):
        return Message("assistant", Move.of(message).to_json())
    text = str(message.text)
    if isinstance(message, ToolMessage):
        text = json.dumps([message.tool_call_id, message.name, text], ensure_ascii=False)
    return Message(_ROLES.get(message.type, "user"), text)


def request_form(tools: Sequence[BaseTool]) -> dict[str, Any]:
    """What a request with tools offers, as part of what is asked: see ``request_hash``."""
    return {"tools": {tool.name: [tool.description, tool.get_input_jsonschema()] for tool in tools}}
