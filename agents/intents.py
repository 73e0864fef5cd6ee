"""What a person means, chosen by a language model from a few typed intents under a held form.

The model only chooses, among what the words leave possible: names, operations and
numbers are taken from the person's own words by the program. The choice becomes a
command of the same grammar that people type, and orders still wait for a yes.
"""

import json
import re
from collections.abc import Collection
from typing import Any, Literal

from pydantic import create_model

from pelnas.agents.conversation import Unclear
from pelnas.agents.dialogue import Dialogue
from pelnas.agents.models import LanguageModel
from pelnas.call import CallRecord
from pelnas.errors import AnswerError, ModelCallError
from pelnas.prompts import load_prompt
from pelnas.spaces import SearchSpace

#: Every intent: what it means, what somebody may say for it, and its command with the parts it needs.
INTENTS: dict[str, tuple[str, str, str]] = {
    "status": ("how far the search is", "how far is it?", "/status"),
    "front": ("the best networks so far", "what have you found?", "/front"),
    "why": (
        "why a network is on the front, or why not",
        "why is r1n0c2 not on the front?",
        "/why {name}",
    ),
    "compare": ("compare two networks", "is r1n0c2 better than r0n1c1?", "/compare {name} {other}"),
    "nearest": ("the nearest points of the front", "what is close to r1n0c2?", "/nearest {name}"),
    "score": ("the score of a network, tried or not", "how good would r1n0c2 be?", "/score {name}"),
    "latency": (
        "the latency of a network, tried or not",
        "how fast would r1n0c2 be?",
        "/latency {name}",
    ),
    "within": (
        "what a latency budget would cost in accuracy",
        "what would a 3 ms budget cost in accuracy?",
        "/within {number}",
    ),
    "niche": (
        "what was tried in a niche",
        "what did the designer of niche 1 try?",
        "/niche {number}",
    ),
    "rules": ("which design rules hold", "what have you learned?", "/rules"),
    "ban": (
        "no more networks with an operation",
        "do not use pooling any more",
        "/ban {operation}",
    ),
    "require": (
        "only networks with an operation",
        "every network must have a skip connection",
        "/require {operation}",
    ),
    "limit": (
        "only networks of at most so many ms",
        "nothing slower than 3 ms",
        "/limit latency<={number}",
    ),
    "focus": (
        "spend most designs below so many ms",
        "concentrate on networks below 3 ms",
        "/focus latency<={number}",
    ),
    "rounds": ("end after so many rounds", "make it 8 rounds", "/rounds {number}"),
    "pause": ("pause the search", "wait a moment", "/pause"),
    "resume": ("go on after a pause", "continue, please", "/resume"),
    "stop": ("finish the round and end", "that is enough, finish", "/stop"),
    "undo": ("take back a directive", "forget d2", "/undo {directive}"),
    "other": ("anything else", "tell me a joke", ""),
}
WORDS_LIMIT = 500  # characters of what a person wrote that a model is shown
STEM = 4  # letters of an operation's name by which people speak of it: pool, conv, skip
_NAME = re.compile(r"r[0-9]+n[0-9]+c[0-9]+|\|\S+\|")
_PART = re.compile(r"\{(\w+)\}")
_DIRECTIVE = re.compile(r"\bd[1-9][0-9]*\b")
_NUMBER = re.compile(
    r"(?<![\w.])[0-9]{1,9}(?:\.[0-9]{1,6})?(?![\w]|\.[0-9])|[0-9]+(?:\.[0-9]+)?(?=ms\b)"
)


class IntentReader:
    """Reads free words by one question to a model. Calls are counted to nobody's budget."""

    def __init__(self, model: LanguageModel) -> None:
        self._model = model

    def read(self, words: str, space: SearchSpace) -> str | Unclear:
        """The command that the words mean, or what is asked back."""
        parts = parts_of(words, space)
        offered = offered_for(parts)
        dialogue = Dialogue(
            self._model, _Memory(), _Free(), agent="conversation", round=0, niche=None
        )
        system, user = load_prompt("conversation").render(
            {
                "intents": "\n".join(f"- {i}: {INTENTS[i][0]} ({INTENTS[i][1]})" for i in offered),
                "words": json.dumps(words[:WORDS_LIMIT], ensure_ascii=False),
            }
        )
        choice: Any = Literal[tuple(offered)]  # nothing in the answer is free text
        try:
            answer, _ = dialogue.ask(system, user, create_model("Intent", intent=(choice, ...)))
        except (AnswerError, ModelCallError) as error:
            return Unclear(f"the model did not help ({error}): use a command, see /help")
        form = INTENTS[str(answer.model_dump()["intent"])][2]
        if not form:
            return Unclear("what do you want to know or change? /help lists all commands")
        return form.format(**parts)


def parts_of(words: str, space: SearchSpace) -> dict[str, str]:
    """What the words name, each as it is written; what they name twice over is left out."""
    names = list(dict.fromkeys(_NAME.findall(words)))[:2]
    rest = _NAME.sub(" ", words)
    directives, operations = _DIRECTIVE.findall(rest), _operations(rest, space)
    for operation in space.operations:
        rest = rest.replace(operation, " ")
    numbers = list(dict.fromkeys(_NUMBER.findall(rest)))
    found = dict(zip(("name", "other"), names, strict=False))
    for part, written in (
        ("directive", directives),
        ("operation", operations),
        ("number", numbers),
    ):
        if len(written) == 1:
            found[part] = written[0]
    return found


def offered_for(parts: Collection[str]) -> list[str]:
    """The intents that the named parts leave: those that use the most of them, and ``other``."""
    needs = {intent: set(_PART.findall(form)) for intent, (_, _, form) in INTENTS.items() if form}
    possible = {intent: need for intent, need in needs.items() if need <= set(parts)}
    most = max(map(len, possible.values()))
    return [*(intent for intent, need in possible.items() if len(need) == most), "other"]


def _operations(words: str, space: SearchSpace) -> list[str]:
    """Operations that are named in full, else those that are spoken of: pooling, skip."""
    full = [op for op in space.operations if re.search(rf"(?<!\w){re.escape(op)}(?!\w)", words)]
    full = [op for op in full if op != "none"]  # an everyday word: /ban none says it plainly
    if full:
        return full
    spoken = words.lower()
    return [
        op
        for op in space.operations
        if op != "none" and any(s in spoken for s in op.split("_") if len(s) >= STEM)
    ]


class _Memory:
    """Conversations are no part of a run's record: nothing is kept."""

    def recall(self, call_id: str, request: str) -> CallRecord | None:
        return None

    def begin_call(self, call: CallRecord) -> None:
        pass

    def record_call(self, call: CallRecord) -> None:
        pass


class _Free:
    """No limit: a person asks one question at a time."""

    def before_call(self) -> None:
        pass

    def after_call(self, *spent: Any) -> None:
        pass
