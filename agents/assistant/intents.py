"""Natural language read by a choice among a few typed intents.

What a sentence can mean is narrowed by its words first (``pelnas.agents.assistant.intent_phrases``):
names, operations and numbers with their units are taken from it by the program, and
so are the words that speak for an intent. A language model chooses among what is left
(``pelnas.agents.assistant.intent_ranking``), and among all that the parts allow where no word speaks.
The choice becomes a command of the grammar that people type, and orders still wait
for a yes.
"""

import re
from collections.abc import Mapping, Sequence

from pelnas.agents.assistant.commands import Unclear
from pelnas.agents.assistant.intent_phrases import ASKING, INTENTS, NAME, NOTHING, WORDS
from pelnas.agents.assistant.intent_ranking import beliefs
from pelnas.agents.models.base import LanguageModel
from pelnas.errors import ModelCallError
from pelnas.spaces import SearchSpace

WORDS_LIMIT = 500  # characters of what a person wrote that are read
#: Belief from which a choice counts: of a question among what words leave; of anything else,
#: which is an order, or what no word speaks for. Where words leave both to ban and to require,
#: or to pause and to go on, a model of 135 million parameters was seen to be wrong up to 0.87.
LIKELY, SURE = 0.7, 0.9
STEM = 4  # letters of an operation's name by which people speak of it: pool, conv, skip
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
    """Reads natural language; asks its model only where the words leave several intents."""

    def __init__(self, model: LanguageModel) -> None:
        self._model = model

    def read(self, words: str, space: SearchSpace) -> str | Unclear:
        """The command that the words mean, or a question to clarify them."""
        words = words[:WORDS_LIMIT]
        parts = parts_of(words, space)
        offered = offered_for(words, parts)
        try:
            chosen = self._choose(words, offered) if offered else self._find(words, parts)
        except ModelCallError as error:
            return Unclear(f"the model did not help ({error}): use a command, see /help")
        if chosen:
            return _command(chosen, parts, words)
        commands = {intent: _command(intent, parts, words) for intent in offered}
        return Unclear(_which(commands) if commands else _NOT_UNDERSTOOD)

    def _choose(self, words: str, left: Sequence[str]) -> str:
        """The intent among those that the words leave; '' where the model is not sure."""
        if len(left) == 1:
            return left[0]
        belief = beliefs(self._model, words, {name: INTENTS[name] for name in left})
        chosen = max(belief, key=belief.__getitem__)
        return chosen if belief[chosen] >= (SURE if INTENTS[chosen].order else LIKELY) else ""

    def _find(self, words: str, parts: Mapping[str, str]) -> str:
        """The intent of words that speak for none; '' where the model is not all but certain.

        Only a model that returns probabilities can show that it is.
        """
        offered = {name: INTENTS[name] for name in fullest(possible_for(words, parts))}
        mentioned = any(intent.is_mentioned(words) for intent in offered.values())
        if mentioned or not offered or not self._model.tells_logprobs:
            return ""
        belief = beliefs(self._model, words, offered | {"": NOTHING})
        return next((name for name in offered if belief[name] >= SURE), "")


def parts_of(words: str, space: SearchSpace) -> dict[str, str]:
    """What the words name, by kind, as it is written; '' for a kind that cannot be used.

    That is what is named twice over, and a ``number`` that does not say what it counts.
    """
    names = list(dict.fromkeys(NAME.findall(words)))
    rest = NAME.sub(" ", words)
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
    """The intents that the words leave: spoken of, with all their parts, and of those the most."""
    return fullest([n for n in possible_for(words, parts) if INTENTS[n].is_spoken_of(words)])


def possible_for(words: str, parts: Mapping[str, str]) -> list[str]:
    """The intents whose parts the words name, whatever else they say.

    Only what asks may pass over a part that it names; an order is nothing that asks. Where all the
    words are a part (``WORDS``), a cue has to say so.
    """
    usable = {kind for kind, value in parts.items() if value}
    asking = ASKING.match(words) is not None
    return [
        name
        for name, intent in INTENTS.items()
        if intent.needs <= usable
        and (not intent.order if asking else intent.needs == set(parts))
        and (WORDS not in intent.form or intent.is_spoken_of(words))
    ]


def fullest(intents: Sequence[str]) -> list[str]:
    """Those that take the most parts."""
    most = max((len(INTENTS[name].needs) for name in intents), default=0)
    return [name for name in intents if len(INTENTS[name].needs) == most]


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


def _command(intent: str, parts: Mapping[str, str], words: str) -> str:
    """What people would type for it."""
    return INTENTS[intent].form.format(**parts).replace(WORDS, " ".join(words.split()))


def _which(commands: Mapping[str, str]) -> str:
    """Ask back which of several commands is meant."""
    told = [f"{command} ({INTENTS[intent].means})" for intent, command in commands.items()]
    return f"which do you mean: {', '.join(told[:-1])} or {told[-1]}?"
