"""One SQLite file behind one connection and one lock: the only place that speaks to sqlite3."""

import os
import sqlite3
import time
from collections.abc import Iterator, Sequence
from contextlib import AbstractContextManager, contextmanager
from pathlib import Path
from threading import RLock
from typing import Any

from pelnas.errors import RunError, StoreError
from pelnas.store.migrations import APPLICATION_ID, MIGRATIONS

Connection = sqlite3.Connection
Row = sqlite3.Row
BUSY_SECONDS = 30.0  # how long a write waits for another program that has the file open


class Database:
    """A run's tables, for several threads of one process.

    Write-ahead logging: readers never wait for the writer, and what was
    committed survives the death of the process (not a power cut).
    RunError: the file is not a run's. StoreError: it cannot be written.
    """

    def __init__(self, path: Path, read_only: bool = False) -> None:
        self.path = path
        self._lock = RLock()
        self._connection = _connect(path, read_only)
        try:
            self._prepare(read_only)
        except BaseException:
            self._connection.close()
            raise

    @property
    def version(self) -> int:
        """The number of the last migration that this file has seen."""
        return int(self.rows("PRAGMA user_version")[0][0])

    def rows(self, sql: str, values: Sequence[Any] = ()) -> list[Row]:
        """Everything a query finds."""
        with self._lock, self._errors():
            return self._connection.execute(sql, values).fetchall()

    def alone(self) -> AbstractContextManager[bool]:
        """Keep the other threads of this process out for a block."""
        return self._lock

    @contextmanager
    def transaction(self) -> Iterator[Connection]:
        """All of the block or nothing; committed when the block has ended.

        A block inside another one is a part of it: the outer one commits both.
        """
        with self._lock, self._errors():
            if self._connection.in_transaction:  # by this very thread: it has the lock
                yield self._connection
                return
            self._connection.execute("BEGIN IMMEDIATE")
            try:
                yield self._connection
                self._connection.execute("COMMIT")
            except BaseException:
                if self._connection.in_transaction:
                    self._connection.execute("ROLLBACK")
                raise

    @contextmanager
    def beside(self, path: Path) -> Iterator[None]:
        """Have another run's tables in reach as ``source.NAME``, to read only.

        What a transaction of the block reads of them is as it was when it began.
        """
        with self._lock, self._errors():
            self._connection.execute("ATTACH ? AS source", (_address(path, read_only=True),))
            try:
                yield
            finally:
                self._connection.execute("DETACH source")

    def close(self) -> None:
        """Close the file; a second call does nothing."""
        with self._lock:
            self._connection.close()

    @contextmanager
    def _errors(self) -> Iterator[None]:
        try:
            yield
        except sqlite3.OperationalError as error:
            raise StoreError(
                f"{self.path} cannot be written or read ({error}): free disk space or correct its"
                f" permissions; what was stored before is kept"
            ) from error
        except sqlite3.ProgrammingError as error:
            raise StoreError(f"{self.path} is closed ({error}): open the run again") from error
        except sqlite3.IntegrityError:
            raise  # a value of ours that the tables refuse: nothing a caller could correct
        except sqlite3.DatabaseError as error:
            raise RunError(
                f"expected a pelnas run in {self.path}, found another or a damaged file ({error}):"
                f" name a run's folder"
            ) from error

    def _prepare(self, read_only: bool) -> None:
        self._check_ours()
        if read_only:
            return
        with self._lock, self._errors():
            self._connection.execute("PRAGMA journal_mode = WAL")
            self._connection.execute("PRAGMA synchronous = NORMAL")
        for number in range(self.version + 1, len(MIGRATIONS) + 1):
            self._migrate(number)

    def _check_ours(self) -> None:
        mark = self.rows("PRAGMA application_id")[0][0]
        tables = self.rows("SELECT count(*) FROM sqlite_master")[0][0]
        if tables and mark != APPLICATION_ID:
            raise RunError(
                f"expected a pelnas run in {self.path}, found another program's database:"
                f" name a run's folder"
            )
        if self.version > len(MIGRATIONS):
            raise RunError(
                f"{self.path} was written by a newer pelnas (format {self.version}, this one reads up"
                f" to {len(MIGRATIONS)}): upgrade pelnas"
            )

    def _migrate(self, number: int) -> None:
        """One step and its number in one transaction: a kill leaves the old version or the new one."""
        with self.transaction() as connection:
            for statement in filter(str.strip, MIGRATIONS[number - 1].split(";\n")):
                connection.execute(statement)
            if number == 1:
                connection.execute("INSERT INTO run (only, started) VALUES (1, ?)", (time.time(),))
                connection.execute(f"PRAGMA application_id = {APPLICATION_ID}")
            connection.execute(f"PRAGMA user_version = {number}")


def plain(text: str) -> str:
    """Text that the file can hold: a model may answer with half a character (a lone surrogate)."""
    return text.encode("utf-8", "replace").decode("utf-8")


def _connect(path: Path, read_only: bool) -> sqlite3.Connection:
    try:
        connection = sqlite3.connect(
            _address(path, read_only),
            uri=True,
            timeout=BUSY_SECONDS,
            isolation_level=None,  # transactions are explicit
            check_same_thread=False,  # our own lock guards the connection
        )
    except sqlite3.OperationalError as error:
        raise StoreError(
            f"{path} cannot be opened ({error}): correct the path or its permissions"
        ) from error
    connection.row_factory = Row
    return connection


def _address(path: Path, read_only: bool) -> str:
    address = path.resolve().as_uri()
    if not read_only:
        return address
    return address + ("?mode=ro&immutable=1" if _at_rest(path) else "?mode=ro")


def _at_rest(path: Path) -> bool:
    """Whether nobody has a log open beside the file and SQLite could not begin one to read it."""
    return not os.access(path.parent, os.W_OK) and not path.with_name(path.name + "-wal").exists()
