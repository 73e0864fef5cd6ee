"""Model calls of the conversations about a run, in a file beside it.

It is no part of the run: nothing in it counts to a budget, is replayed, forked or exported.
"""

import json
import os
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from filelock import Timeout

from pelnas import locks
from pelnas.calls.call import Message
from pelnas.calls.usage import NOTHING, Usage, flat, nested
from pelnas.errors import StoreError, UnreadableError
from pelnas.inputs.formats import parse_json
from pelnas.store.database import plain
from pelnas.store.decoding import checked
from pelnas.store.folder import cannot_write, content, inside, open_to_append

TALKS = "conversations.jsonl"
LOCK = ".conversations.lock"
PATIENCE = 10.0  # seconds that a writer waits for another one


@dataclass(frozen=True, slots=True)
class TalkCall:
    """One request to a model in a conversation.

    ``id``: ``t1f0c9a2b.3``: the conversation, and the request's number in it. ``words``: what the
    person said. ``answer``: what the model said, and which tools it called. ``outcome``: ``ok``
    or ``failed`` (no answer); ``problem`` says what was wrong.
    """

    id: str
    time: float
    author: str
    words: str
    model: str
    messages: tuple[Message, ...]
    answered_by: str = ""
    answer: str = ""
    outcome: str = "failed"
    problem: str = ""
    usage: Usage = NOTHING

    @property
    def talk(self) -> str:
        """The conversation that it belongs to."""
        return self.id.rpartition(".")[0]


class TalkLog:
    """The requests of all conversations about one run; any number of processes may append."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder
        self._path = folder / TALKS

    def append(self, call: TalkCall) -> None:
        """Write one down. StoreError: the folder cannot be written. RunError: a link is in the way."""
        line = plain(json.dumps(flat(call), ensure_ascii=False)).encode() + b"\n"
        try:
            with (
                os.fdopen(open_to_append(self._folder, TALKS), "ab+") as file,  # makes no folder
                locks.holding(inside(self._folder, LOCK), PATIENCE),
            ):
                file.write(_end_of_torn(file) + line)
        except Timeout:
            raise StoreError(
                f"expected a turn to write {self._path} within {PATIENCE:g} s, found others that"
                " write: end what holds it"
            ) from None
        except OSError as error:
            raise cannot_write(self._path, error) from error

    def calls(self) -> list[TalkCall]:
        """Every request, in the order in which they were answered."""
        return list(self._read())

    def call(self, id_: str) -> TalkCall | None:
        """The request of this id."""
        return next((call for call in self._read() if call.id == id_), None)

    def _read(self) -> Iterator[TalkCall]:
        try:
            lines = content(self._folder, TALKS).splitlines()
        except OSError as error:
            raise StoreError(f"{self._path} cannot be read ({error}): correct its rights") from None
        for line in lines:
            call = _call_of(line)
            if call is not None:
                yield call


def _end_of_torn(file: Any) -> bytes:
    """The end of a line that somebody was killed in, so that only that one is lost."""
    if not file.seek(0, 2):
        return b""
    file.seek(-1, 2)
    return b"" if file.read(1) == b"\n" else b"\n"


def _call_of(line: bytes) -> TalkCall | None:
    """``None``: a line that somebody was killed in."""
    try:
        values = parse_json(line, strict=False)
        values["messages"] = tuple(Message(**message) for message in values["messages"])
        call = checked(TalkCall(**nested(values)))
        checked(call.usage)
        return call
    except (UnreadableError, TypeError, KeyError):
        return None
