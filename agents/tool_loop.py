"""An agent with tools: it calls some, sees their results, and ends with an answer of its schema.

Models that support tool calling use the protocol of their provider; others choose one action at a
time under a JSON schema. Each request is an exchange of the agent's dialogue, so a step that runs
again after a kill repeats the recorded requests at no cost. The loop always ends: with the answer,
or when the allowance of calls, the tokens or the maximum number of requests is used up.
"""

import json
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from functools import reduce
from operator import or_
from typing import TYPE_CHECKING, Any, Generic, Literal, Protocol, TypeVar

from pydantic import BaseModel, create_model

from pelnas.agents.dialogue import ATTEMPTS, Dialogue, Question, send_back
from pelnas.agents.models.base import Reply
from pelnas.agents.models.json_answer import read
from pelnas.agents.models.reasoning import without_reasoning
from pelnas.agents.toolbox import Toolbox, result_text
from pelnas.calls.call import TOOL_CALLS, CallRecord, Message
from pelnas.errors import AnswerError, ToolsRefusedError
from pelnas.prompts import Prompt

if TYPE_CHECKING:
    from langchain_core.messages import BaseMessage
    from langchain_core.tools import BaseTool

    from pelnas.agents.models.tool_calls import Call, Move

SUBMIT = "submit"
TOKENS = 200_000  # in and out, over all requests of one loop
SPARE = (
    4  # requests beyond one for each call: the answer, its correction, refused tools, empty turns
)
SHOWN_BACK = 4_000  # characters of an action that the model sees again
T = TypeVar("T", bound=BaseModel)


def most_requests(allowance: int) -> int:
    """The maximum number of requests of a loop."""
    return allowance + SPARE


@dataclass(frozen=True, slots=True)
class Answer(Generic[T]):
    """The answer that a loop ends with.

    ``check``: takes an answer and the id of its call, and says what is wrong with it, or ''.
    ``complete``: whether nothing more is wanted, which ends the loop without an answer.
    """

    form: type[T]
    about: str
    check: Callable[[T, str], str]
    complete: Callable[[], bool]


def request_answer(
    dialogue: Dialogue,
    prompt: tuple[str, str],
    answer: Answer[T],
    toolbox: Toolbox | None,
    with_tools: Prompt | None,
) -> None:
    """Ask for an answer, with tools where calls are left and there is a prompt about them.

    ``prompt``: system and user text. AnswerError, ModelCallError, BudgetExhausted: as of ``ToolLoop``.
    """
    if toolbox is None or not toolbox.left or with_tools is None:
        dialogue.ask(*prompt, answer.form, answer.check)
        return
    more = tools_text(toolbox, with_tools)
    ToolLoop(dialogue, toolbox, answer).run(*joined(prompt, more))


def tools_text(toolbox: Toolbox | None, with_tools: Prompt | None) -> tuple[str, str]:
    """What follows an agent's prompt where it has tools; empty texts without."""
    if toolbox is None or not toolbox.left or with_tools is None:
        return "", ""
    lines = "\n".join(f"- {tool.name}: {tool.about}" for tool in toolbox.tools)
    return with_tools.render({"tools": lines, "calls": str(toolbox.left)})


def joined(one: tuple[str, str], other: tuple[str, str]) -> tuple[str, str]:
    """System and user text of two prompts, one after the other."""
    return f"{one[0]}\n\n{other[0]}", f"{one[1]}\n\n{other[1]}"


class _ToolProtocol(Protocol):
    """How a model is offered tools and gets their results."""

    def question(self) -> "Question[Move]":
        """The next request; a move without calls is an accepted answer."""

    def add_results(self, call: CallRecord, move: "Move", results: Sequence[str]) -> None:
        """Append the model's calls and their results."""

    def send_back(self, call: CallRecord) -> None:
        """Append the broken answer and what is wrong with it."""


class ToolLoop(Generic[T]):
    """One agent's work with tools in one step."""

    def __init__(self, dialogue: Dialogue, toolbox: Toolbox, answer: Answer[T]) -> None:
        self._dialogue = dialogue
        self._toolbox = toolbox
        self._answer = answer
        self._broken = 0  # answers that could not be used
        self._done = False

    def run(self, system: str, user: str) -> None:
        """Work until the answer is accepted or nothing more is wanted.

        AnswerError: two answers were broken, or none came. ModelCallError: the provider failed.
        BudgetExhausted: the meter allows no call.
        """
        protocol, spent = self._first_protocol(system, user), 0
        for _ in range(most_requests(self._toolbox.allowance)):
            try:
                call, move = self._dialogue.exchange(protocol.question())
            except ToolsRefusedError:
                protocol = _ActionProtocol(
                    self._dialogue, self._toolbox, self._answer, system, user
                )
                continue
            spent += call.usage.tokens
            if move is None:
                self._count_broken(call)
                protocol.send_back(call)
            elif not move.calls:
                return
            else:
                results = [self._result(each, call) for each in move.calls]
                if self._done or self._answer.complete():
                    return
                protocol.add_results(call, move, results)
            if spent > TOKENS:
                raise AnswerError(f"{self._name} gave no answer within {TOKENS:,} tokens")
        raise AnswerError(f"{self._name} called tools without end")

    @property
    def _name(self) -> str:
        return self._dialogue.model.name

    def _first_protocol(self, system: str, user: str) -> _ToolProtocol:
        kind = _ProviderProtocol if self._dialogue.model.calls_tools else _ActionProtocol
        return kind(self._dialogue, self._toolbox, self._answer, system, user)

    def _result(self, asked: "Call", call: CallRecord) -> str:
        if self._done or self._answer.complete():
            return result_text({"error": "nothing more is wanted"})
        if asked.name != SUBMIT:
            return self._toolbox.call(asked.name, asked.args, call.id, asked.problem)
        problem = asked.problem or self._submitted(asked.args, call.id)
        if problem:
            self._count_broken(replace(call, problem=problem))
            return result_text({"error": problem})
        self._done = True
        return result_text({"accepted": True})

    def _submitted(self, args: dict[str, Any], call_id: str) -> str:
        """What is wrong with an answer that came as a call."""
        reading = read(json.dumps(args, default=str), self._answer.form)
        if reading.answer is None:
            return reading.problem
        return self._answer.check(reading.answer, call_id)

    def _count_broken(self, call: CallRecord) -> None:
        self._broken += 1
        if self._broken == ATTEMPTS:
            raise self._dialogue.broken(call)


class _ProviderProtocol:
    """Tool calls by the provider's protocol, several at once if the model likes."""

    def __init__(
        self, dialogue: Dialogue, toolbox: Toolbox, answer: Answer[T], system: str, user: str
    ) -> None:
        from langchain_core.messages import HumanMessage, SystemMessage

        self._dialogue = dialogue
        self._toolbox = toolbox
        self._answer = answer
        self._messages: list[BaseMessage] = [SystemMessage(system), HumanMessage(user)]
        self._offered = _offered(toolbox, answer)
        self._received: BaseMessage | None = None

    def question(self) -> "Question[Move]":
        from pelnas.agents.models.tool_calls import Move, recorded, request_form

        tools = self._offered if self._toolbox.left else self._offered[-1:]
        messages = list(self._messages)

        def send() -> Reply:
            step = self._dialogue.model.step(messages, tools)
            self._received = step.message
            return replace(step.reply, text=step.record or Move.of(step.message).to_json())

        def read_move(call: CallRecord) -> tuple[Move | None, str, str]:
            move = Move.from_json(call.answer)
            if move.calls:
                return move, "", ""
            reading = read(move.text, self._answer.form)
            if reading.answer is None:
                return None, f"no tool was called, and {reading.problem}", ""
            return move, self._answer.check(reading.answer, call.id), ""

        self._received = None
        return Question(recorded(messages), TOOL_CALLS, request_form(tools), send, read_move)

    def add_results(self, call: CallRecord, move: "Move", results: Sequence[str]) -> None:
        from langchain_core.messages import ToolMessage

        self._messages.append(self._own_message(move))
        self._messages += [
            ToolMessage(result, tool_call_id=asked.id, name=asked.name)
            for asked, result in zip(move.calls, results, strict=True)
        ]

    def send_back(self, call: CallRecord) -> None:
        from langchain_core.messages import AIMessage, HumanMessage

        from pelnas.agents.models.tool_calls import Move

        shown = Move.from_json(call.answer).text[:SHOWN_BACK] or "(nothing)"
        asked = f"Your answer cannot be used: {call.problem}. Call a tool, or {SUBMIT} as you were asked."
        self._messages += [AIMessage(shown), HumanMessage(asked)]

    def _own_message(self, move: "Move") -> "BaseMessage":
        """The model's own message, which its provider may have signed, if the record says the same."""
        from pelnas.agents.models.tool_calls import recorded

        kept = move.message
        same = self._received is not None and recorded([self._received]) == recorded([kept])
        return self._received if same and self._received is not None else kept


def _offered(toolbox: Toolbox, answer: Answer[Any]) -> "list[BaseTool]":
    """The tools as they are declared to a provider, the answer last; the toolbox runs them."""
    from langchain_core.tools import StructuredTool

    rows = [(tool.name, tool.about, tool.form) for tool in toolbox.tools]
    rows.append((SUBMIT, answer.about, answer.form))
    return [
        StructuredTool.from_function(_not_called, name=name, description=about, args_schema=form)
        for name, about, form in rows
    ]


def _not_called(**_given: Any) -> str:
    raise NotImplementedError("tool calls are run by the toolbox")


class _ActionProtocol:
    """One action at a time, under a schema of all tools and the answer."""

    def __init__(
        self, dialogue: Dialogue, toolbox: Toolbox, answer: Answer[T], system: str, user: str
    ) -> None:
        self._dialogue = dialogue
        self._toolbox = toolbox
        self._answer = answer
        self._messages = [Message("system", system), Message("user", user)]
        self._form = _actions(toolbox, answer)

    def question(self) -> "Question[Move]":
        if not self._toolbox.left:
            return self._asking(self._answer.form, self._answer.check)
        return self._asking(self._form, self._checked)

    def _asking(self, form: type[Any], check: Callable[[Any, str], str]) -> "Question[Move]":
        asked = self._dialogue.structured(list(self._messages), form, check)

        def read_move(call: CallRecord) -> "tuple[Move | None, str, str]":
            answer, problem, note = asked.read(call)
            return (None if answer is None else _move(answer)), problem, note

        return Question(asked.messages, asked.form, asked.schema, asked.send, read_move)

    def _checked(self, chosen: Any, call_id: str) -> str:
        """What is wrong with an action: a call is judged by the box, an answer here."""
        if chosen.action.tool != SUBMIT:
            return ""
        return self._answer.check(chosen.action.arguments, call_id)

    def add_results(self, call: CallRecord, move: "Move", results: Sequence[str]) -> None:
        self._messages += [
            Message("assistant", without_reasoning(call.answer)[:SHOWN_BACK]),
            Message("user", f"Result of {move.calls[0].name}: {results[0]}"),
        ]

    def send_back(self, call: CallRecord) -> None:
        self._messages += send_back(call)


def _actions(toolbox: Toolbox, answer: Answer[Any]) -> type[BaseModel]:
    """The schema of one action: a tool with its arguments, or the answer."""
    rows = [(tool.name, tool.form) for tool in toolbox.tools] + [(SUBMIT, answer.form)]
    kinds: list[Any] = [
        create_model(name, tool=(Literal[name], ...), arguments=(form, ...))  # type: ignore[arg-type]
        for name, form in rows
    ]
    return create_model("Action", action=(reduce(or_, kinds), ...))


def _move(answer: Any) -> "Move":
    """An action as a tool call; an answer as a move without one."""
    from pelnas.agents.models.tool_calls import Call, Move

    action = getattr(answer, "action", None)
    if action is None or action.tool == SUBMIT:
        return Move("")
    return Move("", (Call(action.tool, action.arguments.model_dump(), ""),))
