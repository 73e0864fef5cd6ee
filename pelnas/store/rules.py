"""Design rules as they were proposed, and as measuring left them after each round."""

import json
from collections.abc import Sequence

from pelnas.rules.rule import Rule
from pelnas.store.database import Database
from pelnas.store.decoded import Decoded
from pelnas.store.decoding import decodes, json_of

EARLIEST = -(2**62)  # before all rounds
# A rule keeps its first place, whatever becomes of it.
_LATEST = """
SELECT body FROM rules JOIN (
    SELECT id AS known, max(round) AS newest, min(round * 1000000 + position) AS place
    FROM rules WHERE ?1 IS NULL OR round <= ?1 GROUP BY id
) ON id = known AND round = newest ORDER BY place
"""


class Rules:
    """Rules by round; a rule's history is its versions."""

    _database: Database
    _decoded: Decoded | None  # of whoever holds the run

    def replace_rules(self, round_: int, rules: Sequence[Rule]) -> None:
        """Store the state of every rule after a round in place of what was stored for it."""
        with self._database.transaction() as connection:
            connection.execute("DELETE FROM rules WHERE round = ?", (round_,))
            connection.executemany(
                "INSERT INTO rules (round, position, id, status, body) VALUES (?, ?, ?, ?, ?)",
                [
                    (round_, position, rule.id, rule.status, _body(rule))
                    for position, rule in enumerate(rules)
                ],
            )
            if self._decoded is not None:
                self._decoded.replaced_rules(round_, rules)

    def rules(self, through_round: int | None = None) -> list[Rule]:
        """The latest version of each rule, up to a round or of all; oldest rules first."""
        if self._decoded is None:
            return self._read_rules(through_round)
        with self._database.alone():
            known = self._decoded.rules(self._read_latest_rules)
            if through_round is None or through_round >= known.round:
                return list(known.rules.values())
        return self._read_rules(through_round)

    def _read_latest_rules(self) -> tuple[int, list[Rule]]:
        """The last round that has rules, and the rules after it."""
        newest = self._database.rows("SELECT max(round) FROM rules")[0][0]
        return EARLIEST if newest is None else newest, self._read_rules(None)

    def _read_rules(self, through_round: int | None) -> list[Rule]:
        return [_rule_of(row["body"]) for row in self._database.rows(_LATEST, (through_round,))]

    def rule_history(self, rule_id: str) -> list[tuple[int, Rule]]:
        """(round, version) of one rule, oldest first; empty for an unknown rule."""
        found = self._database.rows(
            "SELECT round, body FROM rules WHERE id = ? ORDER BY round", (rule_id,)
        )
        return [(row["round"], _rule_of(row["body"])) for row in found]

    def replace_proposals(
        self, round_: int, niche: int, author: str, rules: Sequence[Rule], call: str | None
    ) -> None:
        """Store what a reflection agent proposed for a niche, before measuring; the last word stays."""
        with self._database.transaction() as connection:
            connection.execute(
                "DELETE FROM proposals WHERE round = ? AND niche = ?",
                (round_, niche),
            )
            connection.executemany(
                "INSERT INTO proposals (round, niche, author, position, call, rule, body)"
                " VALUES (?, ?, ?, ?, ?, ?, ?)",
                [
                    (round_, niche, author, position, call, rule.id, _body(rule))
                    for position, rule in enumerate(rules)
                ],
            )

    def proposals(self, round_: int) -> list[Rule]:
        """Rules proposed in a round, by niche and the order of the proposal."""
        found = self._database.rows(
            "SELECT body FROM proposals WHERE round = ? ORDER BY niche, position",
            (round_,),
        )
        return [_rule_of(row["body"]) for row in found]

    def proposals_of(self, rule_id: str) -> list[tuple[int, int, str, str | None]]:
        """(round, niche, author, call) of every proposal of one rule, oldest first."""
        found = self._database.rows(
            "SELECT round, niche, author, call FROM proposals WHERE rule = ?"
            " ORDER BY round, niche, position",
            (rule_id,),
        )
        return [tuple(row) for row in found]

    def proposal_counts(self) -> dict[str, int]:
        """How many rules each author proposed."""
        found = self._database.rows(
            "SELECT author, count(*) FROM proposals GROUP BY author ORDER BY author"
        )
        return {row[0]: row[1] for row in found}


def _body(rule: Rule) -> str:
    return json.dumps(rule.to_dict(), sort_keys=True)


@decodes
def _rule_of(body: str) -> Rule:
    return Rule.from_dict(json_of(body))
