"""The error boundary of a conversation: a failure becomes one sentence and ends nothing else.

A conversation runs beside a search, often in its process. Whatever a model, a client, a
terminal or this program does wrong in it is reported to the person and logged; the
search goes on.
"""

import time
from collections.abc import Callable
from contextlib import suppress
from pathlib import Path
from traceback import extract_tb
from typing import TypeVar

from langgraph.errors import GraphBubbleUp

from pelnas.agents.models.provider_errors import clean
from pelnas.errors import BudgetExhausted, InputError
from pelnas.store.conversations import TalkCall, TalkLog

T = TypeVar("T")


def surviving(act: Callable[[], T], instead: Callable[[Exception], T]) -> T:
    """What ``act`` returns, or what ``instead`` makes of its failure.

    KeyboardInterrupt and SystemExit pass, and so do LangGraph's own signals, such as
    that of a node that waits for a person.
    """
    try:
        return act()
    except GraphBubbleUp:
        raise
    except Exception as error:  # noqa: BLE001 - the boundary: nothing here may end a search
        return instead(error)


def in_words(error: Exception) -> str:
    """A failure in one sentence for the person: what was expected of them, or what broke."""
    if isinstance(error, InputError | BudgetExhausted):
        return _text(error)
    said = ": ".join(filter(None, (type(error).__name__, _text(error))))
    return f"this could not be answered ({said}): say it in other words or by a command, see /help"


def keep(folder: Path, talk: str, author: str, words: str, error: Exception) -> None:
    """Write a failure down beside the run, with its place in the program, as far as possible."""
    frames = extract_tb(error.__traceback__)
    place = f" at {Path(frames[-1].filename).name}:{frames[-1].lineno}" if frames else ""
    now = time.time()
    failed = TalkCall(
        id=f"{talk}.e{now * 1000:.0f}",
        time=now,
        author=author,
        words=clean(words, (), 2_000),
        model="",
        messages=(),
        problem=f"{type(error).__name__}{place}: {_text(error)}",
    )
    with suppress(Exception):  # where even this fails there is nothing left to write to
        TalkLog(folder).append(failed)


def _text(error: Exception) -> str:
    try:
        return clean(str(error), (), 400)
    except Exception:  # noqa: BLE001 - an exception of somebody else's may not know its text
        return ""
