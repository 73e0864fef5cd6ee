"""Other names of a space's operations and positions, for models that may know its tables by heart.

A model that was trained on a published table may recall networks of it in place of searching. Where
it is told other names, what it recalls names nothing; what it learns from the evaluations, and what
it knows about an operation by its description, serves as before. Only the texts between model
and program change: niches, features and evaluations are those of the true names.
"""

import re
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from functools import cached_property
from typing import Any

import numpy as np
from pydantic import BaseModel

from pelnas.agents.models.base import LanguageModel, Reply
from pelnas.agents.models.wrappers import Wrapped
from pelnas.calls.call import Message
from pelnas.spaces import SearchSpace

OPERATION, POSITION = "op", "at"  # what other names begin with, followed by a number
UNKNOWN = "unknown_"  # before a true name that a model was not told
NOTHING = "none"  # also what prompts say where there is nothing


@dataclass(frozen=True)
class Names:
    """One-to-one: ``other`` names by the true ones."""

    other: Mapping[str, str]

    @classmethod
    def of(cls, space: SearchSpace, seed: int) -> "Names":
        """Numbered in an order drawn by ``seed``."""
        rng = np.random.default_rng(seed)
        operations = [f"{OPERATION}{i + 1}" for i in rng.permutation(len(space.operations))]
        places = [f"{POSITION}{i + 1}" for i in rng.permutation(len(space.positions))]
        return cls(dict(zip((*space.operations, *space.slots), operations + places, strict=True)))

    def hide(self, text: str) -> str:
        """The text with the other names."""
        return self._hiding(text)

    def reveal(self, text: str) -> str:
        """The text with the true names, where it has the other ones; true ones in it name nothing."""
        return self._revealing(text)

    def hide_all(self, value: Any) -> Any:
        """A JSON document with the other names, in keys as well."""
        if isinstance(value, str):
            return self.hide(value)
        if isinstance(value, Mapping):
            return {self.hide(key): self.hide_all(each) for key, each in value.items()}
        if isinstance(value, list | tuple):
            return [self.hide_all(each) for each in value]
        return value

    @cached_property
    def _hiding(self) -> Callable[[str], str]:
        return _replacing(self.other)

    @cached_property
    def _revealing(self) -> Callable[[str], str]:
        true = {other: true for true, other in self.other.items()}
        return _replacing(true | {name: f"{UNKNOWN}{name}" for name in self.other})


def _replacing(names: Mapping[str, str]) -> Callable[[str], str]:
    longest_first = sorted(names, key=len, reverse=True)
    either = "|".join(map(re.escape, longest_first))
    whole = re.compile(rf"(?<![A-Za-z0-9_])(?:{either})(?![A-Za-z0-9_])")

    def other(found: re.Match[str]) -> str:
        return found.group() if _says_nothing(found) else names[found.group()]

    return lambda text: whole.sub(other, text)


def _says_nothing(found: re.Match[str]) -> bool:
    """Whether it is all that a line, or a line after its heading, says: no operation."""
    if found.group() != NOTHING:
        return False
    before, after = found.string[: found.start()], found.string[found.end() :]
    heading, rest = before.rpartition("\n")[2].rstrip(), after.partition("\n")[0]
    return heading[-1:] in ("", ":") and not rest.strip()


class Renamed(Wrapped):
    """A model that is asked, and answers, by other names; it chooses tools one action at a time."""

    def __init__(self, model: LanguageModel, names: Names) -> None:
        super().__init__(model)
        self.calls_tools = False  # by its provider's protocol, whose texts are not renamed
        self._names = names

    def ask(self, messages: Sequence[Message], schema: type[BaseModel]) -> Reply:
        hidden = [replace(each, content=self._names.hide(each.content)) for each in messages]
        reply = super().ask(hidden, _hidden(schema, self._names))
        return replace(reply, text=self._names.reveal(reply.text))


def _hidden(schema: type[BaseModel], names: Names) -> type[BaseModel]:
    """A schema of the same name whose JSON form has the other names."""

    def model_json_schema(_: type[BaseModel], *args: Any, **kwargs: Any) -> dict[str, Any]:
        found: dict[str, Any] = names.hide_all(schema.model_json_schema(*args, **kwargs))
        return found

    return type(schema.__name__, (schema,), {"model_json_schema": classmethod(model_json_schema)})
