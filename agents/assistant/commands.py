"""The agent that people talk to: what a line asks for, and the answer from the run's own data.

Without a language model it understands commands: the orders of ``pelnas.directives``
and the questions of ``pelnas.tools.questions``. What is neither is answered with a question, and
never guessed at.
"""

from collections.abc import Sequence
from dataclasses import dataclass

from pelnas.directives import GRAMMAR, VERBS, Order, parse
from pelnas.errors import DirectiveError
from pelnas.store import RunStore
from pelnas.tools import text
from pelnas.tools.questions import FORMS, QUESTIONS
from pelnas.traces.text import one_line

HELP = "/help"
WIDTH = 66  # columns of a form in the help


@dataclass(frozen=True, slots=True)
class Question:
    """Something that changes nothing. ``verb``: such as ``/why``; ``words``: what follows it."""

    verb: str
    words: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class Unclear:
    """What was not understood, and the question that clarifies it."""

    back: str


def understand(line: str) -> Question | Order | Unclear:
    """What a line asks for by the grammar of commands; nothing is looked up."""
    verb, *words = line.split() or [""]
    if verb in VERBS:
        try:
            return parse(line)
        except DirectiveError as error:
            return Unclear(str(error))
    if verb not in FORMS and verb != HELP:
        found = f"{one_line(line, 80)!r} is no command" if line.strip() else "that is empty"
        return Unclear(f"{found}: what do you want to know or change? {HELP} lists all commands")
    least, most = FORMS[verb].counts if verb in FORMS else (0, 0)
    if not least <= len(words) <= most:
        form = FORMS[verb].form if verb in FORMS else HELP
        return Unclear(f"expected {form}, found {one_line(line, 80)!r}: write it in that form")
    return Question(verb, tuple(words))


def answer(store: RunStore, question: Question) -> str:
    """The answer to a question, with ids. InputError: something it names is not there."""
    if question.verb == HELP:
        return help_text()
    return text.text_of(FORMS[question.verb].tell(store, *question.words))


def help_text(more: Sequence[tuple[str, str]] = ()) -> str:
    """All commands: questions, then orders. ``more``: further questions, as form and what it does."""
    questions = [(form.form, form.does) for form in QUESTIONS] + [*more, (HELP, "all commands")]
    lines = ["Questions:", *(f"  {form:{WIDTH}} {does}" for form, does in questions)]
    lines += ["Orders, given after a yes:"]
    return "\n".join([*lines, *(f"  {form:{WIDTH}} {does}" for form, does in GRAMMAR)])
