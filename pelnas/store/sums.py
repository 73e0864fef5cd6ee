"""A checksum for every record of a run, kept by triggers beside the tables.

SQLite notices damage to the structure of its file, not to a value in it. Here every insert,
update and delete also writes the checksum of its record, so that a record which changed,
vanished or appeared by other means is found. It guards against damage, not against forgery.
"""

import json
import sqlite3
import zlib
from collections.abc import Iterator
from dataclasses import dataclass

Connection = sqlite3.Connection

_TABLE = """
CREATE TABLE IF NOT EXISTS sums (
    name TEXT NOT NULL,
    key TEXT NOT NULL,
    sum INTEGER NOT NULL,
    PRIMARY KEY (name, key)
) WITHOUT ROWID
"""


ORPHAN = "a checksum that names no record"


@dataclass(frozen=True, slots=True)
class Damaged:
    """A record that is not as it was stored. ``problem``: changed, missing, unknown or ORPHAN.

    ``table``: of the run's database. ``stored_key``: its primary key as a JSON array; with
    ORPHAN, whatever damage made of it.
    """

    table: str
    stored_key: str
    problem: str

    @property
    def key(self) -> tuple[object, ...]:
        """The values of the primary key, or with ORPHAN the text that should hold them."""
        if self.problem == ORPHAN:
            return (self.stored_key,)
        return tuple(json.loads(self.stored_key))

    def __str__(self) -> str:
        return f"{self.table} {', '.join(map(str, self.key))} ({self.problem})"


def register(connection: Connection) -> None:
    """Give a connection the function that the triggers call."""
    connection.create_function("record_sum", -1, _sum, deterministic=True)


def install(connection: Connection) -> None:
    """Guard every table with its columns of today; checksums of what is there are computed anew.

    To be called after each change of the tables, in the same transaction.
    """
    connection.execute(_TABLE)
    connection.execute("DELETE FROM sums")
    for table in _tables(connection):
        key, record = _columns(connection, table)
        _guard(connection, table, key, record)
        connection.execute(
            f"INSERT INTO sums SELECT '{table}', {_key(key)}, {_record(record)} FROM {table}"  # noqa: S608
        )


def damaged(connection: Connection) -> list[Damaged]:
    """Every record that differs from its checksum; none for a run that has no checksums yet."""
    if "sums" not in _names(connection):
        return []
    return [found for table in _tables(connection) for found in _damaged(connection, table)]


def forget(connection: Connection, record: Damaged) -> None:
    """Drop the checksum of a record that is no more."""
    connection.execute(
        "DELETE FROM sums WHERE name = ? AND key = ?", (record.table, record.stored_key)
    )


def _damaged(connection: Connection, table: str) -> Iterator[Damaged]:
    key, record = _columns(connection, table)
    now = f"(SELECT {_key(key)} AS key, {_record(record)} AS sum FROM {table})"  # noqa: S608
    kept = f"(SELECT key, sum FROM sums WHERE name = '{table}')"  # noqa: S608
    changed = (
        f"SELECT now.key, kept.sum IS NULL FROM {now} AS now LEFT JOIN {kept} AS kept"  # noqa: S608
        " ON kept.key = now.key WHERE kept.sum IS NOT now.sum"
    )
    for found, unknown in connection.execute(changed):
        yield Damaged(table, found, "unknown" if unknown else "changed")
    missing = (
        f"SELECT key FROM sums WHERE name = '{table}'"  # noqa: S608
        f" AND key NOT IN (SELECT {_key(key)} FROM {table})"
    )
    for (found,) in connection.execute(missing):
        yield Damaged(table, found, "missing" if _names_a_record(found, len(key)) else ORPHAN)


def _names_a_record(stored_key: object, columns: int) -> bool:
    try:
        key = json.loads(stored_key) if isinstance(stored_key, str) else None
    except (ValueError, RecursionError):
        return False
    return (
        isinstance(key, list)
        and len(key) == columns
        and all(isinstance(value, str | int | float | None) for value in key)
    )


def _guard(connection: Connection, table: str, key: list[str], record: list[str]) -> None:
    sum_ = _record(record, "new.")
    keep = f"INSERT OR REPLACE INTO sums VALUES ('{table}', {_key(key, 'new.')}, {sum_});"  # noqa: S608
    drop = f"DELETE FROM sums WHERE name = '{table}' AND key = {_key(key, 'old.')};"  # noqa: S608
    for event, actions in (("INSERT", keep), ("UPDATE", drop + keep), ("DELETE", drop)):
        trigger = f"sum_{table}_{event.lower()}"
        connection.execute(f"DROP TRIGGER IF EXISTS {trigger}")
        connection.execute(f"CREATE TRIGGER {trigger} AFTER {event} ON {table} BEGIN {actions} END")


def _names(connection: Connection) -> list[str]:
    found = connection.execute(
        "SELECT name FROM sqlite_master WHERE type = 'table' AND name NOT LIKE 'sqlite_%'"
        " ORDER BY name"
    )
    return [row[0] for row in found]


def _tables(connection: Connection) -> list[str]:
    return [name for name in _names(connection) if name != "sums"]


def _columns(connection: Connection, table: str) -> tuple[list[str], list[str]]:
    """The primary key, in its order, and all columns of a table."""
    found = connection.execute("SELECT name, pk FROM pragma_table_info(?)", (table,)).fetchall()
    key = [name for name, place in sorted(found, key=lambda row: row[1]) if place]
    return key, [name for name, _ in found]


def _key(names: list[str], row: str = "") -> str:
    return f"json_array({', '.join(row + _quoted(name) for name in names)})"


def _record(names: list[str], row: str = "") -> str:
    return f"record_sum({', '.join(row + _quoted(name) for name in names)})"


def _quoted(name: str) -> str:
    return f'"{name}"'


def _sum(*values: object) -> int:
    return zlib.crc32(repr(values).encode("utf-8", "surrogatepass"))
