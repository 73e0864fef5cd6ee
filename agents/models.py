"""What every language model offers here, and how a name becomes one.

Importing this module is cheap: LangChain and llama.cpp are loaded by ``connect``.
"""

import os
from abc import ABC, abstractmethod
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

from pydantic import BaseModel

from pelnas import address
from pelnas.call import Message
from pelnas.errors import ModelCallError, ModelError, ToolsRefusedError
from pelnas.prices import Rates

if TYPE_CHECKING:
    from langchain_core.messages import AIMessage, BaseMessage
    from langchain_core.tools import BaseTool

OWN_SERVERS = {
    "openai": ("OPENAI_BASE_URL", "OPENAI_API_BASE"),
    "anthropic": ("ANTHROPIC_API_URL", "ANTHROPIC_BASE_URL"),
    "google_genai": ("GOOGLE_GEMINI_BASE_URL",),
}  # variables of the providers' clients, which name another address


@dataclass(frozen=True, slots=True)
class Reply:
    """An answer as the provider gave it.

    ``text``: the raw text, JSON if the model obeyed. ``seconds``: wall time,
    retries included. ``model``: the name under which the provider answered.
    ``tokens_cached`` and ``tokens_reasoning``: parts of in and out, where it tells.
    ``dollars``: what the call cost; ``None``: unknown. ``rung``: how the answer was
    held to its form, '' where nobody knows.
    """

    text: str
    tokens_in: int
    tokens_out: int
    seconds: float
    model: str
    tokens_cached: int | None = None
    tokens_reasoning: int | None = None
    dollars: float | None = None
    rung: str = ""

    @property
    def tokens(self) -> int:
        return self.tokens_in + self.tokens_out


@dataclass(frozen=True, slots=True)
class Move:
    """What a model does next where it has tools: it calls some, or it says something.

    ``message``: as it is sent back with the tools' answers. ``reply``: what it says, without
    the calls, and what that cost.
    """

    message: "AIMessage"
    reply: Reply


@dataclass(frozen=True, slots=True)
class Weighed:
    """How likely each option follows a text.

    ``logs``: for each end of the text the natural logarithm of each option's probability.
    ``reply``: what it cost; its text is the likeliest option for each end, as a JSON list.
    """

    logs: tuple[Mapping[str, float], ...]
    reply: Reply


@dataclass(frozen=True, slots=True)
class Patience:
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
    priced: bool = False  # whether every reply tells its dollars: a limit of dollars needs that
    rates: Rates | None = None  # of today's catalogue; ``None``: nobody sends a bill by tokens
    calls_tools: bool = False  # whether ``move`` may be tried
    weighs: bool = False  # whether ``weigh`` may be called

    @abstractmethod
    def ask(self, messages: Sequence[Message], schema: type[BaseModel]) -> Reply:
        """One answer that should be JSON of ``schema``; it is not validated here.

        ModelCallError: the provider failed after its retries, or refused the request;
        the message never holds a key. Stopped, BudgetExhausted: the search ends, and
        waits no longer.
        """

    def move(self, messages: "Sequence[BaseMessage]", tools: "Sequence[BaseTool]") -> Move:
        """What the model does next in a conversation with tools, which it does not run itself.

        ToolsRefusedError: the model or its server takes no tools. ModelCallError: as in ``ask``.
        """
        raise ToolsRefusedError(f"{self.name} calls no tools")

    def redact(self, text: str) -> str:
        """A text without the keys that this model is reached by."""
        return text

    def weigh(self, text: str, ends: Sequence[str], options: Sequence[str]) -> Weighed:
        """How likely the text, with each of its ends, goes on with each of the options.

        Plain text, in no chat form. An option counts by its first token: options should
        begin differently. ModelCallError: as in ``ask``, or the model tells no probabilities.
        """
        raise ModelCallError(f"{self.name} tells no probabilities")

    def heed(self, minutes_left: Callable[[], float | None]) -> None:
        """A search begins to use the model, and may still take so long; ``None``: without a limit.

        Only a model that waits for a person or a server needs to know: other calls end by
        themselves.
        """

    def stop(self) -> None:
        """The search is to stop: end what only somebody else could end; other calls may go on."""

    def close(self) -> None:
        """Release what the model holds; a second call does nothing."""


def own_server(name: str, base_url: str | None) -> str | None:
    """The server that answers in the place of a model's provider; ``None``: the provider's own does.

    ``base_url`` is for the ``openai`` provider; the others, too, have variables of their clients.
    Where it is as a run keeps it, without its key, the variables are to name the whole of it.
    ModelError: they do not.
    """
    provider = name.partition(":")[0]
    found = (os.environ.get(variable) for variable in OWN_SERVERS.get(provider, ()))
    named = [server.strip() for server in found if server and server.strip()]
    if not base_url or provider != "openai":
        return next(iter(named), None)
    if address.HIDDEN not in base_url:
        return base_url
    whole = next((server for server in named if address.shown(server) == base_url), None)
    if whole is None:
        raise ModelError(
            f"the address of this run's model server, {base_url}, is kept without its key:"
            f" set the variable {OWN_SERVERS[provider][0]} to the whole address"
        )
    return whole


def connect(
    name: str,
    *,
    base_url: str | None = None,
    temperature: float | None = None,
    patience: Patience | None = None,
) -> LanguageModel:
    """The language model of a ``provider:model`` name, ready to be asked.

    ``local:PATH.gguf`` loads the file into this process; ``hand:FOLDER`` asks a person
    by files; any other provider is one of
    LangChain's. ``base_url`` is of an OpenAI-compatible server and is used by the
    ``openai`` provider only. ``temperature`` is sent only when it is given.
    ModelError: no such provider, a package, key or file is missing, or the file is no
    model; it is raised here and not at the first call.
    """
    provider, _, model = name.partition(":")
    if not provider or not model:
        raise ModelError(
            f"expected a model as provider:model, found {name!r}:"
            " name one such as openai:gpt-5-mini, ollama:qwen3 or local:model.gguf"
        )
    if provider == "builtin":
        raise ModelError(
            f"{name} designs without a language model: it cannot be connected to, name a provider's"
        )
    if provider == "local":
        from pelnas.agents.local import LocalModel

        return LocalModel(model, temperature=temperature)
    if provider == "hand":
        from pelnas.agents.by_hand import HandModel

        return HandModel(model)
    from pelnas.agents.providers import connect_provider

    return connect_provider(name, base_url, temperature, patience or Patience())
