"""The agent that people talk to: what a line asks for, and the answer from the run's own data.

Without a language model it understands commands: the orders of ``pelnas.directives``
and the questions below. What is neither is asked back, and never guessed at.
"""

import re
from collections.abc import Callable
from dataclasses import dataclass

from pelnas.directives import GRAMMAR, VERBS, Order, parse
from pelnas.errors import DirectiveError, RunError
from pelnas.store import RunStore
from pelnas.tools import inspection, wording
from pelnas.tools.explanation import explain
from pelnas.traces.text import one_line

#: Every question and what it tells.
QUESTIONS: tuple[tuple[str, str], ...] = (
    ("/status", "how the run stands, and the directives given"),
    ("/front", "the answer so far, by latency"),
    ("/why ARCHITECTURE", "why it is on the front, or why not: an id, a text or an index"),
    ("/compare ARCHITECTURE ARCHITECTURE", "two of them side by side"),
    ("/nearest ARCHITECTURE", "the nearest points of the front"),
    ("/within 4", "what a budget of 4 ms costs in accuracy"),
    ("/niche 3", "what the designer of this niche tried"),
    ("/niches", "what became of every niche"),
    ("/rules [all]", "the rules in force, or all, with their evidence"),
    ("/call ID", "prompt and answer of a model call"),
    ("/help", "all commands"),
)
PASSAGE = 4_000  # characters of a prompt or an answer that are told
WIDTH = 66  # columns of a form in the help
_NUMBER = re.compile(r"[0-9]{1,9}(?:\.[0-9]{1,9})?")


@dataclass(frozen=True, slots=True)
class Question:
    """Something that changes nothing. ``verb``: such as ``/why``; ``words``: what follows it."""

    verb: str
    words: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class Unclear:
    """What was not understood, and what is asked back."""

    back: str


def understand(line: str) -> Question | Order | Unclear:
    """What a line asks for by the grammar of commands; nothing is looked up."""
    verb, *words = line.split() or [""]
    if verb in VERBS:
        try:
            return parse(line)
        except DirectiveError as error:
            return Unclear(str(error))
    if verb not in _COUNTS:
        found = f"{one_line(line, 80)!r} is no command" if line.strip() else "that is empty"
        return Unclear(f"{found}: what do you want to know or change? /help lists all commands")
    least, most = _COUNTS[verb]
    if not least <= len(words) <= most:
        return Unclear(
            f"expected {_form(verb)}, found {one_line(line, 80)!r}: write it in that form"
        )
    return Question(verb, tuple(words))


def answer(store: RunStore, question: Question) -> str:
    """The answer to a question, with ids. InputError: something it names is not there."""
    return wording.text_of(_ANSWERS[question.verb](store, *question.words))


def help_text() -> str:
    """All commands: questions, then orders."""
    lines = ["Questions:", *(f"  {form:{WIDTH}} {does}" for form, does in QUESTIONS)]
    lines += ["Orders, given after a yes:"]
    return "\n".join([*lines, *(f"  {form:{WIDTH}} {does}" for form, does in GRAMMAR)])


def _form(verb: str) -> str:
    return next(form for form, _ in QUESTIONS if form.split()[0] == verb)


def _within(store: RunStore, limit: str) -> list[str]:
    if not _NUMBER.fullmatch(limit):
        raise DirectiveError(f"expected /within 4, found {limit[:40]!r}: give milliseconds")
    return wording.tell_afford(inspection.afford(store, float(limit)))


def _niche(store: RunStore, number: str) -> list[str]:
    if not re.fullmatch(r"[0-9]{1,3}", number):
        raise DirectiveError(f"expected /niche 3, found {number[:40]!r}: give a niche's number")
    return wording.tell_niche(inspection.tried(store, int(number)))


def _rules(store: RunStore, every: str = "") -> list[str]:
    if every not in ("", "all"):
        raise DirectiveError(f"expected /rules or /rules all, found {every[:40]!r}: use one")
    return wording.tell_rules(inspection.rules(store, every == "all"))


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


def _nearest(store: RunStore, named: str) -> list[str]:
    return wording.tell_front(inspection.nearest(store, named))


_ANSWERS: dict[str, Callable[..., list[str]]] = {
    "/status": lambda store: wording.tell_status(inspection.status(store)),
    "/front": lambda store: wording.tell_front(inspection.front(store)),
    "/why": lambda store, named: wording.tell_explanation(explain(store, named)),
    "/compare": lambda store, a, b: wording.tell_comparison(inspection.compare(store, a, b)),
    "/nearest": _nearest,
    "/within": _within,
    "/niche": _niche,
    "/niches": lambda store: wording.tell_niches(inspection.niches(store)),
    "/rules": _rules,
    "/call": _call,
    "/help": lambda _: [help_text()],
}
#: How many words each question takes, at least and at most.
_COUNTS = {
    "/status": (0, 0),
    "/front": (0, 0),
    "/why": (1, 1),
    "/compare": (2, 2),
    "/nearest": (1, 1),
    "/within": (1, 1),
    "/niche": (1, 1),
    "/niches": (0, 0),
    "/rules": (0, 1),
    "/call": (1, 1),
    "/help": (0, 0),
}
