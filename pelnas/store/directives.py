"""Directives: appended by whoever steers, marked by the search, never changed or removed."""

import time
from collections.abc import Iterable, Mapping

from pelnas.architecture import Cost
from pelnas.directives import Boundary, Directive, Effects, Order, parse
from pelnas.directives.directive import Status
from pelnas.store.database import Database, Row, plain
from pelnas.store.decoding import decodes
from pelnas.store.evaluations import columns_of, cost_of

_ALL = """
SELECT directives.*, latest.status, latest.reason, latest.round AS latest_round,
    latest.node AS latest_node, begun.round AS begun_round, begun.node AS begun_node
FROM directives
LEFT JOIN directive_marks AS begun ON begun.seq = (
    SELECT min(seq) FROM directive_marks AS mark
    WHERE directive = number AND (?2 IS NULL OR mark.round <= ?2))
LEFT JOIN directive_marks AS latest ON latest.seq = (
    SELECT max(seq) FROM directive_marks AS mark
    WHERE directive = number AND (?2 IS NULL OR mark.round <= ?2))
WHERE number > ?1 ORDER BY number
"""
_HELD_BACK = """
SELECT directive, niche, count(*) AS refused, 0 AS avoided FROM refusals
WHERE directive IS NOT NULL GROUP BY directive, niche
UNION ALL
SELECT directive, niche, 0, sum(count) FROM avoided GROUP BY directive, niche
"""


class DirectiveLog:
    """What people asked of the run, in the order in which it arrived, and what became of it.

    Directives may be appended by any process at any time; the other methods
    that write belong to the search.
    """

    _database: Database

    def append_directive(
        self,
        order: Order,
        author: str,
        words: str,
        *,
        after: int | None = None,
        scheduled: Boundary | None = None,
    ) -> Directive | None:
        """Append an order. ``None``, and nothing is appended: somebody else's came after ``after``.

        ``words``: what the person said. ``scheduled``: not to be admitted before this boundary.
        """
        place = (scheduled.round, scheduled.node) if scheduled else (None, None)
        now = time.time()
        with self._database.transaction() as connection:
            if after is not None and self.newest_directive() != after:
                return None
            cursor = connection.execute(
                "INSERT INTO directives (time, author, words, command, round, node)"
                " VALUES (?, ?, ?, ?, ?, ?)",
                (now, plain(author), plain(words), order.command, *place),
            )
            number = int(cursor.lastrowid or 0)
        return Directive(number, order, author, words, now, scheduled=scheduled)

    def newest_directive(self) -> int:
        """The number of the last directive; 0 before the first. Cheap: asked between all steps."""
        found = self._database.rows("SELECT max(number) FROM directives")
        return int(found[0][0] or 0)

    def directives(self, after: int = 0, through_round: int | None = None) -> list[Directive]:
        """Directives with a number above ``after``, in order, with their effects so far.

        ``through_round``: as they stood after this round; what came later is pending.
        """
        rows = self._database.rows(_ALL, (after, through_round))
        held = self._held_back() if rows else {}
        return [_directive_of(row, held.get(f"d{row['number']}", Effects())) for row in rows]

    def mark_directive(
        self, directive: Directive, status: Status, boundary: Boundary, reason: str = ""
    ) -> None:
        """Say what became of a directive, and at which boundary; the last word counts."""
        with self._database.transaction() as connection:
            connection.execute(
                "INSERT INTO directive_marks (directive, time, status, round, node, reason)"
                " VALUES (?, ?, ?, ?, ?, ?)",
                (
                    directive.number,
                    time.time(),
                    status,
                    boundary.round,
                    boundary.node,
                    plain(reason),
                ),
            )

    def pass_boundary(self, boundary: Boundary) -> None:
        """Remember that work beyond this boundary has begun."""
        with self._database.transaction() as connection:
            connection.execute(
                "INSERT OR IGNORE INTO boundaries (round, node) VALUES (?, ?)",
                (boundary.round, boundary.node),
            )

    def boundaries(self) -> set[Boundary]:
        """Every boundary beyond which work has begun."""
        found = self._database.rows("SELECT round, node FROM boundaries")
        return {Boundary(row["round"], row["node"]) for row in found}

    def replace_avoided(self, round_: int, niche: int, counts: Mapping[str, int]) -> None:
        """Store how many children evolution passed over in a niche, by directive."""
        with self._database.transaction() as connection:
            connection.execute("DELETE FROM avoided WHERE round = ? AND niche = ?", (round_, niche))
            connection.executemany(
                "INSERT INTO avoided (round, niche, directive, count) VALUES (?, ?, ?, ?)",
                [(round_, niche, directive, count) for directive, count in sorted(counts.items())],
            )

    def record_exhausted(self, niche: int, constraints: str) -> None:
        """Remember that nothing new of a niche keeps these constraints."""
        with self._database.transaction() as connection:
            connection.execute(
                "INSERT OR IGNORE INTO exhausted VALUES (?, ?)", (niche, constraints)
            )

    def is_exhausted(self, niche: int, constraints: str) -> bool:
        """Whether nothing new of a niche keeps these constraints."""
        place = (niche, constraints)
        found = self._database.rows(
            "SELECT 1 FROM exhausted WHERE niche = ? AND constraints = ?", place
        )
        return bool(found)

    # -- costs that were needed before a design counted -----------------------------

    def record_measured(self, architecture: str, cost: Cost) -> None:
        """Keep a cost that was needed before the architecture was designed; the first stays."""
        with self._database.transaction() as connection:
            connection.execute(
                "INSERT OR IGNORE INTO measured VALUES (?, ?, ?, ?, ?)",
                (architecture, *columns_of(cost)),
            )

    def measured(self, architecture: str) -> Cost | None:
        """A kept cost; ``None`` where none was needed."""
        found = self._database.rows(
            "SELECT * FROM measured WHERE architecture = ?", (architecture,)
        )
        for row in found:
            return cost_of(row)
        return None

    def _held_back(self) -> dict[str, Effects]:
        found: dict[str, list[Row]] = {}
        for row in self._database.rows(_HELD_BACK):
            found.setdefault(row["directive"], []).append(row)
        return {directive: _effects_of(rows) for directive, rows in found.items()}


def _effects_of(rows: Iterable[Row]) -> Effects:
    rows = list(rows)
    return Effects(
        refused=sum(row["refused"] for row in rows),
        avoided=sum(row["avoided"] for row in rows),
        niches=tuple(sorted({row["niche"] for row in rows})),
    )


@decodes
def _directive_of(row: Row, effects: Effects) -> Directive:
    return Directive(
        number=row["number"],
        order=parse(row["command"]),
        author=row["author"],
        words=row["words"],
        time=row["time"],
        status=row["status"] or "pending",
        effect=_boundary(row["begun_round"], row["begun_node"]),
        reason=row["reason"] or "",
        effects=effects,
        scheduled=_boundary(row["round"], row["node"]),
        ended=(
            _boundary(row["latest_round"], row["latest_node"])
            if row["status"] == "undone"
            else None
        ),
    )


def _boundary(round_: int | None, node: str | None) -> Boundary | None:
    return None if round_ is None or node is None else Boundary(round_, node)
