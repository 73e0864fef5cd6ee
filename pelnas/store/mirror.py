"""``events.jsonl``: the events of a run as one line each, for people and programs that tail a file."""

import json
import os
from collections.abc import Iterable, Sequence
from dataclasses import asdict
from pathlib import Path

from pelnas.store.folder import cannot_write, open_to_append, write_atomically
from pelnas.store.records import Event

EVENTS = "events.jsonl"


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

        StoreError: it cannot be written.
        """
        expected = b"".join(map(line_of, events))
        try:
            found = self._path.read_bytes() if self._path.exists() else b""
        except OSError as error:
            raise cannot_write(self._path, error) from error
        if expected.startswith(found):
            self._write(expected[len(found) :])
        else:
            write_atomically(self._path, expected)
        self._torn = False

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
    values = asdict(event)
    return json.dumps(values | {"data": values.pop("data")}).encode() + b"\n"
