"""The runs below one folder, as the page reads them: opened by name, dear answers kept."""

from collections import OrderedDict
from collections.abc import Callable, Hashable
from pathlib import Path
from threading import Lock
from typing import Any, TypeVar

from pelnas.errors import RunError
from pelnas.store import Event, RunStore
from pelnas.store.folder import DATABASE, is_run

KEPT = 64  # answers: some of each of the runs that a person looks at in turn
T = TypeVar("T")
Stamp = tuple[tuple[int, int], ...]


class Library:
    """Safe to use from several threads."""

    def __init__(self, output: Path) -> None:
        self.output = output
        self._kept: OrderedDict[Hashable, tuple[Stamp, Any]] = OrderedDict()
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
        """``build`` of a run, or what it gave before where nothing was written to the run since."""
        stamp = _stamp(self.folder(name))
        with self._lock:
            before = self._kept.get((name, question))
        if before is not None and before[0] == stamp:
            value: T = before[1]
            return value
        with self.read(name) as store:
            value = build(store)
        with self._lock:
            self._kept[name, question] = (stamp, value)
            self._kept.move_to_end((name, question))
            while len(self._kept) > KEPT:
                self._kept.popitem(last=False)
        return value

    def events(self, store: RunStore) -> list[Event]:
        """All events of a run; only those are read that were not known yet."""
        with self._lock:
            known = self._events.get(store.name, [])
        new = store.events(known[-1].seq if known else 0)
        if new:
            known = known + new
            with self._lock:
                self._events[store.name] = known
        return known


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
