"""What a conversation asks of models: counted and bounded on its account, and written down."""

import json
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

from pydantic import BaseModel

from pelnas.agents.models.base import LanguageModel, ModelStep, OptionLogprobs, Reply
from pelnas.agents.models.provider_errors import without_keys
from pelnas.agents.models.reply_checks import received
from pelnas.agents.models.wrappers import Wrapped
from pelnas.budget import Meter, Spent
from pelnas.calls.call import Message
from pelnas.calls.prices import in_words
from pelnas.calls.usage import Usage
from pelnas.config import Budget
from pelnas.errors import BudgetExhausted, StoreError
from pelnas.store.conversations import TalkCall
from pelnas.text import plural

if TYPE_CHECKING:
    from langchain_core.messages import AIMessage, BaseMessage
    from langchain_core.tools import BaseTool

NO_LIMITS = Budget()
LONGEST = 6_000  # characters of a tool call's arguments that are kept
ROLES = {"human": "user", "ai": "assistant"}  # LangChain's names where a run's calls have others


class Account:
    """What one conversation has spent, over all models and runs, and may spend."""

    def __init__(self, limits: Budget = NO_LIMITS, before: Spent | None = None) -> None:
        """``before``: what it had spent when the account was last closed."""
        self._limits = limits
        self._spent = before or Spent()
        self._meter = Meter(limits, self)

    def spent(self) -> Spent:
        """Everything so far."""
        return self._spent

    def add_seconds(self, seconds: float) -> None:
        """Time is not counted: it passes between two lines, too."""

    def before_call(self) -> None:
        """BudgetExhausted: a limit is reached, in a sentence for the person."""
        try:
            self._meter.before_call()
        except BudgetExhausted:
            lines = self._meter.used_up()
            larger = " or ".join(f"--max-{line.name}" for line in lines)
            raise BudgetExhausted(
                f"this conversation has spent {' and '.join(map(str, lines))}: commands work as"
                f" ever, see /help; free words take another conversation, with a larger {larger}"
            ) from None

    def after_call(self, usage: Usage) -> None:
        """Settle a call."""
        self._spent = self._spent.with_call(usage)
        self._meter.after_call(usage)

    def __str__(self) -> str:
        spent, limits = self._spent, self._limits
        tokens = "" if limits.tokens is None else f" of at most {limits.tokens:,}"
        dollars = "" if limits.dollars is None else f" of at most {in_words(limits.dollars)}"
        return (
            f"this conversation: {spent.calls} {plural(spent.calls, 'model call')},"
            f" {spent.tokens:,} tokens{tokens}, {in_words(spent.dollars, spent.unpriced)}{dollars}"
        )


@dataclass(frozen=True, slots=True)
class Scene:
    """What a request is part of. ``talk``: the conversation, by a short name."""

    talk: str
    author: str
    words: str


class Accounted(Wrapped):
    """A model whose requests go on an account, and are written down without its keys."""

    def __init__(
        self,
        model: LanguageModel,
        account: Account,
        scene: Scene,
        keep: Callable[[TalkCall], None],
    ) -> None:
        """``keep`` may raise StoreError, which ends nothing: see ``unkept``."""
        super().__init__(model)
        self._account = account
        self._scene = scene
        self._keep = keep
        self.unkept = ""  # why something could not be written down

    def ask(self, messages: Sequence[Message], schema: type[BaseModel]) -> Reply:
        with self._call(messages) as answered:
            reply = received(super().ask(messages, schema), messages)
            answered(reply, reply.text)
        return reply

    def step(self, messages: "Sequence[BaseMessage]", tools: "Sequence[BaseTool]") -> ModelStep:
        asked = [_message(each) for each in messages]
        with self._call(asked) as answered:
            step = super().step(messages, tools)
            step = replace(step, reply=received(step.reply, asked))
            answered(step.reply, _with_calls(step.reply.text, step.message))
        return step

    def option_logprobs(
        self, text: str, ends: Sequence[str], options: Sequence[str]
    ) -> OptionLogprobs:
        asked = [Message("user", text), *(Message("user", end) for end in ends)]
        with self._call(asked) as answered:
            weighed = super().option_logprobs(text, ends, options)
            weighed = replace(weighed, reply=received(weighed.reply, asked))
            answered(weighed.reply, weighed.reply.text)
        return weighed

    @contextmanager
    def _call(self, messages: Sequence[Message]) -> Iterator[Callable[[Reply, str], None]]:
        """One request, from the prompt to the model's answer."""
        self._account.before_call()
        number = self._account.spent().calls + 1
        call = TalkCall(
            id=f"{self._scene.talk}.{number}",
            time=time.time(),
            author=self._scene.author,
            words=self._clean(self._scene.words),
            model=self.name,
            messages=tuple(Message(m.role, self._clean(m.content)) for m in messages),
        )

        def answered(reply: Reply, answer: str) -> None:
            nonlocal call
            call = replace(
                call,
                answered_by=reply.model,
                answer=self._clean(answer),
                usage=reply.usage,
                outcome="ok",
            )

        try:
            yield answered
        except Exception as error:
            call = replace(call, problem=self._clean(str(error) or type(error).__name__))
            raise
        finally:
            self._account.after_call(call.usage)
            self._write(call)

    def _write(self, call: TalkCall) -> None:
        try:
            self._keep(call)
        except StoreError as error:
            self.unkept = str(error)

    def _clean(self, text: str) -> str:
        return without_keys(self.redact(text))


def _message(message: "BaseMessage") -> Message:
    """One of LangChain's messages, as those of a run are kept."""
    said = str(message.text)
    if message.type == "ai":
        said = _with_calls(said, message)  # type: ignore[arg-type] # the type says it
    return Message(ROLES.get(message.type, message.type), said)


def _with_calls(text: str, message: "AIMessage") -> str:
    """A text, and under it each tool that is called, with its arguments."""
    calls = [*message.tool_calls, *message.invalid_tool_calls]
    told = [f"{c['name']} {json.dumps(c['args'], ensure_ascii=False)[:LONGEST]}" for c in calls]
    return "\n".join(filter(None, (text, *told)))
