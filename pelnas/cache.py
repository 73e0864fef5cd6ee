"""What was measured or scored once, kept between runs in one small SQLite file.

A measurement depends on everything in its key (architecture, resolution,
threads, library versions, ...), so entries are never out of date: a new
version has new keys.
"""

import hashlib
import json
import os
import sqlite3
from collections.abc import Iterable, Iterator, Mapping
from contextlib import closing, contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any, TypeAlias

from filelock import FileLock
from platformdirs import user_cache_dir

from pelnas.errors import StoreError

#: Scalars or nested tuples of them; best made by ``cache_key``.
Key: TypeAlias = tuple[Any, ...]

BUSY_SECONDS = 30.0  # how long a writer waits for another process
_CHUNK = 500  # keys a query; SQLite allows 999 variables in its oldest builds


def cache_key(kind: str, **fields: str | int | float | None) -> Key:
    """A key of named fields, the same in whatever order they are given."""
    return (kind, *sorted(fields.items()))


@dataclass(frozen=True)
class Cache:
    """JSON values by key, for any number of threads and processes.

    It holds nothing but its path: every operation opens the file anew, so that
    a cache may be pickled, forked and shared. Values come back as JSON has
    them (tuples as lists). ``put`` is atomic, and the last one wins.
    StoreError: the file cannot be created, read or written.
    """

    path: Path

    def __post_init__(self) -> None:
        with self._problems():
            self.path.parent.mkdir(parents=True, exist_ok=True)
            # Two processes that turn on the write-ahead log at once would refuse each other.
            with FileLock(f"{self.path}.lock"), closing(self._connect()) as connection, connection:
                connection.execute("PRAGMA journal_mode=WAL")
                connection.execute(
                    "CREATE TABLE IF NOT EXISTS entries"
                    " (hash TEXT PRIMARY KEY, key TEXT NOT NULL, value TEXT NOT NULL)"
                )

    def get_many(self, keys: Iterable[Key]) -> dict[Key, Any]:
        """The values that are there; keys without one are left out."""
        wanted = {_hash(key): key for key in keys}
        hashes = list(wanted)
        found: dict[Key, Any] = {}
        with self._problems(), closing(self._connect()) as connection:
            for start in range(0, len(hashes), _CHUNK):
                part = hashes[start : start + _CHUNK]
                marks = ",".join("?" * len(part))
                query = f"SELECT hash, value FROM entries WHERE hash IN ({marks})"  # noqa: S608
                found.update(
                    (wanted[hash_], json.loads(value))
                    for hash_, value in connection.execute(query, part)
                )
        return found

    def put(self, key: Key, value: Any) -> None:
        """Keep one JSON value."""
        self.put_many({key: value})

    def put_many(self, values: Mapping[Key, Any]) -> None:
        """Keep all of these or, on an error, none."""
        rows = [(_hash(key), _text(key), json.dumps(value)) for key, value in values.items()]
        with self._problems(), closing(self._connect()) as connection, connection:
            connection.executemany("INSERT OR REPLACE INTO entries VALUES (?, ?, ?)", rows)

    def _connect(self) -> sqlite3.Connection:
        connection = sqlite3.connect(self.path, timeout=BUSY_SECONDS)
        connection.execute("PRAGMA synchronous=NORMAL")  # a lost entry is only measured again
        return connection

    @contextmanager
    def _problems(self) -> Iterator[None]:
        try:
            yield
        except (sqlite3.Error, OSError, ValueError) as error:
            raise StoreError(
                f"expected a usable cache of measurements at {self.path}, found: {error};"
                " delete that file, or set PELNAS_CACHE to a folder that can be written"
            ) from None


def default_cache() -> Cache:
    """The user's cache: in the folder PELNAS_CACHE, or where the system keeps caches."""
    folder = os.environ.get("PELNAS_CACHE") or user_cache_dir("pelnas")
    return Cache(Path(folder) / "measurements.sqlite")


def _text(key: Key) -> str:
    return json.dumps(key, ensure_ascii=False)


def _hash(key: Key) -> str:
    return hashlib.sha256(_text(key).encode()).hexdigest()
