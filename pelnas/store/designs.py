"""Designs and refusals of a round, and the plan that asked for them."""

import json
from collections.abc import Mapping, Sequence

from pelnas.architecture import Candidate, Design, Refusal, candidate_id
from pelnas.store.database import Connection, Database, Row, plain
from pelnas.store.decoded import Decoded, Place
from pelnas.store.decoding import checked, decodes, json_of
from pelnas.store.records import PlanEntry

SELECT = "SELECT designs.* FROM designs"
ORDER = " ORDER BY designs.round, designs.niche, designs.slot"


class Designs:
    """What was planned, proposed, accepted and refused."""

    _database: Database
    _decoded: Decoded | None  # of whoever holds the run

    def replace_plan(self, round_: int, entries: Sequence[PlanEntry]) -> None:
        """Store the plan of a round in place of an earlier one."""
        with self._database.transaction() as connection:
            connection.execute("DELETE FROM plans WHERE round = ?", (round_,))
            connection.executemany(
                "INSERT INTO plans (round, position, niche, count, focus, author)"
                " VALUES (?, ?, ?, ?, ?, ?)",
                [
                    (round_, position, entry.niche, entry.count, plain(entry.focus), entry.author)
                    for position, entry in enumerate(entries)
                ],
            )

    def plans(self, round_: int | None = None) -> list[tuple[int, PlanEntry]]:
        """(round, entry) of one round or of all, in the order they were planned."""
        found = self._database.rows(
            "SELECT * FROM plans WHERE ?1 IS NULL OR round = ?1 ORDER BY round, position",
            (round_,),
        )
        return [(row["round"], _entry_of(row)) for row in found]

    def replace_designs(
        self, round_: int, niche: int, designs: Sequence[Design], refusals: Sequence[Refusal]
    ) -> list[str]:
        """Store what a designer did for a niche in place of what an interrupted attempt stored.

        Evaluations of slots that hold the same architecture as before are kept;
        those of other architectures are dropped with them.
        Returns the candidates' ids in the order of ``designs``.
        """
        ids = [candidate_id(round_, niche, slot) for slot in range(len(designs))]
        place = (round_, niche)
        with self._database.transaction() as connection:
            if self._decoded is not None:
                self._decoded.replaced(place)
            _drop_stale(connection, place, dict(zip(ids, designs, strict=True)))
            connection.execute("DELETE FROM designs WHERE round = ? AND niche = ?", place)
            connection.execute("DELETE FROM refusals WHERE round = ? AND niche = ?", place)
            connection.executemany(
                "INSERT INTO designs (id, round, niche, slot, architecture, author, method, call,"
                " rationale, parents, rules) VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?)",
                [
                    (id_, *place, slot, *_design_values(design))
                    for slot, (id_, design) in enumerate(zip(ids, designs, strict=True))
                ],
            )
            connection.executemany(
                "INSERT INTO refusals (round, niche, position, architecture, author, kind, reason,"
                " call, directive) VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?)",
                [
                    (*place, position, *_refusal_values(refusal))
                    for position, refusal in enumerate(refusals)
                ],
            )
        return ids

    def candidates(self, round_: int | None = None, niche: int | None = None) -> list[Candidate]:
        """Accepted designs of a round, of a niche, or all; ordered by round, niche, slot."""
        if self._decoded is None:
            return self._read_candidates(round_, niche)
        with self._database.alone():
            places = self._decoded.designs(self._candidates_at).items()
        return [
            candidate
            for (of_round, of_niche), found in places
            if round_ in (None, of_round) and niche in (None, of_niche)
            for candidate in found
        ]

    def _candidates_at(self, place: Place | None) -> list[Candidate]:
        return self._read_candidates(*(place or (None, None)))

    def _read_candidates(self, round_: int | None, niche: int | None) -> list[Candidate]:
        found = self._database.rows(
            SELECT + " WHERE (?1 IS NULL OR round = ?1) AND (?2 IS NULL OR niche = ?2)" + ORDER,
            (round_, niche),
        )
        return [candidate_of(row) for row in found]

    def designed(self) -> tuple[int, int]:
        """(rounds with an accepted design, accepted designs), counted without reading them."""
        found = self._database.rows("SELECT count(DISTINCT round), count(*) FROM designs")
        return int(found[0][0]), int(found[0][1])

    def refusals(self, round_: int | None = None) -> list[tuple[int, int, Refusal]]:
        """(round, niche, refusal) of a round or of all, in the order they were proposed."""
        found = self._database.rows(
            "SELECT * FROM refusals WHERE ?1 IS NULL OR round = ?1 ORDER BY round, niche, position",
            (round_,),
        )
        return [(row["round"], row["niche"], _refusal_of(row)) for row in found]


def _drop_stale(
    connection: Connection, place: tuple[int, int], designs: Mapping[str, Design]
) -> None:
    """Forget what was recorded of slots that no longer hold the same architecture."""
    before = connection.execute(
        "SELECT id, architecture FROM designs WHERE round = ? AND niche = ?", place
    ).fetchall()
    stale = [
        (id_,) for id_, text in before if id_ not in designs or designs[id_].architecture != text
    ]
    connection.executemany("DELETE FROM predictions WHERE candidate = ?", stale)
    connection.executemany("DELETE FROM footprints WHERE candidate = ?", stale)
    connection.executemany("DELETE FROM costs WHERE candidate = ?", stale)


@decodes
def candidate_of(row: Row) -> Candidate:
    """The candidate of a row of ``designs``."""
    design = checked(_design_of(row))
    return Candidate(row["id"], row["round"], row["niche"], row["slot"], design)


def _design_of(row: Row) -> Design:
    return Design(
        architecture=row["architecture"],
        author=row["author"],
        method=row["method"],
        parents=tuple(json_of(row["parents"])),
        rationale=row["rationale"],
        rules=tuple(json_of(row["rules"])),
        call=row["call"],
    )


def _design_values(design: Design) -> tuple[str | None, ...]:
    return (
        design.architecture,
        design.author,
        design.method,
        design.call,
        plain(design.rationale),
        json.dumps(design.parents),
        json.dumps(design.rules),
    )


def _refusal_values(refusal: Refusal) -> tuple[str | None, ...]:
    return (
        plain(refusal.architecture),
        refusal.author,
        refusal.kind,
        plain(refusal.reason),
        refusal.call,
        refusal.directive,
    )


@decodes
def _entry_of(row: Row) -> PlanEntry:
    return PlanEntry(row["niche"], row["count"], row["focus"], row["author"])


@decodes
def _refusal_of(row: Row) -> Refusal:
    return Refusal(
        architecture=row["architecture"],
        author=row["author"],
        kind=row["kind"],
        reason=row["reason"],
        call=row["call"],
        directive=row["directive"],
    )
