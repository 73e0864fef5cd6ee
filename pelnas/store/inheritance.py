"""What a fork takes over from the run that it goes on from."""

from pathlib import Path

from pelnas.errors import RunError
from pelnas.store.database import Connection, Database
from pelnas.store.decoded import Decoded

_BY_ROUND = ("plans", "designs", "refusals", "proposals", "rules", "calls", "avoided", "boundaries")
# Until the round was done, and the node that ended it, too. Where the other run is a fork that took
# the round over itself, until it had made it its own.
_EVENTS = """
INSERT INTO events SELECT * FROM source.events
WHERE (round IS NULL OR round <= ?1) AND seq <= (
    SELECT max(seq) FROM source.events
    WHERE (kind = 'round-done' AND round = ?1)
        OR (kind = 'step-ended' AND span = 'inherit'
            AND ?1 <= (SELECT round FROM source.origin)))
    OR (kind = 'step-ended' AND span = 'r' || ?1 || '.learn')
"""
# What was asked is as it stood after the round; what came later has not been asked here. Which
# niches are exhausted is determined again: it is not stored since when they are.
_COPIES = (
    *(f"INSERT INTO {name} SELECT * FROM source.{name} WHERE round <= ?1" for name in _BY_ROUND),  # noqa: S608
    "INSERT INTO directives SELECT * FROM source.directives"
    " WHERE number IN (SELECT directive FROM source.directive_marks WHERE round <= ?1)",
    "INSERT INTO directive_marks SELECT * FROM source.directive_marks WHERE round <= ?1",
    _EVENTS,
)
_EVALUATED = " WHERE candidate IN (SELECT id FROM designs)"


class Inheritance:
    """The first rounds of another run, copied by the database itself."""

    _database: Database
    _decoded: Decoded | None

    def complete_rounds(self) -> list[int]:
        """The rounds that were learned from, in order: a fork can go on from each."""
        found = self._database.rows(
            "SELECT DISTINCT round FROM events WHERE kind = 'round-done' ORDER BY round"
        )
        return [row["round"] for row in found]

    def take_over(self, database: Path, round_: int, *, scores: bool, costs: bool) -> None:
        """Copy another run through a round, all of it or nothing, also while it goes on.

        Of the candidates' evaluations only the wanted parts. To be called on a run that
        is empty. RunError: the other run has not done the round.
        """
        with self._database.beside(database), self._database.transaction() as connection:
            if self._decoded is not None:
                self._decoded.forget()
            for statement in _COPIES:
                connection.execute(statement, (round_,))
            if scores:
                _copy(connection, "predictions", _EVALUATED)
                _copy(connection, "footprints", _EVALUATED)
            if costs:
                _copy(connection, "costs", _EVALUATED)
                _copy(connection, "measured")
            if round_ not in self.complete_rounds():
                raise RunError(
                    f"expected a round that {database.parent.name} has done, found {round_}"
                )


def _copy(connection: Connection, table: str, which: str = "") -> None:
    """A table's rows; a run of an earlier release may lack columns of it, or all of it."""
    found = connection.execute("SELECT name FROM pragma_table_info(?, 'source')", (table,))
    columns = ", ".join(row[0] for row in found)
    if columns:
        connection.execute(
            f"INSERT INTO {table} ({columns}) SELECT {columns} FROM source.{table}{which}"  # noqa: S608
        )
