"""Language models around others: they wait for their turn, or cost what they cost before."""

from collections.abc import Callable, Sequence
from contextlib import AbstractContextManager
from dataclasses import replace
from typing import TYPE_CHECKING, Any

from pydantic import BaseModel

from pelnas.agents.models.base import LanguageModel, Move, Reply, Weighed
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
        self.weighs = model.weighs
        self._model = model

    def ask(self, messages: Sequence[Message], schema: type[BaseModel]) -> Reply:
        return self._model.ask(messages, schema)

    def move(self, messages: "Sequence[BaseMessage]", tools: "Sequence[BaseTool]") -> Move:
        return self._model.move(messages, tools)

    def weigh(self, text: str, ends: Sequence[str], options: Sequence[str]) -> Weighed:
        return self._model.weigh(text, ends, options)

    def redact(self, text: str) -> str:
        return self._model.redact(text)

    def heed(self, minutes_left: Callable[[], float | None]) -> None:
        self._model.heed(minutes_left)

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

    def move(self, messages: "Sequence[BaseMessage]", tools: "Sequence[BaseTool]") -> Move:
        with self._turns:
            return super().move(messages, tools)

    def weigh(self, text: str, ends: Sequence[str], options: Sequence[str]) -> Weighed:
        with self._turns:
            return super().weigh(text, ends, options)


class Priced(Wrapped):
    """A model at prices that were kept, whatever today's catalogue says."""

    def __init__(self, model: LanguageModel, rates: Rates) -> None:
        super().__init__(model)
        self.rates = rates
        self.priced = rates.known

    def ask(self, messages: Sequence[Message], schema: type[BaseModel]) -> Reply:
        return self._priced(super().ask(messages, schema))

    def move(self, messages: "Sequence[BaseMessage]", tools: "Sequence[BaseTool]") -> Move:
        move = super().move(messages, tools)
        return replace(move, reply=self._priced(move.reply))

    def weigh(self, text: str, ends: Sequence[str], options: Sequence[str]) -> Weighed:
        weighed = super().weigh(text, ends, options)
        return replace(weighed, reply=self._priced(weighed.reply))

    def _priced(self, reply: Reply) -> Reply:
        spent = reply.tokens_in, reply.tokens_out, reply.tokens_cached
        assert self.rates is not None  # noqa: S101 - given to the constructor
        return replace(reply, dollars=self.rates.dollars(*spent))
