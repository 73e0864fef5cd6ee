"""Which language model interprets natural language in a conversation, and who may choose it.

A served conversation is open to clients, so that a model is taken only where the
server's owner allows it, by the environment variable PELNAS_CHAT_MODELS: names, apart by
spaces or commas, of which the first is used where nobody names one. A name may be a
pattern of a provider's models (``openai:*``), or ``run`` for the model of the run that is
talked about, if that is allowed as well. Files (``local:``, ``hand:``) are allowed by
their full names only. Addresses come from the environment, never from a client or a run.
"""

import threading
from collections.abc import Callable, Sequence
from typing import Protocol, Self
from weakref import finalize

from pelnas.agents.models.base import LanguageModel, RetryPolicy
from pelnas.agents.models.connection import connect
from pelnas.agents.models.wrappers import Wrapped
from pelnas.config import BUILTIN, SearchConfig
from pelnas.errors import ModelError
from pelnas.graph.chat.allowlist import ModelOffer

VARIABLE = "PELNAS_CHAT_MODELS"
OF_RUN = "run"
OPEN = 8  # models that stay connected at the same time
PATIENCE = RetryPolicy(timeout=60.0, attempts=2, total=60.0)  # a person waits


class ModelSelector(Protocol):
    """Chooses the model that reads natural language."""

    def of(self, name: str, config: Callable[[], SearchConfig]) -> LanguageModel | None:
        """The model that somebody names ('' for nobody); ``None``: commands only.

        ``config``: of the run that is talked about. ModelError: it is not offered, or
        cannot be connected to.
        """


class OneModel:
    """One model, or none, whatever somebody names."""

    def __init__(self, model: LanguageModel | None) -> None:
        self._model = model

    def of(self, name: str, config: Callable[[], SearchConfig]) -> LanguageModel | None:
        return self._model


class OfferedModels:
    """The models that a server's owner allows, each connected at its first use."""

    def __init__(self, offered: Sequence[str]) -> None:
        self._offer = ModelOffer(offered)
        self._connected: dict[str, LanguageModel] = {}
        self._lock = threading.Lock()

    @classmethod
    def from_environment(cls) -> Self:
        return cls(ModelOffer.from_environment(VARIABLE).names)

    def of(self, name: str, config: Callable[[], SearchConfig]) -> LanguageModel | None:
        offered = self._offer.names
        wanted = name or (offered[0] if offered else "")
        if wanted == OF_RUN and OF_RUN in offered:
            wanted = config().model
            if not name and not self._offer.allows(wanted):
                return None
        elif not name and "*" in wanted:
            return None
        if not wanted or wanted.startswith(BUILTIN):
            return None
        if not self._offer.allows(wanted):
            raise ModelError(
                f"model {wanted[:80]!r} is not offered in this conversation:"
                f" name one of {self._offer.in_words()}"
            )
        return self._connect(wanted)

    def _connect(self, name: str) -> LanguageModel:
        with self._lock:
            if name not in self._connected:
                model = connect(name, temperature=steady(name), retry=PATIENCE)
                self._connected[name] = lent = Wrapped(model)
                finalize(lent, model.close)  # dropped here, it may still be answering somebody
                if len(self._connected) > OPEN:
                    self._connected.pop(next(iter(self._connected)))
            return self._connected[name]


def steady(name: str) -> float | None:
    """A local model reads the same words the same way; providers keep their own temperature."""
    return 0.0 if name.startswith("local:") else None
