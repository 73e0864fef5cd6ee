"""Every question to a run: its form for people, its tool for models, and where its answer is found."""

import re
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

from pelnas.errors import DirectiveError, RunError
from pelnas.store import RunStore
from pelnas.tools import directive_outcomes, questions, score_one, text
from pelnas.tools.explain import explain

PASSAGE = 4_000  # characters of a prompt or an answer that are told
_NUMBER = re.compile(r"[0-9]{1,9}(?:\.[0-9]{1,9})?")


@dataclass(frozen=True, slots=True)
class Part:
    """A part that a question takes. ``kind``: what a model gives for it; ``about``: what it is told."""

    name: str
    kind: type = str
    about: str = "id such as r3n2c5, text, or index"
    needed: bool = True


@dataclass(frozen=True, slots=True)
class Form:
    """One question. ``form``: as people write it; ``tool``: its name for models, '' for none."""

    form: str
    does: str
    tell: Callable[..., list[str]]
    tool: str = ""
    parts: tuple[Part, ...] = ()

    @property
    def verb(self) -> str:
        return self.form.split()[0]

    @property
    def counts(self) -> tuple[int, int]:
        """How many words it takes, at least and at most."""
        return sum(part.needed for part in self.parts), len(self.parts)

    def words(self, given: dict[str, Any]) -> tuple[str, ...]:
        """The parts that a model gave, as a person writes them."""
        values = [(part, given.get(part.name)) for part in self.parts]
        return tuple(
            part.name if value is True else str(value)
            for part, value in values
            if value is not None and value is not False
        )


def _within(store: RunStore, limit: str) -> list[str]:
    if not _NUMBER.fullmatch(limit):
        raise DirectiveError(f"expected /within 4, found {limit[:40]!r}: give milliseconds")
    return text.tell_afford(questions.afford(store, float(limit)))


def _niche(store: RunStore, number: str) -> list[str]:
    if not re.fullmatch(r"[0-9]{1,3}", number):
        raise DirectiveError(f"expected /niche 3, found {number[:40]!r}: give a niche's number")
    return text.tell_niche(questions.tried(store, int(number)))


def _rules(store: RunStore, every: str = "") -> list[str]:
    if every not in ("", "all"):
        raise DirectiveError(f"expected /rules or /rules all, found {every[:40]!r}: use one")
    return text.tell_rules(questions.rules(store, every == "all"))


def _call(store: RunStore, id_: str) -> list[str]:
    call = store.call(id_)
    if call is None:
        raise RunError(
            f"run {store.name} has no call {id_[:40]!r}: ids look like r3.designer.n2.a0 and stand"
            " in /why and /niche"
        )
    asked = [f"{message.role} said: {message.content[:PASSAGE]}" for message in call.messages]
    head = f"{call.id}: {call.model}, {call.tokens} tokens, {call.outcome}"
    return [head, *asked, f"{call.model} answered: {call.answer[:PASSAGE]}"]


_ONE = (Part("architecture"),)

#: Every question. Answers are lines of text with the ids that they rest on.
QUESTIONS: tuple[Form, ...] = (
    Form(
        "/status",
        "how the run stands, and the directives given",
        lambda store: text.tell_status(questions.status(store)),
        "status",
    ),
    Form(
        "/front",
        "the answer so far, by latency",
        lambda store: text.tell_front(questions.front(store)),
        "front",
    ),
    Form(
        "/why ARCHITECTURE",
        "why it is on the front, or why not: an id, best, fastest, a text or an index",
        lambda store, named: text.tell_explanation(explain(store, named)),
        "explain",
        _ONE,
    ),
    Form(
        "/compare ARCHITECTURE ARCHITECTURE",
        "two of them side by side",
        lambda store, a, b: text.tell_comparison(questions.compare(store, a, b)),
        "compare",
        (Part("first"), Part("second")),
    ),
    Form(
        "/nearest ARCHITECTURE",
        "the nearest points of the front",
        lambda store, named: text.tell_front(questions.nearest(store, named)),
        "nearest",
        _ONE,
    ),
    Form(
        "/score ARCHITECTURE",
        "its score, stored or predicted now; also where it was not tried",
        lambda store, named: score_one.tell_score(score_one.score(store, named)),
        "score",
        _ONE,
    ),
    Form(
        "/latency ARCHITECTURE",
        "its latency, stored, looked up or measured now",
        lambda store, named: score_one.tell_latency(score_one.latency(store, named)),
        "latency",
        _ONE,
    ),
    Form(
        "/within 4",
        "what a budget of 4 ms costs in accuracy",
        _within,
        "afford",
        (Part("latency_ms", float, "milliseconds"),),
    ),
    Form(
        "/niche 3",
        "what the designer of this niche tried",
        _niche,
        "tried",
        (Part("niche", int, "number of the niche, from 0"),),
    ),
    Form(
        "/niches",
        "what became of every niche",
        lambda store: text.tell_niches(questions.niches(store)),
        "niches",
    ),
    Form(
        "/rules [all]",
        "the rules in force, or all, with their evidence",
        _rules,
        "rules",
        (Part("all", bool, "true: every rule, not only those in force", needed=False),),
    ),
    Form(
        "/directives",
        "what was asked of the search, by whom, and what it changed",
        lambda store: directive_outcomes.tell_directives(directive_outcomes.directives(store)),
        "directives",
    ),
    Form(
        "/call ID",
        "prompt and answer of a model call",
        _call,
        "call",
        (Part("id", str, "id such as r3.designer.n2.a0"),),
    ),
)
