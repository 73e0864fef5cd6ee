"""The language models that a server's owner allows its clients to use."""

import os
from collections.abc import Sequence
from fnmatch import fnmatchcase
from typing import Self

FILES = ("local:", "hand:")  # what reaches files


class ModelOffer:
    """Names of models, and patterns of a provider's models (``openai:*``).

    Files (``local:``, ``hand:``) are offered by their full names only, never by a pattern.
    """

    def __init__(self, names: Sequence[str]) -> None:
        self.names = tuple(names)

    @classmethod
    def from_environment(cls, variable: str) -> Self:
        """From a variable that holds names separated by spaces or commas; unset, it offers none."""
        return cls(os.environ.get(variable, "").replace(",", " ").split())

    def allows(self, name: str) -> bool:
        """Whether a client may choose this ``provider:model``."""
        if ":" in name and name in self.names:
            return True
        patterns = [one for one in self.names if "*" in one]
        return not name.startswith(FILES) and any(fnmatchcase(name, one) for one in patterns)

    def in_words(self) -> str:
        """What may be named, with what is built in."""
        return ", ".join((*self.names, "builtin:evolver"))
