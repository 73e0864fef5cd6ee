"""Every question to a run, one row each: what people, models and other programs may ask.

The command line, conversations, the web UI and MCP hosts take names, arguments, answers
and texts from here.
"""

import re
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import Any

from pelnas.errors import DirectiveError
from pelnas.store import RunStore
from pelnas.tools import answers, score_one, text
from pelnas.tools.directive_outcomes import directives, tell_directives
from pelnas.tools.explain import explain
from pelnas.tools.knowledge import known, tell_known

ARCHITECTURE = "id such as r3n2c5, text, or index"


@dataclass(frozen=True, slots=True)
class Part:
    """A part that a question takes. ``kind``: what a model gives for it; ``about``: its description.

    ``written``: a pattern of the word that people write, '' for any; ``remedy``: what they
    are told of another one. ``rest``: it is all words that are left.
    """

    name: str
    kind: type = str
    about: str = ARCHITECTURE
    written: str = ""
    remedy: str = ""
    needed: bool = True
    rest: bool = False

    def read(self, word: str, form: str) -> Any:
        """The value of a word. DirectiveError: none."""
        if self.written and not re.fullmatch(self.written, word):
            raise DirectiveError(f"expected {form}, found {word[:40]!r}: {self.remedy}")
        return self.kind(word)


@dataclass(frozen=True, slots=True)
class Form:
    """One question. ``form``: as people write it; ``tool``: its name for models.

    ``does``, ``about``: its description for people and MCP hosts. ``ask``: the answer
    from a run and the parts, in plain values; ``lines``: an answer as lines of text with
    the ids that it rests on.
    """

    form: str
    tool: str
    does: str
    about: str
    ask: Callable[..., Any]
    lines: Callable[[Any], list[str]]
    parts: tuple[Part, ...] = ()

    @property
    def verb(self) -> str:
        return self.form.split()[0]

    @property
    def counts(self) -> tuple[int, int]:
        """How many words it takes, at least and at most."""
        most = LONGEST if any(part.rest for part in self.parts) else len(self.parts)
        return sum(part.needed for part in self.parts), most

    def words(self, given: dict[str, Any]) -> tuple[str, ...]:
        """The parts that a model gave, as a person writes them."""
        values = [(part, given.get(part.name)) for part in self.parts]
        return tuple(
            part.name if value is True else str(value)
            for part, value in values
            if value is not None and value is not False
        )

    def tell(self, store: RunStore, *words: str) -> list[str]:
        """The answer to a person who wrote these words. InputError: none."""
        return self.lines(self.ask(store, *self._read(words)))

    def _read(self, words: tuple[str, ...]) -> Iterator[Any]:
        if self.parts and self.parts[-1].rest:
            last = len(self.parts) - 1
            words = (*words[:last], " ".join(words[last:]))
        return (part.read(word, self.form) for part, word in zip(self.parts, words, strict=False))


LONGEST = 100  # words of a part that takes all that are left
_ONE = (Part("architecture"),)
_MS = Part("latency_ms", float, "milliseconds", r"[0-9]{1,9}(?:\.[0-9]{1,9})?", "give milliseconds")
_NICHE = Part("niche", int, "number of the niche, from 0", r"[0-9]{1,3}", "give a niche's number")
_ALL = Part(
    "all", bool, "true: every rule, not only those in force", "all", "say all, or nothing", False
)

#: Every question.
QUESTIONS: tuple[Form, ...] = (
    Form(
        "/status",
        "status",
        "how the run stands, and the directives given",
        "How a run stands: state, rounds, best finds, spend, directives.",
        answers.status,
        text.tell_status,
    ),
    Form(
        "/front",
        "front",
        "the answer so far, by latency",
        "The non-dominated architectures found so far, by latency.",
        answers.front,
        text.tell_front,
    ),
    Form(
        "/why ARCHITECTURE",
        "explain",
        "why it is on the front, or why not: an id, best, fastest, a text or an index",
        "Why an architecture (candidate id, text or index) is on the front, or why not.",
        explain,
        text.tell_explanation,
        _ONE,
    ),
    Form(
        "/compare ARCHITECTURE ARCHITECTURE",
        "compare",
        "two of them side by side",
        "Two architectures side by side.",
        answers.compare,
        text.tell_comparison,
        (Part("first"), Part("second")),
    ),
    Form(
        "/nearest ARCHITECTURE",
        "nearest",
        "the nearest points of the front",
        "The nearest points of the front to an architecture.",
        answers.nearest,
        text.tell_front,
        _ONE,
    ),
    Form(
        "/score ARCHITECTURE",
        "score",
        "its score, stored or predicted now; also where it was not tried",
        "The score of any architecture: stored, looked up, or predicted now; the run is unchanged.",
        score_one.score,
        score_one.tell_score,
        _ONE,
    ),
    Form(
        "/latency ARCHITECTURE",
        "latency",
        "its latency, stored, looked up or measured now",
        "The latency of any architecture: stored, looked up, or measured now; the run is unchanged.",
        score_one.latency,
        score_one.tell_latency,
        _ONE,
    ),
    Form(
        "/within 4",
        "afford",
        "what a budget of 4 ms costs in accuracy",
        "What a latency budget costs in accuracy.",
        answers.afford,
        text.tell_afford,
        (_MS,),
    ),
    Form(
        "/niche 3",
        "tried",
        "what the designer of this niche tried",
        "What was planned, designed and refused in a niche.",
        answers.tried,
        text.tell_niche,
        (_NICHE,),
    ),
    Form(
        "/niches",
        "niches",
        "what became of every niche",
        "What became of every niche.",
        answers.niches,
        text.tell_niches,
    ),
    Form(
        "/rules [all]",
        "rules",
        "the rules in force, or all, with their evidence",
        "The design rules in force, or every one, with their evidence.",
        answers.rules,
        text.tell_rules,
        (_ALL,),
    ),
    Form(
        "/knowledge TEXT",
        "knowledge",
        "what rules of all earlier runs say about something, such as pooling on phones",
        "What earlier runs learned about something: the nearest rules of the user's knowledge base.",
        known,
        tell_known,
        (Part("text", str, "what it is about, such as pooling on phones", rest=True),),
    ),
    Form(
        "/directives",
        "directives",
        "what was asked of the search, by whom, and what it changed",
        "What was asked of the search, by whom, and what it changed.",
        directives,
        tell_directives,
    ),
    Form(
        "/call ID",
        "call",
        "prompt and answer of a model call",
        "Prompt, answer and cost of a model call, such as r3.designer.n2.a0.",
        answers.call,
        text.tell_call,
        (Part("id", str, "id such as r3.designer.n2.a0"),),
    ),
)
FORMS = {form.verb: form for form in QUESTIONS}
