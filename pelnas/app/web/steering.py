"""Talking to a run from the page: the conversation of ``pelnas chat``, and the directives given."""

import sys
import time
from collections import OrderedDict
from collections.abc import Mapping
from importlib import import_module
from pathlib import Path
from threading import Lock, Thread
from typing import TYPE_CHECKING, Any

from pelnas.agents.assistant.commands import HELP
from pelnas.agents.models.base import LanguageModel
from pelnas.app.user import user
from pelnas.directives import GRAMMAR
from pelnas.errors import InputError
from pelnas.report.directives import directive_rows
from pelnas.store import RunStore
from pelnas.tools.questions import QUESTIONS

if TYPE_CHECKING:
    from pelnas.graph.chat.console import Talk

TALK = "pelnas.graph.chat.console"
KEPT = 32  # conversations: one for each page that is open, until it is loaded again
LONGEST = 4_000  # characters of a line
NAMES = 64  # characters of a conversation's name


def grammar() -> dict[str, list[dict[str, str]]]:
    """Every form of a question and of an order, and what it does."""
    questions = [(form.form, form.does) for form in QUESTIONS] + [(HELP, "all commands")]
    return {
        "questions": [{"form": form, "does": does} for form, does in questions],
        "orders": [{"form": form, "does": does} for form, does in GRAMMAR],
    }


def given(store: RunStore) -> list[dict[str, Any]]:
    """All directives with what came of them, oldest first."""
    return [row.to_dict() for row in directive_rows(store)]


class Talks:
    """Conversations about runs, each with its own memory; safe to use from several threads.

    ``model``: reads natural language; without one, what is no command gets a question back.
    """

    def __init__(self, model: LanguageModel | None = None) -> None:
        self._model = model
        self._kept: OrderedDict[tuple[Path, str], tuple[Talk, Lock]] = OrderedDict()
        self._lock = Lock()

    def prepare(self) -> None:
        """Load aside what conversations need, so that the first answer does not wait for it."""
        if TALK not in sys.modules:
            Thread(target=import_module, args=(TALK,), daemon=True).start()

    def say(self, folder: Path, body: Mapping[str, Any]) -> dict[str, Any]:
        """What is answered to ``line`` in the conversation that the page calls ``talk``.

        ``waiting``: whether an order was said back and waits for a yes or a no. ``cost``: what
        models have cost in this conversation, in a sentence, '' where none was asked.
        InputError: a part of the request is missing or too long.
        """
        name, line = _text(body, "talk", NAMES), _text(body, "line", LONGEST)
        talk, alone = self._talk(folder, name)
        with alone:
            says = talk.say(line)
            answer = {"says": says, "waiting": talk.waiting, "cost": talk.cost}
            return answer | {"time": time.time()}

    def _talk(self, folder: Path, name: str) -> "tuple[Talk, Lock]":
        from pelnas.graph.chat.console import Talk

        with self._lock:
            if (folder, name) not in self._kept:
                talk = Talk(folder.parent, folder.name, user(), self._model)
                self._kept[folder, name] = talk, Lock()
            self._kept.move_to_end((folder, name))
            while len(self._kept) > KEPT:
                self._kept.popitem(last=False)
            return self._kept[folder, name]


def _text(body: Mapping[str, Any], part: str, longest: int) -> str:
    text = body.get(part)
    if not isinstance(text, str) or not 0 < len(text) <= longest:
        raise InputError(f"expected {part} of 1 to {longest} characters: say it in fewer words")
    return text
