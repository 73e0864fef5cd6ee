"""The runs below one folder, as the page reads them: opened by name, answers that take time are kept."""

import time
from collections import OrderedDict
from collections.abc import Callable, Hashable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from threading import Lock
from typing import Any, TypeVar

from pelnas.errors import RunError
from pelnas.store import Event, RunStore
from pelnas.store.folder import DATABASE, is_run

KEPT = 64  # answers: some of each of the runs that a person looks at in turn
T = TypeVar("T")
Stamp = tuple[tuple[int, int], ...]


@dataclass(frozen=True, slots=True)
class _Kept:
    """An answer. ``began``: when its computation did, on the monotonic clock."""

    stamp: Stamp
    began: float
    value: Any


@dataclass(slots=True)
class _Turn:
    """Those who ask the same at the same time: one computes, the others wait."""

    lock: Lock = field(default_factory=Lock)
    askers: int = 0


class Library:
    """Safe to use from several threads."""

    def __init__(self, output: Path) -> None:
        self.output = output
        self._kept: OrderedDict[Hashable, _Kept] = OrderedDict()
        self._turns: dict[Hashable, _Turn] = {}
        self._events: dict[str, list[Event]] = {}
        self._lock = Lock()

    def folder(self, name: str) -> Path:
        """The folder of a run. RunError: no such name directly below the output folder."""
        folder = self.output / name
        inside = bool(name) and Path(name).name == name and name != ".." and "\0" not in name
        if not inside or not is_run(folder):
            raise RunError(f"there is no run {name[:80]!r} in {self.output}: see the list of runs")
        return folder

    def read(self, name: str) -> RunStore:
        """A run to look at. RunError: no such run, or it cannot be read."""
        return RunStore.read(self.folder(name))

    def answer(self, name: str, question: Hashable, build: Callable[[RunStore], T]) -> T:
        """``build`` of a run, or what it gave before where nothing was written to the run since.

        Whoever asks while somebody else's answer is computed waits for it, and takes it where
        its computation began no earlier than they asked: it is as new as their own would be.
        """
        asked, key = time.monotonic(), (name, question)
        with self._alone(key):
            stamp = _stamp(self.folder(name))
            with self._lock:
                before = self._kept.get(key)
            if before is not None and (before.stamp == stamp or before.began >= asked):
                value: T = before.value
                return value
            began = time.monotonic()
            with self.read(name) as store:
                value = build(store)
            with self._lock:
                self._kept[key] = _Kept(stamp, began, value)
                self._kept.move_to_end(key)
                while len(self._kept) > KEPT:
                    self._kept.popitem(last=False)
        return value

    def events(self, store: RunStore) -> list[Event]:
        """All events of a run; only those are read that were not known yet."""
        with self._alone(("events", store.name)):
            known = self._events.get(store.name, [])
            new = store.events(known[-1].seq if known else 0)
            if new:
                known = self._events[store.name] = known + new
        return known

    @contextmanager
    def _alone(self, key: Hashable) -> Iterator[None]:
        """One at a time of those who ask the same."""
        with self._lock:
            turn = self._turns.setdefault(key, _Turn())
            turn.askers += 1
        try:
            with turn.lock:
                yield
        finally:
            with self._lock:
                turn.askers -= 1
                if not turn.askers:
                    del self._turns[key]


def _stamp(folder: Path) -> Stamp:
    """Changes whenever something is written: size and time of the database and of its log."""
    found = []
    for file in (folder / DATABASE, folder / f"{DATABASE}-wal"):
        try:
            status = file.stat()
            found.append((status.st_size, status.st_mtime_ns))
        except FileNotFoundError:
            found.append((0, 0))
    return tuple(found)
