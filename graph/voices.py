"""Which language model reads free words in a conversation, and who may choose it.

A served conversation is open to clients, so that a model is taken only where the
server's owner allows it, by the environment variable PELNAS_CHAT_MODELS: names, apart by
spaces or commas, of which the first is used where nobody names one. A name may be a
pattern of a provider's models (``openai:*``), or ``run`` for the model of the run that is
talked about, if that is allowed as well. Files (``local:``, ``hand:``) are allowed by
their full names only. Addresses come from the environment, never from a client or a run.
"""

import os
import threading
from collections.abc import Callable, Sequence
from fnmatch import fnmatchcase
from typing import Protocol, Self

from pelnas.agents.models import LanguageModel, Patience, connect
from pelnas.config import BUILTIN, SearchConfig
from pelnas.errors import ModelError

VARIABLE = "PELNAS_CHAT_MODELS"
OF_RUN = "run"
FILES = ("local:", "hand:")  # what reaches files
OPEN = 8  # models that stay connected at the same time
PATIENCE = Patience(timeout=60.0, attempts=2, total=60.0)  # a person waits


class Voices(Protocol):
    """Chooses the model that reads free words."""

    def of(self, name: str, config: Callable[[], SearchConfig]) -> LanguageModel | None:
        """The model that somebody names ('' for nobody); ``None``: commands only.

        ``config``: of the run that is talked about. ModelError: it is not offered, or
        cannot be connected to.
        """


class OneVoice:
    """One model, or none, whatever somebody names."""

    def __init__(self, model: LanguageModel | None) -> None:
        self._model = model

    def of(self, name: str, config: Callable[[], SearchConfig]) -> LanguageModel | None:
        return self._model


class OfferedVoices:
    """The models that a server's owner allows, each connected at its first use."""

    def __init__(self, offered: Sequence[str]) -> None:
        self._offered = tuple(offered)
        self._connected: dict[str, LanguageModel] = {}
        self._lock = threading.Lock()

    @classmethod
    def from_environment(cls) -> Self:
        return cls(os.environ.get(VARIABLE, "").replace(",", " ").split())

    def of(self, name: str, config: Callable[[], SearchConfig]) -> LanguageModel | None:
        wanted = name or (self._offered[0] if self._offered else "")
        if wanted == OF_RUN and OF_RUN in self._offered:
            wanted = config().model
            if not name and not self._allows(wanted):
                return None
        elif not name and "*" in wanted:
            return None
        if not wanted or wanted.startswith(BUILTIN):
            return None
        if not self._allows(wanted):
            offered = ", ".join((*self._offered, "builtin:evolver"))
            raise ModelError(
                f"model {wanted[:80]!r} is not offered in this conversation: name one of {offered}"
            )
        return self._connect(wanted)

    def _allows(self, name: str) -> bool:
        if name in self._offered and name != OF_RUN:
            return True
        patterns = [one for one in self._offered if "*" in one]
        return not name.startswith(FILES) and any(fnmatchcase(name, one) for one in patterns)

    def _connect(self, name: str) -> LanguageModel:
        with self._lock:
            if name not in self._connected:
                model = connect(name, temperature=steady(name), patience=PATIENCE)
                self._connected[name] = model
                if len(self._connected) > OPEN:
                    self._connected.pop(next(iter(self._connected)))
            return self._connected[name]


def steady(name: str) -> float | None:
    """A local model reads the same words the same way; providers keep their own temperature."""
    return 0.0 if name.startswith("local:") else None
