"""Free words read by a choice among a few typed intents, under a held form.

What a sentence can mean is narrowed by its words first (``pelnas.agents.sayings``):
names, operations and numbers with their units are taken from it by the program, and
so are the words that speak for an intent. A language model chooses among what is left.
The choice becomes a command of the grammar that people type, and orders still wait
for a yes.
"""

import json
import re
from collections.abc import Mapping, Sequence
from typing import Any, Literal

from pydantic import create_model

from pelnas.agents.conversation import Unclear
from pelnas.agents.models import LanguageModel
from pelnas.agents.reading import read_answer
from pelnas.agents.sayings import ASKING, INTENTS
from pelnas.call import Message
from pelnas.errors import ModelCallError
from pelnas.prompts import load_prompt
from pelnas.spaces import SearchSpace

WORDS_LIMIT = 500  # characters of what a person wrote that are read
STEM = 4  # letters of an operation's name by which people speak of it: pool, conv, skip
_NAME = re.compile(r"r[0-9]+n[0-9]+c[0-9]+|\|\S+\|")
_SIZE = re.compile(r"[0-9]+x[0-9]+")
_DIRECTIVE = re.compile(r"\bd[1-9][0-9]*\b")
#: Numbers that say what they count. Any other is a number that no intent takes.
_COUNTED = {
    "niche": re.compile(r"\bniche (?:number )?([0-9]{1,3})\b", re.IGNORECASE),
    "rounds": re.compile(
        r"(?<![\w.])([1-9][0-9]{0,3}) rounds\b|\brounds to ([1-9][0-9]{0,3})\b", re.IGNORECASE
    ),
    "ms": re.compile(
        r"(?<![\w.])([0-9]{1,9}(?:\.[0-9]{1,6})?) ?(?:ms|msecs?|milliseconds?)\b", re.IGNORECASE
    ),
}
_NUMBER = re.compile(r"(?<![A-Za-z_])[0-9]")
_NOT_UNDERSTOOD = "what do you want to know or change? /help lists all commands"


class IntentReader:
    """Reads free words; asks its model only where they leave several intents."""

    def __init__(self, model: LanguageModel) -> None:
        self._model = model

    def read(self, words: str, space: SearchSpace) -> str | Unclear:
        """The command that the words mean, or what is asked back."""
        words = words[:WORDS_LIMIT]
        parts = parts_of(words, space)
        offered = offered_for(words, parts)
        if not offered:
            return Unclear(_NOT_UNDERSTOOD)
        commands = {intent: INTENTS[intent].form.format(**parts) for intent in offered}
        try:
            chosen = offered[0] if len(offered) == 1 else self._choose(words, offered)
        except ModelCallError as error:
            return Unclear(f"the model did not help ({error}): use a command, see /help")
        return commands[chosen] if chosen else Unclear(_which(commands))

    def _choose(self, words: str, offered: Sequence[str]) -> str:
        """The intent that the model chooses in both orders; '' where it does not.

        Small models prefer a place in a list: what depends on the order is no understanding.
        """
        first, second = (self._ask(words, order) for order in (offered, offered[::-1]))
        return first if first == second else ""

    def _ask(self, words: str, offered: Sequence[str]) -> str:
        lines = [f"- {i}: {INTENTS[i].means} ({INTENTS[i].says})" for i in offered]
        system, user = load_prompt("conversation").render(
            {"intents": "\n".join(lines), "words": json.dumps(words, ensure_ascii=False)}
        )
        choice: Any = Literal[tuple(offered)]  # nothing in the answer is free text
        form = create_model("Intent", intent=(choice, ...))
        reply = self._model.ask([Message("system", system), Message("user", user)], form)
        answer, _ = read_answer(reply.text, form)
        return str(answer.model_dump()["intent"]) if answer is not None else ""


def parts_of(words: str, space: SearchSpace) -> dict[str, str]:
    """What the words name, by kind, as it is written; '' for a kind that cannot be used.

    That is what is named twice over, and a ``number`` that does not say what it counts.
    """
    names = list(dict.fromkeys(_NAME.findall(words)))
    rest = _NAME.sub(" ", words)
    written = {"operation": _operations(rest, space)}
    for operation in space.operations:
        rest = rest.replace(operation, " ")
    written["directive"] = _DIRECTIVE.findall(rest)
    rest = _DIRECTIVE.sub(" ", rest)
    for kind, pattern in _COUNTED.items():
        written[kind] = [hit[1] or hit[hit.re.groups] for hit in pattern.finditer(rest)]
        rest = pattern.sub(" ", rest)
    written["number"] = ["", ""] if _NUMBER.search(_SIZE.sub(" ", rest)) else []
    found = {kind: _only(values) for kind, values in written.items() if values}
    if len(names) > 2:
        return found | {"name": ""}
    return found | dict(zip(("name", "other"), names, strict=False))


def offered_for(words: str, parts: Mapping[str, str]) -> list[str]:
    """The intents that the words leave: spoken of, with all their parts, and of those the most.

    Only what asks may pass over a part that it names; an order is nothing that asks.
    """
    usable = {kind for kind, value in parts.items() if value}
    asking = ASKING.match(words) is not None
    possible = [
        name
        for name, intent in INTENTS.items()
        if intent.needs <= usable
        and (not intent.order if asking else intent.needs == set(parts))
        and intent.is_spoken_of(words)
    ]
    most = max((len(INTENTS[name].needs) for name in possible), default=0)
    return [name for name in possible if len(INTENTS[name].needs) == most]


def _operations(words: str, space: SearchSpace) -> list[str]:
    """Operations that are named in full, else those that are spoken of: pooling, 3x3 conv."""
    known = [op for op in space.operations if op != "none"]  # an everyday word: /ban none says it
    full = [op for op in known if re.search(rf"(?<!\w){re.escape(op)}(?!\w)", words)]
    if full:
        return full
    spoken = words.lower()
    said = {
        op: {s for s in op.split("_") if (len(s) >= STEM or _SIZE.fullmatch(s)) and s in spoken}
        for op in known
    }
    return [op for op in known if said[op] and not any(said[op] < other for other in said.values())]


def _only(values: Sequence[str]) -> str:
    return values[0] if len(set(values)) == 1 else ""


def _which(commands: Mapping[str, str]) -> str:
    """Ask back which of several commands is meant."""
    told = [f"{command} ({INTENTS[intent].means})" for intent, command in commands.items()]
    return f"which do you mean: {', '.join(told[:-1])} or {told[-1]}?"
