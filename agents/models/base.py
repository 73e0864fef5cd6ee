"""What every language model offers here."""

from abc import ABC, abstractmethod
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

from pydantic import BaseModel

from pelnas.calls.call import Message
from pelnas.calls.prices import Rates
from pelnas.calls.usage import Usage
from pelnas.errors import ModelCallError, ToolsRefusedError

if TYPE_CHECKING:
    from langchain_core.messages import AIMessage, BaseMessage
    from langchain_core.tools import BaseTool

TAKES_NO_TOOLS = "called no tools"  # in every ToolsRefusedError, by which a record is known


@dataclass(frozen=True, slots=True)
class Reply:
    """An answer as the provider gave it.

    ``text``: the raw text, JSON if the model obeyed. ``usage``: what it took, its
    seconds with retries included. ``model``: the name under which the provider answered.
    ``rung``: how the answer was constrained to its schema, '' if unknown.
    """

    text: str
    usage: Usage
    model: str
    rung: str = ""


@dataclass(frozen=True, slots=True)
class ModelStep:
    """What a model does next where it has tools: it calls some, or it says something.

    ``message``: as it is sent back with the tools' answers. ``reply``: what it says, without
    the calls, and what that cost. ``record``: how it was recorded, where it only repeats that.
    """

    message: "AIMessage"
    reply: Reply
    record: str = ""


@dataclass(frozen=True, slots=True)
class OptionLogprobs:
    """How likely each option follows a text.

    ``logs``: for each end of the text the natural logarithm of each option's probability.
    ``reply``: what it cost; its text is the likeliest option for each end, as a JSON list.
    """

    logs: tuple[Mapping[str, float], ...]
    reply: Reply


@dataclass(frozen=True, slots=True)
class RetryPolicy:
    """How long a failing provider is asked again.

    ``timeout``: seconds that one request may stay silent; ``attempts``: requests for
    one call; ``total``: seconds after which no further attempt begins;
    ``first_wait``: seconds that the random backoff starts from, doubling each time.
    Silence is not all that takes time: ``timeout`` after ``total`` the call is over,
    whatever is still coming (``deadline``).
    """

    timeout: float = 120.0
    attempts: int = 5
    total: float = 300.0
    first_wait: float = 1.0

    @property
    def deadline(self) -> float:
        """Seconds after which a call has ended, with an answer or without."""
        return self.total + self.timeout


class LanguageModel(ABC):
    """A model that answers structured questions. May be asked from several threads."""

    name: str  # ``provider:model``, as asked for
    priced: bool = False  # whether every reply carries its dollars, which a limit of dollars needs
    rates: Rates | None = None  # of today's catalogue; ``None``: nobody sends a bill by tokens
    calls_tools: bool = False  # whether ``step`` may be tried
    tells_logprobs: bool = False  # whether ``option_logprobs`` may be called

    @abstractmethod
    def ask(self, messages: Sequence[Message], schema: type[BaseModel]) -> Reply:
        """One answer that should be JSON of ``schema``; it is not validated here.

        ModelCallError: the provider failed after its retries, or refused the request;
        the message never holds a key. Stopped, BudgetExhausted: the search ends, and
        waits no longer.
        """

    def step(self, messages: "Sequence[BaseMessage]", tools: "Sequence[BaseTool]") -> ModelStep:
        """What the model does next in a conversation with tools, which it does not run itself.

        ToolsRefusedError: the model or its server takes no tools. ModelCallError: as in ``ask``.
        """
        raise ToolsRefusedError(f"{self.name} {TAKES_NO_TOOLS}")

    def redact(self, text: str) -> str:
        """A text without the keys that this model is reached by."""
        return text

    def option_logprobs(
        self, text: str, ends: Sequence[str], options: Sequence[str]
    ) -> OptionLogprobs:
        """How likely the text, with each of its ends, goes on with each of the options.

        Plain text, in no chat form. An option counts by its first token: options should
        begin differently. ModelCallError: as in ``ask``, or the model reports no probabilities.
        """
        raise ModelCallError(f"{self.name} gives no probabilities")

    def set_deadline(self, minutes_left: Callable[[], float | None]) -> None:
        """A search begins to use the model, and may still take so long; ``None``: without a limit.

        Only a model that waits for a person or a server needs to know: other calls end by
        themselves.
        """

    def stop(self) -> None:
        """The search is to stop: end what only somebody else could end; other calls may go on."""

    def close(self) -> None:
        """Release what the model holds; a second call does nothing."""
