"""The event stream of a run: append-only, in the database and in ``events.jsonl``."""

import json
import math
import time
from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager
from operator import attrgetter
from typing import Any

from pelnas.store.database import Database, Row
from pelnas.store.decoding import decodes, json_of
from pelnas.store.events_file import Mirror
from pelnas.store.records import Event

_PLACES = ("seq", "time", "kind", "span", "parent", "round", "agent", "niche")
Step = tuple[str, int | None]

_INSERT = (
    "INSERT INTO events (time, kind, span, parent, round, agent, niche, data)"
    " VALUES (?, ?, ?, ?, ?, ?, ?, ?)"
)


class Events:
    """What happened, in order. Written by whoever holds the run, read by anybody."""

    _database: Database
    _subscribers: list[Callable[[Event], None]]
    _batch: list[Event] | None
    _mirror: Mirror

    def event(
        self,
        kind: str,
        *,
        span: str = "",
        parent: str = "",
        round: int | None = None,  # noqa: A002 - the word of the method
        agent: str = "",
        niche: int | None = None,
        **data: Any,
    ) -> None:
        """Append an event, then notify the subscribers, in this thread.

        ``data``: what JSON can hold; a number that is not finite becomes ``None``.
        """
        kept = {name: _finite(value) for name, value in data.items()}
        with self.together(), self._database.transaction() as connection:
            now = time.time()  # taken alone, so that times follow the order
            cursor = connection.execute(
                _INSERT, (now, kind, span, parent, round, agent, niche, json.dumps(kept))
            )
            seq = int(cursor.lastrowid or 0)
            assert self._batch is not None  # noqa: S101 - ``together`` has just begun one
            self._batch.append(Event(seq, now, kind, kept, span, parent, round, agent, niche))

    @contextmanager
    def together(self) -> Iterator[None]:
        """Everything that this thread stores and reports in the block, or nothing of it.

        Other threads wait. Subscribers are notified after it: keep the block short.
        """
        with self._database.alone():
            if self._batch is not None:  # inside a block of this thread: a part of it
                yield
                return
            batch = self._batch = []
            try:
                with self._database.transaction():
                    yield
            finally:
                self._batch = None
            self._mirror_new(batch)
        for event in batch:
            for callback in tuple(self._subscribers):
                callback(event)

    def events(self, after: int = 0) -> list[Event]:
        """Events whose ``seq`` is above ``after``, oldest first."""
        found = self._database.rows("SELECT * FROM events WHERE seq > ? ORDER BY seq", (after,))
        return [_event_of(row) for row in found]

    def newest_event(self) -> int:
        """The ``seq`` of the last event; 0 before the first. Cheap: asked by whoever watches."""
        found = self._database.rows("SELECT max(seq) FROM events")
        return int(found[0][0] or 0)

    def events_of(self, span: str) -> list[Event]:
        """Events of one span, oldest first."""
        found = self._database.rows("SELECT * FROM events WHERE span = ? ORDER BY seq", (span,))
        return [_event_of(row) for row in found]

    def steps(self, round_: int) -> tuple[set[Step], set[Step]]:
        """The steps of a round that were begun, and those that were done: (name, niche or ``None``)."""
        found = self._database.rows(
            "SELECT kind, span, niche, json_extract(data, '$.outcome') AS outcome FROM events"
            " WHERE kind IN ('step-begun', 'step-ended') AND round = ?",
            (round_,),
        )
        begun, ended = set(), set()
        for row in found:
            step = (row["span"].split(".")[1], row["niche"])
            begun.add(step)
            if row["kind"] == "step-ended" and row["outcome"] == "ok":
                ended.add(step)
        return begun, ended

    def first_begun(self, step: str, round_: int) -> int | None:
        """The ``seq`` with which a step without niches first began; ``None``: it has not."""
        found = self._database.rows(
            "SELECT min(seq) FROM events WHERE kind = 'step-begun' AND span = 'r' || ?1 || '.' || ?2",
            (round_, step),
        )
        return None if found[0][0] is None else int(found[0][0])

    def ended_here(self, span: str) -> bool:
        """Whether a step was done in this run itself, not in one that it was forked from."""
        found = self._database.rows(
            "SELECT 1 FROM events WHERE kind = 'step-ended' AND span = ?"
            " AND json_extract(data, '$.outcome') = 'ok' AND seq >"
            " (SELECT coalesce(max(seq), 0) FROM events WHERE kind = 'run-forked') LIMIT 1",
            (span,),
        )
        return bool(found)

    def last_round_done(self) -> int:
        """The last round that was learned from, counted from 0; -1 before the first."""
        found = self._database.rows("SELECT max(round) FROM events WHERE kind = 'round-done'")
        return -1 if found[0][0] is None else int(found[0][0])

    def kinds_and_spans(self) -> set[tuple[str, str]]:
        """Every kind of event with every span that it happened in."""
        found = self._database.rows("SELECT DISTINCT kind, span FROM events")
        return {(row["kind"], row["span"]) for row in found}

    def restore_events(self, events: Iterable[Event]) -> None:
        """Put events back as they were, under their own numbers; subscribers are not notified."""
        with self._database.transaction() as connection:
            connection.executemany(
                "INSERT OR REPLACE INTO events (seq, time, kind, span, parent, round, agent, niche,"
                " data) VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?)",
                [(*attrgetter(*_PLACES)(event), json.dumps(dict(event.data))) for event in events],
            )

    def subscribe(self, callback: Callable[[Event], None]) -> None:
        """Call ``callback`` with every event of this process from now on, in the thread it happens in.

        Events of two threads may arrive out of order; ``seq`` gives their order. What the callback
        raises goes to whoever reported the event.
        """
        self._subscribers.append(callback)

    def _mirror_new(self, events: list[Event]) -> None:
        if self._mirror.torn:
            self._reconcile()
        else:
            self._mirror.append(events)

    def _reconcile(self) -> None:
        self._mirror.reconcile(self.events())


@decodes
def _event_of(row: Row) -> Event:
    return Event(
        seq=row["seq"],
        time=row["time"],
        kind=row["kind"],
        data=json_of(row["data"]),
        span=row["span"],
        parent=row["parent"],
        round=row["round"],
        agent=row["agent"],
        niche=row["niche"],
    )


def _finite(value: Any) -> Any:
    return None if isinstance(value, float) and not math.isfinite(value) else value
