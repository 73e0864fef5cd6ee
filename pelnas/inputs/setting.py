"""What is known of a setting beside type, range and default; it stands on the setting's field."""

from dataclasses import dataclass, replace
from typing import Literal

Effect = Literal[
    "niches",  # a fork keeps it: under another value its rules and niches mean nothing
    "scores",
    "few-shot",  # scores that are learned from labels, beside what all scores depend on
    "costs",
    "tables",  # scores and costs that are looked up
    "tokens",  # of a call
    "time",  # of an evaluation, beside what tokens depend on
]


@dataclass(frozen=True, slots=True)
class Setting:
    """The facts that commands, servers, forks and estimates share.

    ``text``: the help of its option, '' where only a file and ``--set`` set it. ``affects``: what
    depends on it; what a section affects, all of its settings do. ``option``: its parameter, where
    it is not called like the setting. ``otherwise``: what holds without a value, in words.
    ``run``: it may be the name of a run, though it is a path. ``served``: a client of the served
    graph may choose it.
    """

    text: str = ""
    affects: frozenset[Effect] = frozenset()
    option: str = ""
    otherwise: str = ""
    run: bool = False
    served: bool = False


def owned(
    text: str = "", *affects: Effect, option: str = "", otherwise: str = "", run: bool = False
) -> Setting:
    """A setting that only the owner of a server chooses: it reaches files, addresses or the machine."""
    return Setting(text, frozenset(affects), option, otherwise, run)


def served(text: str = "", *affects: Effect, option: str = "", run: bool = False) -> Setting:
    """A setting that a client of the served graph may choose, too."""
    return replace(owned(text, *affects, option=option, run=run), served=True)
