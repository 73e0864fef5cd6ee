"""Natural language answered by a model that calls tools: the questions to one run, and one that proposes.

The model looks up what people can look up, and may propose one order; nothing that it
does or says gives one. A turn is bounded in tool calls, tokens and time.
"""

import json
import re
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any

from langchain_core.messages import (
    AIMessage,
    BaseMessage,
    HumanMessage,
    SystemMessage,
    ToolMessage,
)
from langchain_core.tools import BaseTool, StructuredTool, ToolException
from pydantic import Field, ValidationError, create_model

from pelnas.agents.assistant.commands import Question
from pelnas.agents.models.base import LanguageModel
from pelnas.agents.models.reasoning import without_reasoning
from pelnas.agents.models.tool_calls import Call, as_understood, calls_of
from pelnas.directives import GRAMMAR, Order, parse
from pelnas.errors import AnswerError, InputError
from pelnas.prompts import load_prompt
from pelnas.spaces import SearchSpace
from pelnas.tools.questions import QUESTIONS, Form
from pelnas.traces.text import visible

CALLS = 8  # tool calls in one turn
TOKENS = 60_000  # in and out, over all requests of one turn
SECONDS = 120.0  # after which no further request begins
RESULT_LIMIT = 6_000  # characters of a tool's answer that the model sees
WORDS_LIMIT = 2_000  # characters of what a person wrote, and of what the model answers
BEFORE, BEFORE_LIMIT = 8, 1_000  # earlier messages that the model sees, and characters of each
IDS = 8  # ids shown of one look-up
STEER = "steer"
_ID = re.compile(
    r"\br[0-9]+\.\w+(?:\.n[0-9]+)?\.a[0-9]+\b|\br[0-9]+n[0-9]+c[0-9]+\b"
    r"|\bR[0-9a-f]{10}\b|\bd[1-9][0-9]*\b"
)


@dataclass(frozen=True, slots=True)
class LookUp:
    """One question that the model asked: as a person would ask it, and the answer in full."""

    command: str
    answer: str


@dataclass(frozen=True, slots=True)
class Turn:
    """What came of one message.

    ``words``: the model's own, '' for none. ``order``: a proposal, checked and not given;
    ``beside``: commands that it proposed at the same time, which are dropped.
    """

    model: str
    words: str
    looked_up: tuple[LookUp, ...]
    order: Order | None = None
    beside: tuple[str, ...] = ()

    def tell(self) -> str:
        """The model's words, set apart as such, and what they rest on; '' without words."""
        lines = [f"| {line}" for line in self.words.splitlines() if line.strip()]
        if lines:
            lines.insert(0, f"in the words of {self.model}:")
        if lines or self.looked_up:
            lines.append(f"from: {'; '.join(self._sources()) or 'nothing that was looked up'}")
        unknown = [id_ for id_ in _ids(self.words) if id_ not in self._known()]
        if unknown:
            lines.append(f"named without being looked up: {', '.join(unknown)}")
        if self.beside:
            lines.append(f"one order at a time, left out: {', '.join(self.beside)}")
        return "\n".join(lines)

    def _known(self) -> set[str]:
        return {id_ for found in self.looked_up for id_ in _ids(found.command + found.answer)}

    def _sources(self) -> list[str]:
        """Each look-up with its ids; those that the model named come first."""
        named, told = set(_ids(self.words)), []
        for found in dict.fromkeys(self.looked_up):
            ids = sorted(_ids(found.answer), key=lambda id_: id_ not in named)
            more = f" and {len(ids) - IDS} more" if len(ids) > IDS else ""
            told.append(found.command + (f" ({', '.join(ids[:IDS])}{more})" if ids else ""))
        return told


class ToolCaller:
    """Answers one message about one run, by a model that calls tools."""

    def __init__(
        self,
        model: LanguageModel,
        ask: Callable[[Question], str],
        check: Callable[[Order], Order],
    ) -> None:
        """``ask`` answers a question; ``check`` gives an order its official form.

        Both raise InputError, which is passed on to the model.
        """
        self._model = model
        self._ask = ask
        self._check = check
        self._looked_up: list[LookUp] = []
        self._orders: list[Order] = []
        self._tools = {tool.name: tool for tool in self._make_tools()}

    def turn(self, words: str, before: Sequence[BaseMessage], space: SearchSpace, run: str) -> Turn:
        """One turn; ``before``: the conversation so far.

        ModelCallError: the provider failed, ToolsRefusedError among them. AnswerError: no
        answer within the bounds.
        """
        messages = _opening(words, before, space, run)
        calls, spent, end = 0, 0, time.monotonic() + SECONDS
        while True:
            step = self._model.step(messages, list(self._tools.values()))
            spent += step.reply.usage.tokens
            asked = calls_of(step.message)
            if not asked:
                return self._done(step.reply.text)
            if calls > CALLS:
                raise AnswerError(f"{self._model.name} called tools without end (over {CALLS})")
            messages.append(as_understood(step.message, asked))
            for call in asked:
                calls += 1
                messages.append(self._result(call, calls))
            if self._orders:
                return self._done(step.reply.text)
            if spent > TOKENS or time.monotonic() > end:
                raise AnswerError(
                    f"{self._model.name} gave no answer within {TOKENS:,} tokens and {SECONDS:g} s"
                )

    def _done(self, text: str) -> Turn:
        words = visible(without_reasoning(text))[:WORDS_LIMIT]
        if not words and not self._orders:
            raise AnswerError(f"{self._model.name} said nothing")
        order = self._orders[0] if self._orders else None
        dropped = tuple(one.command for one in self._orders[1:] if one != order)
        return Turn(self._model.name, words, tuple(self._looked_up), order, dropped)

    def _result(self, call: Call, number: int) -> ToolMessage:
        """The answer to one call; whatever is wrong with it is reported to the model."""
        tool = self._tools.get(call.name)
        if number > CALLS:
            text = f"expected at most {CALLS} calls: answer now, from what you have"
        elif call.problem:
            text = call.problem
        elif tool is None:
            text = f"there is no tool {call.name[:40]!r}: use one of {', '.join(self._tools)}"
        elif unknown := sorted(set(call.args) - set(tool.args)):
            text = f"the argument {unknown[0][:40]} is not known: call again without it"
        else:
            text = str(tool.invoke(call.args))
        return ToolMessage(text, tool_call_id=call.id, name=call.name)

    # -- the tools --------------------------------------------------------------------

    def _make_tools(self) -> list[BaseTool]:
        questions = [
            _tool(form.tool, form.does, _schema(form), self._looking_up(form)) for form in QUESTIONS
        ]
        proposing = create_model(
            STEER,
            command=(str, Field(description="one command, such as /ban avg_pool_3x3")),
        )
        return [*questions, _tool(STEER, "Propose a change of the search.", proposing, self._steer)]

    def _looking_up(self, form: Form) -> Callable[..., str]:
        def look_up(**given: Any) -> str:
            question = Question(form.verb, form.words(given))
            told = self._ask(question)
            line = " ".join((question.verb, *question.words))
            self._looked_up.append(LookUp(line, told))
            cut = told if len(told) <= RESULT_LIMIT else told[:RESULT_LIMIT] + " (cut)"
            return json.dumps({"data": cut}, ensure_ascii=False)

        return look_up

    def _steer(self, command: str) -> str:
        self._orders.append(self._check(parse(command)))
        return "proposed: the person is asked for a yes"


def _tool(name: str, does: str, schema: Any, act: Callable[..., str]) -> BaseTool:
    """A tool whose errors, and those of its arguments, come back as one sentence."""

    def acting(**given: Any) -> str:
        try:
            return act(**given)
        except InputError as error:
            raise ToolException(str(error)) from None

    return StructuredTool.from_function(
        acting,
        name=name,
        description=does,
        args_schema=schema,
        handle_tool_error=True,
        handle_validation_error=_bad_arguments,
    )


def _bad_arguments(error: Any) -> str:
    first = error.errors()[0] if isinstance(error, ValidationError) else {"loc": (), "msg": "bad"}
    where = ".".join(map(str, first["loc"])) or "arguments"
    return f"the argument {where} cannot be used ({first['msg']}): correct it and call again"


def _schema(form: Form) -> Any:
    """What a model gives for the parts of a question."""
    fields: dict[str, Any] = {
        part.name: (
            (part.kind, Field(description=part.about))
            if part.needed
            else (part.kind | None, Field(None, description=part.about))
        )
        for part in form.parts
    }
    return create_model(form.tool, **fields)


def _opening(
    words: str, before: Sequence[BaseMessage], space: SearchSpace, run: str
) -> list[BaseMessage]:
    system, user = load_prompt("conversation_tools").render(
        {
            "run": json.dumps(run),
            "commands": "\n".join(f"- {form}: {does}" for form, does in GRAMMAR),
            "operations": ", ".join(space.operations),
            "positions": ", ".join(space.positions),
            "words": words[:WORDS_LIMIT],
        }
    )
    return [SystemMessage(system), *_earlier(before), HumanMessage(user)]


def _earlier(messages: Sequence[BaseMessage]) -> list[BaseMessage]:
    """The last messages, cut to length, from a person's on."""
    kept: list[BaseMessage] = []
    for message in messages[-BEFORE:]:
        text = str(message.text)[:BEFORE_LIMIT]
        if isinstance(message, HumanMessage):
            kept.append(HumanMessage(text))
        elif isinstance(message, AIMessage) and kept and text:
            kept.append(AIMessage(text))
    return kept


def _ids(text: str) -> list[str]:
    return list(dict.fromkeys(_ID.findall(text)))
