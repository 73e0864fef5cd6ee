"""Prompts within a limit of tokens: what matters least is left out, whole lines at a time."""

from collections.abc import Callable
from dataclasses import dataclass
from typing import TypeVar

from pelnas.calls import tokens
from pelnas.calls.call import Message
from pelnas.errors import PromptLimitError

B = TypeVar("B")
Texts = tuple[str, str]  # of the system and of the user


@dataclass(frozen=True, slots=True)
class Limit:
    """Tokens that a prompt may have, ``None``: any number.

    ``model``: whose tokens they are, ``provider:model``. ``more``: texts that follow the prompt.
    """

    tokens: int | None
    model: str
    more: Texts = ("", "")

    def holds(self, said: Texts) -> bool:
        """Whether a prompt with what follows it is within the limit."""
        return self.tokens is None or self.size(said) <= self.tokens

    def size(self, said: Texts) -> int:
        """Tokens of a prompt with what follows it."""
        texts = ("\n\n".join(part) for part in zip(said, self.more, strict=True))
        messages = [
            Message(role, text) for role, text in zip(("system", "user"), texts, strict=True)
        ]
        return tokens.estimate(messages, self.model)


def fitted(
    brief: B, render: Callable[[B], Texts], shorter: Callable[[B], B | None], limit: Limit
) -> tuple[B, Texts]:
    """The largest brief within the limit, and its prompt.

    ``shorter``: the brief with one item less, ``None`` where nothing may be left out. Prompts
    are expected to get shorter with each item, so that few are rendered to find the largest.
    PromptLimitError: even the shortest is longer than the limit.
    """
    said = render(brief)
    if limit.holds(said):
        return brief, said
    briefs = [brief]
    while (less := shorter(briefs[-1])) is not None:
        briefs.append(less)
    said = render(briefs[-1])
    if not limit.holds(said):
        raise PromptLimitError(
            f"expected a prompt of at most {limit.tokens} tokens for {limit.model}, found"
            f" {limit.size(said)} in the shortest: raise prompt_tokens or shorten the prompt"
        )
    return _largest(briefs, said, render, limit)


def _largest(
    briefs: list[B], shortest: Texts, render: Callable[[B], Texts], limit: Limit
) -> tuple[B, Texts]:
    """The first brief within the limit, of which the first is too long and the last is not."""
    low, high, said = 0, len(briefs) - 1, shortest
    while high - low > 1:
        middle = (low + high) // 2
        tried = render(briefs[middle])
        if limit.holds(tried):
            high, said = middle, tried
        else:
            low = middle
    return briefs[high], said
