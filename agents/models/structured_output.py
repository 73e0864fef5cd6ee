"""Structured output: by the provider's own JSON schema, by a tool call, or by the prompt alone.

Answers come back raw from every rung, without LangChain's parsers behind them:
they are validated where they can be sent back, and a parser would raise on a
broken one, and take minutes over a long one.
"""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import partial
from typing import Any, Literal, TypeVar

from langchain_core.exceptions import ContextOverflowError
from langchain_core.language_models import BaseChatModel
from langchain_core.messages import AIMessage, BaseMessage, HumanMessage, SystemMessage
from langchain_core.runnables import Runnable, RunnableSequence
from langchain_core.tools import BaseTool
from pydantic import BaseModel, ValidationError

from pelnas.agents.models.json_answer import schema_text, strict_schema
from pelnas.agents.models.provider_errors import refuses_system, status
from pelnas.calls.call import Message

NATIVE = "the provider's own schema"
TOOL_CALL = "a tool call"
IN_TEXT = "JSON in text"
_REFUSED = (400, 415, 422, 501)  # what servers say to a form that they lack
_UNSEEN = "nostream"  # LangGraph's tag for messages that are not yet an answer
_BROKEN = (404, 500)  # what some say to tools; it may also pass, and is not held against them

M = TypeVar("M", Message, BaseMessage)
T = TypeVar("T")
#: Sends messages, and gives what came back.
Ask = Callable[[Sequence[M]], T]
#: Sends a request until there is an answer or nobody waits any longer.
Persist = Callable[[Callable[[], AIMessage]], AIMessage]


class FormRefusedError(Exception):
    """The server does not do this kind of structured output.

    ``lasting``: whether it never will. ``answer``: what it sent in place of one in
    the form, and what it counts as spent.
    """

    def __init__(
        self, reason: str, *, lasting: bool = True, answer: AIMessage | None = None
    ) -> None:
        super().__init__(reason)
        self.lasting = lasting
        self.answer = answer


class SystemRefusedError(FormRefusedError):
    """The server takes no system message, as the templates of some models have no place for it."""


@dataclass(frozen=True, slots=True)
class Constrained:
    """An answer, the rung that served, and messages without an answer that were paid for before."""

    message: AIMessage
    rung: str
    spent: tuple[AIMessage, ...] = ()


class Ladder:
    """The rungs of one chat model, the best first; may be climbed from several threads.

    A question goes down until a rung serves. Where rungs were refused before any had
    answered, the one that then served is where later questions begin; a rung that has
    answered once stays the first, whatever a later question meets there. Where the server
    takes no system message, what it would say stands before the first message of the user,
    from then on.
    """

    def __init__(self, chat: BaseChatModel, first: str = NATIVE) -> None:
        """``first``: what the highest rung is called."""
        self.chat = chat
        self._names = (first, TOOL_CALL, IN_TEXT)
        self._start = 0
        self._proven = False  # whether the rung to start from has answered
        self._merges = False  # whether the server is known to take no system message

    def climb(
        self, messages: Sequence[Message], schema: type[BaseModel], persist: Persist
    ) -> Constrained:
        """The answer of the first rung that serves. Whatever ``persist`` raises but refusals.

        FormRefusedError: the server takes the messages in no way.
        """
        return self._placing(messages, merged, lambda asked: self._down(asked, schema, persist))

    def step(
        self, messages: Sequence[BaseMessage], tools: Sequence[BaseTool], persist: Persist
    ) -> AIMessage:
        """What the model does next where it may call tools. FormRefusedError: it takes none."""
        return self._placing(
            messages,
            merged_moves,
            lambda asked: persist(lambda: with_tools(self.chat, asked, tools)),
        )

    def _placing(
        self, messages: Sequence[M], merge: Callable[[Sequence[M]], list[M]], ask: Ask[M, T]
    ) -> T:
        """Ask with the system message where the server takes it."""
        if self._merges:
            return ask(merge(messages))
        try:
            return ask(messages)
        except SystemRefusedError:
            if merge(messages) == list(messages):
                raise
        answer = ask(merge(messages))
        self._merges = True
        return answer

    def _down(
        self, messages: Sequence[Message], schema: type[BaseModel], persist: Persist
    ) -> Constrained:
        lasting, spent = True, []
        for place in range(self._start, len(_RUNGS)):  # the last one refuses no form
            try:
                message = persist(partial(_RUNGS[place], self.chat, messages, schema))
                break
            except SystemRefusedError:
                raise
            except FormRefusedError as refusal:
                lasting = lasting and refusal.lasting
                spent += [refusal.answer] if refusal.answer is not None else []
        called = calls_tool(message)
        if called or message.text:
            self._remember(place, lasting)
        return Constrained(message, TOOL_CALL if called else self._names[place], tuple(spent))

    def _remember(self, place: int, lasting: bool) -> None:
        if place == self._start:
            self._proven = True
        elif not self._proven and lasting:
            self._start, self._proven = place, True


def calls_tool(message: AIMessage) -> bool:
    """Whether a message calls a tool, with arguments that can be read or not."""
    return bool(message.tool_calls or message.invalid_tool_calls)


def merged(messages: Sequence[Message]) -> list[Message]:
    """The messages with the words of the system before the first ones of the user."""
    system = [message.content for message in messages if message.role == "system"]
    others = [message for message in messages if message.role != "system"]
    if not system or not others or others[0].role != "user":
        return list(messages)
    first = "\n\n".join([*system, others[0].content])
    return [Message("user", first), *others[1:]]


def merged_moves(messages: Sequence[BaseMessage]) -> list[BaseMessage]:
    """The same for messages that may call tools."""
    system = [str(message.text) for message in messages if isinstance(message, SystemMessage)]
    others = [message for message in messages if not isinstance(message, SystemMessage)]
    if not system or not others or not isinstance(others[0], HumanMessage):
        return list(messages)
    first = "\n\n".join([*system, str(others[0].text)])
    return [HumanMessage(first), *others[1:]]


def with_tools(
    chat: BaseChatModel, messages: Sequence[BaseMessage], tools: Sequence[BaseTool]
) -> AIMessage:
    """What a chat model does next where it may call tools: any of them, several, or none.

    FormRefusedError: it takes no tools.
    """
    try:
        bound = chat.bind_tools(tools)
    except (NotImplementedError, TypeError, ValueError) as error:
        raise FormRefusedError(str(error) or "its client has no tools") from error
    return _invoke(bound, list(messages))


def _native(chat: BaseChatModel, messages: Sequence[Message], schema: type[BaseModel]) -> AIMessage:
    # A form that is no class keeps the client of OpenAI from validating too.
    strict = {"strict": True} if chat._llm_type == "openai-chat" else {}
    held = _constrained(chat, strict_schema(schema), "json_schema", **strict)
    return _invoke(held, _as_langchain(messages))


def _by_tool(
    chat: BaseChatModel, messages: Sequence[Message], schema: type[BaseModel]
) -> AIMessage:
    held = _constrained(chat, strict_schema(schema), "function_calling")
    answer = _invoke(held, _as_langchain(messages), _BROKEN)
    if not calls_tool(answer):  # some servers take tools and then know nothing of them
        raise FormRefusedError("it called no tool", answer=answer)
    return answer


def _in_text(
    chat: BaseChatModel, messages: Sequence[Message], schema: type[BaseModel]
) -> AIMessage:
    form = (
        "\n\nAnswer with one JSON object and nothing else, no code fence and no comment."
        f" It must fit this JSON schema: {schema_text(schema)}"
    )
    *before, last = messages
    asked = [*before, Message(last.role, last.content + form)]
    answer: AIMessage = _send(chat, _as_langchain(asked))
    return answer


_RUNGS = (_native, _by_tool, _in_text)


def _constrained(
    chat: BaseChatModel,
    form: dict[str, Any],
    method: Literal["json_schema", "function_calling"],
    **settings: Any,
) -> Runnable[Any, Any]:
    """The chat model constrained to a schema, without the parser."""
    try:
        chain = chat.with_structured_output(form, method=method, **settings)
    except (NotImplementedError, TypeError, ValueError) as error:
        raise FormRefusedError(str(error)) from None
    return chain.first if isinstance(chain, RunnableSequence) else chain


def _send(chat: Runnable[Any, Any], messages: Sequence[Any]) -> Any:
    """What comes back. SystemRefusedError: the server takes no system message."""
    try:
        return chat.invoke(messages, {"tags": [_UNSEEN]})
    except Exception as error:
        if refuses_system(error):
            raise SystemRefusedError(str(error)) from None
        raise


def _invoke(
    held: Runnable[Any, Any], messages: Sequence[Any], broken: Sequence[int] = ()
) -> AIMessage:
    """The answer as it is. FormRefusedError: by a status that says so, or one of ``broken``."""
    try:
        answer = _send(held, messages)
    except FormRefusedError:
        raise
    except ValidationError as error:  # arguments that are no object fit into no message
        raise FormRefusedError(_misfit(error), lasting=False) from None
    except Exception as error:
        cut_off = _cut_off(error)
        if cut_off is not None:
            return cut_off
        code = status(error)
        if code in (*_REFUSED, *broken) and not isinstance(error, ContextOverflowError):
            raise FormRefusedError(str(error), lasting=code in _REFUSED) from None
        raise
    if not isinstance(answer, AIMessage):
        raise FormRefusedError(f"it answered with {type(answer).__name__}")
    return answer


def _misfit(error: ValidationError) -> str:
    """What of an answer fits into no message, in one line."""
    first = error.errors(include_url=False, include_input=False, include_context=False)[0]
    return f"its answer has {'.'.join(map(str, first['loc']))}: {first['msg'].lower()}"


def _as_langchain(messages: Sequence[Message]) -> list[tuple[str, str]]:
    return [(message.role, message.content) for message in messages]


def _cut_off(error: Exception) -> AIMessage | None:
    """The unfinished answer that OpenAI's client raises instead of returning it."""
    completion = getattr(error, "completion", None)
    if completion is None:
        return None
    usage = completion.usage
    return AIMessage(
        completion.choices[0].message.content or "",
        response_metadata={"model_name": completion.model},
        usage_metadata=None
        if usage is None
        else {
            "input_tokens": usage.prompt_tokens,
            "output_tokens": usage.completion_tokens,
            "total_tokens": usage.total_tokens,
        },
    )
