"""``events.jsonl``: the events of a run as one line each, for people and programs that tail a file."""

import json
import os
from collections.abc import Iterable, Iterator, Sequence
from contextlib import suppress
from dataclasses import fields
from pathlib import Path

from pelnas.errors import RunError, UnreadableError
from pelnas.inputs.formats import parse_json
from pelnas.store.decoding import checked
from pelnas.store.folder import DATABASE, cannot_write, content, open_to_append, write_atomically
from pelnas.store.records import Event

EVENTS = "events.jsonl"
_NAMES = (*(field.name for field in fields(Event) if field.name != "data"), "data")


class Mirror:
    """A file that holds what the database holds: a line is added after its event is committed.

    One append is one write of whole lines. A kill between commit and write, or
    within the write, is made good by ``reconcile`` when the run is opened next.
    """

    def __init__(self, path: Path) -> None:
        self._path = path
        self._torn = False  # a failed write may have left half a line

    @property
    def torn(self) -> bool:
        """Whether the file has to be reconciled before anything can be added."""
        return self._torn

    def append(self, events: Sequence[Event]) -> None:
        """Add lines. StoreError: the file cannot be written; the events are in the database."""
        if events:
            self._write(b"".join(map(line_of, events)))

    def reconcile(self, events: Iterable[Event]) -> None:
        """Make the file hold exactly these events: add what is missing, or write it anew.

        StoreError: it cannot be written. RunError: it holds later events, so the database
        has lost some.
        """
        expected = b"".join(map(line_of, events))
        try:
            found = content(self._path.parent, self._path.name)
        except OSError as error:
            raise cannot_write(self._path, error) from error
        if expected.startswith(found):
            self._write(expected[len(found) :])
        else:
            self._refuse_later_ones(found, expected)
            write_atomically(self._path, expected)
        self._torn = False

    def _refuse_later_ones(self, found: bytes, expected: bytes) -> None:
        """A line is written after its event is on disk: more lines than events were never written."""
        there, here = newest(found), newest(expected)
        if there > here:
            raise RunError(
                f"{self._path.parent} has lost what happened after event {here}: {self._path.name}"
                f" knows {there}. Restore {DATABASE}-wal, the log of the database, if it was removed, or"
                f" accept the loss and go on from there by `pelnas verify {self._path.parent} --repair`"
            )

    def _write(self, data: bytes) -> None:
        try:
            handle = open_to_append(self._path.parent, self._path.name)
            try:
                written = os.write(handle, data)
            finally:
                os.close(handle)
            if written < len(data):
                raise OSError(f"{written} of {len(data)} bytes were written")
        except OSError as error:
            self._torn = True
            raise cannot_write(self._path, error) from error


def line_of(event: Event) -> bytes:
    """The line of an event: one JSON object in ASCII, what is special to its kind at the end."""
    values = {name: getattr(event, name) for name in _NAMES}
    return json.dumps(values).encode() + b"\n"


def newest(lines: bytes) -> int:
    """The ``seq`` of the last whole line; 0 where there is none."""
    return next((event.seq for event in events_in(lines, backwards=True)), 0)


def events_in(lines: bytes, *, backwards: bool = False) -> Iterator[Event]:
    """The events of a file's whole lines; damaged lines are passed over."""
    *whole, _ = lines.split(b"\n")
    for line in reversed(whole) if backwards else whole:
        with suppress(UnreadableError, TypeError):
            yield checked(Event(**parse_json(line, strict=False)))
