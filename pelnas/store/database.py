"""One SQLite file behind one connection and one lock: the only place that speaks to sqlite3."""

import os
import shutil
import sqlite3
import tempfile
import time
from collections.abc import Iterator, Sequence
from contextlib import AbstractContextManager, closing, contextmanager
from functools import cache
from pathlib import Path
from threading import Lock, RLock
from typing import Any

from pelnas.errors import RunError, StoreError
from pelnas.store import sums
from pelnas.store.folder import inside
from pelnas.store.migrations import APPLICATION_ID, FIRST_WITH_SUMS, MIGRATIONS
from pelnas.store.sums import Damaged

Connection = sqlite3.Connection
Row = sqlite3.Row
FILES = ("", "-wal", "-shm", "-journal")  # ends of the names of a database's files
BUSY_SECONDS = 30.0  # how long a write waits for another program that has the file open
_copying = Lock()  # of the one template


class Database:
    """A run's tables, for several threads of one process.

    Write-ahead logging: readers never wait for the writer. A commit is on disk when it
    returns, so what was committed survives the death of the process and a power cut.

    ``new``: make the tables of a new run; otherwise a file without any is refused.
    ``read_only``: write nothing, not even to bring the tables of an older pelnas up to
    date; those are read from a migrated copy in memory, as they are at this moment.
    RunError: the file is not a run's, or one of its files is a link. StoreError: it cannot be
    written.
    """

    def __init__(self, path: Path, *, read_only: bool = False, new: bool = False) -> None:
        for name in FILES:  # before SQLite follows a link, out of the run's folder maybe
            inside(path.parent, path.name + name)
        self.path = path
        self.found = 0  # the version that the file was opened with
        self.rollbacks = 0  # transactions that were taken back
        self._lock = RLock()
        self._connection = (read_only and _stranded(path)) or _connect(path, read_only)
        try:
            self._prepare(read_only, new)
        except BaseException:
            self._connection.close()
            raise

    @property
    def version(self) -> int:
        """The number of the last migration that these tables have seen."""
        return int(self.rows("PRAGMA user_version")[0][0])

    def rows(self, sql: str, values: Sequence[Any] = ()) -> list[Row]:
        """Everything a query finds."""
        with self._lock, self._errors():
            return self._connection.execute(sql, values).fetchall()

    def damaged(self) -> Sequence[str | Damaged]:
        """What is wrong with the file: in its structure, else record by record. Reads all of it."""
        with self._lock:
            try:
                found = self._connection.execute("PRAGMA quick_check").fetchall()
                problems = [str(row[0]) for row in found if row[0] != "ok"]
                return problems or sums.damaged(self._connection)
            except sqlite3.DatabaseError as error:
                return [str(error)]

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
                self.rollbacks += 1
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
            # No code: of the module, a text that is no UTF-8. The code of no other cause: a
            # statement of ours that its tables do not understand, so they are not as we made them.
            if getattr(error, "sqlite_errorcode", sqlite3.SQLITE_ERROR) == sqlite3.SQLITE_ERROR:
                raise self._damaged(error) from error
            raise StoreError(
                f"{self.path} cannot be written or read ({error}): free disk space or correct its"
                f" permissions; what was stored before is kept"
            ) from error
        except sqlite3.ProgrammingError as error:
            raise StoreError(f"{self.path} is closed ({error}): open the run again") from error
        except sqlite3.IntegrityError:
            raise  # a value of ours that the tables refuse: nothing a caller could correct
        except (sqlite3.DatabaseError, UnicodeDecodeError) as error:  # texts that are no UTF-8
            raise self._damaged(error) from error

    def _damaged(self, error: Exception) -> RunError:
        return RunError(
            f"expected a pelnas run in {self.path}, found another or a damaged file ({error}):"
            f" name a run's folder"
        )

    def _prepare(self, read_only: bool, new: bool) -> None:
        self.found = version = self.version
        self._check_ours(new, version)
        if version < len(MIGRATIONS) and read_only:
            self._read_a_copy()
        elif not read_only:
            with self._lock, self._errors():
                self._connection.execute("PRAGMA journal_mode = WAL")
                self._connection.execute("PRAGMA synchronous = FULL")
        if version == 0:
            self._begin()
        elif version < len(MIGRATIONS):  # of a reader, the copy
            self._migrate()

    def _read_a_copy(self) -> None:
        with self._lock, self._errors():
            self._connection = _in_memory(self._connection)

    def _check_ours(self, new: bool, version: int) -> None:
        mark = self.rows("PRAGMA application_id")[0][0]
        tables = self.rows("SELECT count(*) FROM sqlite_master")[0][0]
        if tables and mark != APPLICATION_ID:
            raise RunError(
                f"expected a pelnas run in {self.path}, found another program's database:"
                f" name a run's folder"
            )
        if not tables and not new:
            raise RunError(
                f"expected a pelnas run in {self.path}, found an empty file: what it held is lost;"
                f" restore the file, with {self.path.name}-wal if there was one, from a copy"
            )
        if version > len(MIGRATIONS):
            raise RunError(
                f"{self.path} was written by a newer pelnas (format {version}, this one reads up"
                f" to {len(MIGRATIONS)}): upgrade pelnas"
            )
        with self._lock, self._errors():
            schema = _schema(self._connection)
        if tables and schema != _expected_schema(version):
            raise RunError(
                f"expected the tables of a pelnas run (format {version}) in {self.path}, found"
                " others: something else changed the file; restore it from a copy"
            )

    def _migrate(self) -> None:
        """All missing steps in one transaction: a kill leaves the old version or the new one."""
        with self.transaction() as connection:
            self._check_sums(connection)
            _make_tables(connection, self.version, len(MIGRATIONS))

    def _begin(self) -> None:
        """The tables of a new run, copied whole: making them step by step takes ten times as long."""
        with self._lock, self._errors(), _copying:
            _template().backup(self._connection)
        with self.transaction() as connection:
            connection.execute("INSERT INTO run (only, started) VALUES (1, ?)", (time.time(),))
            connection.execute(f"PRAGMA application_id = {APPLICATION_ID}")

    def _check_sums(self, connection: Connection) -> None:
        """New checksums are computed from the records, so those have to be whole."""
        damaged = sums.damaged(connection)
        if damaged:
            raise RunError(
                f"{self.path} cannot be upgraded, since records of it are damaged: {damaged[0]}:"
                f" see `pelnas verify` of the pelnas that wrote it"
            )


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
    return _prepared(connection)


def _make_tables(connection: Connection, version: int, wanted: int) -> None:
    """Bring the tables from one version to another."""
    for migration in MIGRATIONS[version:wanted]:
        for statement in filter(str.strip, migration.split(";\n")):
            connection.execute(statement)
    connection.execute(f"PRAGMA user_version = {wanted}")
    if wanted >= FIRST_WITH_SUMS:
        sums.install(connection)


def _schema(connection: Connection) -> frozenset[tuple[str, ...]]:
    """What a database consists of, each part with its definition: no released step ever changes."""
    cursor = connection.cursor()
    cursor.row_factory = None  # plain tuples
    return frozenset(
        cursor.execute(
            "SELECT type, name, tbl_name, sql FROM sqlite_master WHERE name NOT LIKE 'sqlite_%'"
        )
    )


@cache
def _template() -> Connection:
    """The empty tables of today, in memory; not closed, since every new run is copied from it."""
    memory = sqlite3.connect(":memory:", isolation_level=None, check_same_thread=False)
    _make_tables(_prepared(memory), 0, len(MIGRATIONS))
    return memory


@cache
def _expected_schema(version: int) -> frozenset[tuple[str, ...]]:
    with closing(_prepared(sqlite3.connect(":memory:", isolation_level=None))) as connection:
        _make_tables(connection, 0, version)
        return _schema(connection)


def _prepared(connection: Connection) -> Connection:
    connection.row_factory = Row
    sums.register(connection)
    return connection


def _in_memory(connection: Connection) -> Connection:
    """A copy of a database, which takes the place of its connection."""
    copy = sqlite3.connect(":memory:", isolation_level=None, check_same_thread=False)
    connection.backup(copy)
    connection.close()
    return _prepared(copy)


def _stranded(path: Path) -> Connection | None:
    """A copy of a database whose log SQLite cannot read where it lies, since it may not write there."""
    log, index = (path.with_name(path.name + end) for end in ("-wal", "-shm"))
    if os.access(path.parent, os.W_OK) or not log.exists() or index.exists():
        return None
    with tempfile.TemporaryDirectory() as place:
        for file in (path, log):
            shutil.copyfile(file, Path(place) / file.name)
        return _in_memory(_connect(Path(place) / path.name, read_only=False))


def _address(path: Path, read_only: bool) -> str:
    address = path.resolve().as_uri()
    if not read_only:
        return address
    return address + ("?mode=ro&immutable=1" if _at_rest(path) else "?mode=ro")


def _at_rest(path: Path) -> bool:
    """Whether nobody has a log open beside the file and SQLite could not begin one to read it."""
    return not os.access(path.parent, os.W_OK) and not path.with_name(path.name + "-wal").exists()
