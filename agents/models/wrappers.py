"""Language models around others: limited in concurrency, or billed at a run's stored prices."""

from collections.abc import Callable, Sequence
from contextlib import AbstractContextManager
from dataclasses import replace
from typing import TYPE_CHECKING, Any

from pydantic import BaseModel

from pelnas.agents.models.base import LanguageModel, ModelStep, OptionLogprobs, Reply
from pelnas.calls.call import Message
from pelnas.calls.prices import Rates

if TYPE_CHECKING:
    from langchain_core.messages import BaseMessage
    from langchain_core.tools import BaseTool


class Wrapped(LanguageModel):
    """Another model in everything."""

    def __init__(self, model: LanguageModel) -> None:
        self.name = model.name
        self.priced = model.priced
        self.rates = model.rates
        self.calls_tools = model.calls_tools
        self.tells_logprobs = model.tells_logprobs
        self._model = model

    def ask(self, messages: Sequence[Message], schema: type[BaseModel]) -> Reply:
        return self._model.ask(messages, schema)

    def step(self, messages: "Sequence[BaseMessage]", tools: "Sequence[BaseTool]") -> ModelStep:
        return self._model.step(messages, tools)

    def option_logprobs(
        self, text: str, ends: Sequence[str], options: Sequence[str]
    ) -> OptionLogprobs:
        return self._model.option_logprobs(text, ends, options)

    def redact(self, text: str) -> str:
        return self._model.redact(text)

    def set_deadline(self, minutes_left: Callable[[], float | None]) -> None:
        self._model.set_deadline(minutes_left)

    def stop(self) -> None:
        self._model.stop()

    def close(self) -> None:
        self._model.close()


class Limited(Wrapped):
    """A model that waits for its turn: only so many calls reach its provider at the same time."""

    def __init__(self, model: LanguageModel, turns: AbstractContextManager[Any]) -> None:
        """``turns``: held while a call is under way, such as a semaphore of the provider."""
        super().__init__(model)
        self._turns = turns

    def ask(self, messages: Sequence[Message], schema: type[BaseModel]) -> Reply:
        with self._turns:
            return super().ask(messages, schema)

    def step(self, messages: "Sequence[BaseMessage]", tools: "Sequence[BaseTool]") -> ModelStep:
        with self._turns:
            return super().step(messages, tools)

    def option_logprobs(
        self, text: str, ends: Sequence[str], options: Sequence[str]
    ) -> OptionLogprobs:
        with self._turns:
            return super().option_logprobs(text, ends, options)


class Priced(Wrapped):
    """A model at prices that were kept, whatever today's catalogue says."""

    def __init__(self, model: LanguageModel, rates: Rates) -> None:
        super().__init__(model)
        self.rates = rates
        self.priced = rates.known

    def ask(self, messages: Sequence[Message], schema: type[BaseModel]) -> Reply:
        return self._priced(super().ask(messages, schema))

    def step(self, messages: "Sequence[BaseMessage]", tools: "Sequence[BaseTool]") -> ModelStep:
        step = super().step(messages, tools)
        return replace(step, reply=self._priced(step.reply))

    def option_logprobs(
        self, text: str, ends: Sequence[str], options: Sequence[str]
    ) -> OptionLogprobs:
        weighed = super().option_logprobs(text, ends, options)
        return replace(weighed, reply=self._priced(weighed.reply))

    def _priced(self, reply: Reply) -> Reply:
        assert self.rates is not None  # noqa: S101 - given to the constructor
        return replace(reply, usage=reply.usage.at(self.rates.dollars(reply.usage)))
