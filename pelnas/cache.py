"""The cache of measurements and scores, shared between runs in one small SQLite file.

A measurement depends on everything in its key (architecture, resolution,
threads, library versions, ...), so entries are never out of date: a new
version has new keys.
"""

import hashlib
import json
import logging
import math
import os
import sqlite3
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from contextlib import closing, contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Protocol, TypeAlias

from filelock import Timeout
from platformdirs import user_cache_dir

from pelnas import locks
from pelnas.errors import StoreError, UnreadableError
from pelnas.inputs.formats import parse_json, regular
from pelnas.inputs.paths import expanded

#: Scalars or nested tuples of them; best made by ``cache_key``.
Key: TypeAlias = tuple[Any, ...]
Entry: TypeAlias = tuple[str, str, str]  # hash and text of a key, and its value, as JSON

BUSY_SECONDS = 10.0  # how long a writer waits for another process
_BUSY = (sqlite3.SQLITE_BUSY, sqlite3.SQLITE_LOCKED)
_GIVEN_UP: set[Path] = set()  # caches that another process keeps from this one
_CHUNK = 500  # keys a query; SQLite allows 999 variables in its oldest builds


def cache_key(kind: str, **fields: str | int | float | None) -> Key:
    """A key of named fields, the same in whatever order they are given."""
    return (kind, *sorted(fields.items()))


def is_number(value: object, low: float = -math.inf) -> bool:
    """Whether a value that came back is a finite number, and not below ``low``."""
    if isinstance(value, bool) or not isinstance(value, int | float):
        return False
    return math.isfinite(value) and value >= low


class Entries(Protocol):
    """Entries that several machines share. What goes wrong there is not found, or not kept."""

    def values(self, hashes: Sequence[str]) -> dict[str, str]:
        """The values that are there, as JSON, by the hash of their key."""

    def keep(self, entries: Sequence[Entry]) -> None:
        """Add these, as JSON; the last of a key wins."""


@dataclass(frozen=True)
class Cache:
    """JSON values by key, for any number of threads and processes.

    ``shared``: entries of other machines, asked for what this file lacks, and given what is put.
    It holds no connection: every operation opens the file anew, so that
    a cache may be pickled, forked and shared. Values come back as JSON has
    them (tuples as lists; whole numbers of 64 bits). ``put`` is atomic, and the
    last one wins. Where another process keeps the file to itself (a stopped one,
    for example), this process says so once and goes on as if the cache were empty.
    StoreError: the file cannot be created, read or written.
    """

    path: Path
    shared: Entries | None = None

    def __post_init__(self) -> None:
        with self._problems():
            self.path.parent.mkdir(parents=True, exist_ok=True)
            if not self._is_made():
                self._make()

    def get_many(
        self, keys: Iterable[Key], fits: Callable[[Any], bool] = lambda _: True
    ) -> dict[Key, Any]:
        """The values that are there; keys without one are left out.

        ``fits``: whether a value is of the kind that was put in. What is not, or is no
        JSON any more, counts as missing: it is computed again and replaced.
        """
        wanted = {_hash(key): key for key in keys}
        found: dict[Key, Any] = {}
        for hash_, text in self._texts(wanted).items():
            try:
                value = parse_json(text, strict=False)
            except (UnreadableError, TypeError):
                continue
            if fits(value):
                found[wanted[hash_]] = value
        return found

    def _texts(self, wanted: Mapping[str, Key]) -> dict[str, str]:
        """By hash, from the file, else from other machines, whose entries are kept here, too."""
        found = self.values(list(wanted))
        missing = [hash_ for hash_ in wanted if hash_ not in found]
        if self.shared is not None and missing:
            further = self.shared.values(missing)
            self.keep([(hash_, _text(wanted[hash_]), text) for hash_, text in further.items()])
            found |= further
        return found

    def values(self, hashes: Sequence[str]) -> dict[str, str]:
        """As ``Entries``, of the file alone."""
        found: dict[str, str] = {}
        if self.path in _GIVEN_UP:
            return found
        with self._problems(), closing(self._connect()) as connection:
            for start in range(0, len(hashes), _CHUNK):
                part = hashes[start : start + _CHUNK]
                marks = ",".join("?" * len(part))
                query = f"SELECT hash, value FROM entries WHERE hash IN ({marks})"  # noqa: S608
                found.update(connection.execute(query, part))
        return found

    def put(self, key: Key, value: Any) -> None:
        """Keep one JSON value."""
        self.put_many({key: value})

    def put_many(self, values: Mapping[Key, Any]) -> None:
        """Keep all of these or, on an error, none."""
        entries = [(_hash(key), _text(key), json.dumps(value)) for key, value in values.items()]
        self.keep(entries)
        if self.shared is not None:
            self.shared.keep(entries)

    def keep(self, entries: Sequence[Entry]) -> None:
        """As ``Entries``, in the file alone: all of these or, on an error, none."""
        if self.path in _GIVEN_UP or not entries:
            return
        with self._problems(), closing(self._connect()) as connection, connection:
            connection.executemany("INSERT OR REPLACE INTO entries VALUES (?, ?, ?)", entries)

    def _is_made(self) -> bool:
        """Whether the file has its table and its write-ahead log: then nobody needs the lock."""
        if not self.path.exists():
            return False
        regular(self.path)
        with closing(self._connect()) as connection:
            (mode,) = connection.execute("PRAGMA journal_mode").fetchone()
            tables = "SELECT 1 FROM sqlite_master WHERE type = 'table' AND name = 'entries'"
            return mode == "wal" and connection.execute(tables).fetchone() is not None

    def _make(self) -> None:
        """Two processes that turn on the write-ahead log at once would refuse each other."""
        held = locks.holding(Path(f"{self.path}.lock"), BUSY_SECONDS)
        with held, closing(self._connect()) as connection, connection:
            connection.execute("PRAGMA journal_mode=WAL")
            connection.execute(
                "CREATE TABLE IF NOT EXISTS entries"
                " (hash TEXT PRIMARY KEY, key TEXT NOT NULL, value TEXT NOT NULL)"
            )

    def _connect(self) -> sqlite3.Connection:
        connection = sqlite3.connect(self.path, timeout=BUSY_SECONDS)
        connection.execute("PRAGMA synchronous=NORMAL")  # a lost entry is only measured again
        return connection

    @contextmanager
    def _problems(self) -> Iterator[None]:
        try:
            yield
        except (sqlite3.Error, OSError, ValueError, UnreadableError) as error:
            code = getattr(error, "sqlite_errorcode", 0) & 0xFF  # the rest says more of the same
            if isinstance(error, Timeout) or code in _BUSY:
                self._give_up()
                return
            raise StoreError(
                f"expected a usable cache of measurements at {self.path}, found: {error};"
                " free disk space, delete that file, or set PELNAS_CACHE to a folder that can be written"
            ) from None

    def _give_up(self) -> None:
        if self.path not in _GIVEN_UP:
            _GIVEN_UP.add(self.path)
            logging.getLogger("pelnas").warning(
                "pelnas: another process has kept the cache %s to itself for %g s; going on"
                " without it: what was measured before is measured again",
                self.path,
                BUSY_SECONDS,
            )


_shared: Entries | None = None


def share(entries: Entries | None) -> None:
    """From now on the caches of this process share these, see ``Cache.shared``; ``None``: no more."""
    global _shared
    _shared = entries


def default_cache() -> Cache:
    """The user's cache: in the folder PELNAS_CACHE, or where the system keeps caches."""
    folder = os.environ.get("PELNAS_CACHE") or user_cache_dir("pelnas")
    return Cache(expanded(Path(folder)) / "measurements.sqlite", _shared)


def _text(key: Key) -> str:
    return json.dumps(key, ensure_ascii=False)


def _hash(key: Key) -> str:
    return hashlib.sha256(_text(key).encode()).hexdigest()
