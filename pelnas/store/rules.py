"""Design rules as they were proposed, and as measuring left them after each round."""

import json
from collections.abc import Sequence

from pelnas.rules.rule import Rule
from pelnas.store.database import Database
from pelnas.store.decoding import decodes, json_of


class Rules:
    """Rules by round; a rule's history is its versions."""

    _database: Database

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

    def rules(self, through_round: int | None = None) -> list[Rule]:
        """The latest version of each rule, up to a round or of all; oldest rules first."""
        found = self._database.rows(
            "SELECT id, body FROM rules WHERE ?1 IS NULL OR round <= ?1 ORDER BY round, position",
            (through_round,),
        )
        latest = {row["id"]: row["body"] for row in found}  # a rule keeps its first place
        return [_rule_of(body) for body in latest.values()]

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
