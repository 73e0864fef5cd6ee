"""Orders that a program asked for and no person has confirmed yet; they change nothing."""

import time
from dataclasses import dataclass

from pelnas.directives import Order, parse
from pelnas.store.database import Database, plain

_UNDECIDED = "SELECT * FROM waiting WHERE number NOT IN (SELECT waiting FROM decided)"

_DECIDE = f"""
INSERT INTO decided (waiting, time, author, decision)
SELECT number, ?, ?, ? FROM ({_UNDECIDED}) WHERE number = ?
"""  # noqa: S608 - of our own words


@dataclass(frozen=True, slots=True)
class WaitingOrder:
    """What ``author`` asked for in ``words`` at ``time`` (seconds since 1970)."""

    number: int
    order: Order
    author: str
    words: str
    time: float

    @property
    def id(self) -> str:
        """How people name it: w1, w2 and so on."""
        return f"w{self.number}"


class WaitingOrders:
    """Appended by any process at any time; each is decided on once, for good."""

    _database: Database

    def append_waiting(self, order: Order, author: str, words: str) -> WaitingOrder:
        """Keep an order until a person has decided on it."""
        now = time.time()
        with self._database.transaction() as connection:
            cursor = connection.execute(
                "INSERT INTO waiting (time, author, words, command) VALUES (?, ?, ?, ?)",
                (now, plain(author), plain(words), order.command),
            )
            return WaitingOrder(int(cursor.lastrowid or 0), order, author, words, now)

    def waiting(self) -> list[WaitingOrder]:
        """The orders that nobody has decided on, oldest first."""
        return [
            WaitingOrder(
                row["number"], parse(row["command"]), row["author"], row["words"], row["time"]
            )
            for row in self._database.rows(f"{_UNDECIDED} ORDER BY number")
        ]

    def decide_waiting(self, number: int, author: str, decision: str) -> bool:
        """Keep who decided on an order and how, ``given`` or ``declined``.

        False, and nothing is kept: it was decided on before, or there is none of this number.
        """
        with self._database.transaction() as connection:
            done = connection.execute(
                _DECIDE,
                (time.time(), plain(author), decision, number),
            )
            return done.rowcount == 1
