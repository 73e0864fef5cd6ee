"""Predictions and costs, recorded one candidate at a time as they arrive, each once."""

import json
import math
from collections.abc import Sequence
from typing import Any

from pelnas.architecture import Candidate, Cost, Evaluation, Prediction
from pelnas.errors import StoreError
from pelnas.store.database import Row
from pelnas.store.decoded import Place
from pelnas.store.decoding import decodes, json_of
from pelnas.store.designs import ORDER, SELECT, Designs, candidate_of

_COMPLETE = (
    "SELECT designs.*, score, uncertainty, parameters, flops, proxies, latency_ms, spread_ms,"
    " energy_mj, extrapolated, memory, size FROM designs"
    " JOIN predictions ON predictions.candidate = designs.id"
    " JOIN costs ON costs.candidate = designs.id"
    " LEFT JOIN footprints ON footprints.candidate = designs.id"
)
_THROUGH = " WHERE ?1 IS NULL OR designs.round <= ?1"
_ONE = " WHERE designs.id = ?"
_AT = " WHERE designs.round = ? AND designs.niche = ?"


class Evaluations(Designs):
    """What is known of each candidate. The first record stays; a second one is only counted."""

    def record_prediction(
        self, candidate_id: str, prediction: Prediction, parameters: int, flops: float
    ) -> None:
        """Store a candidate's accuracy part, unless it has one: see ``ignored``.

        ValueError: a score that is NaN, which no front could place.
        StoreError: there is no such candidate.
        """
        if math.isnan(prediction.score):
            raise ValueError(f"the score of {candidate_id} is NaN: a predictor gives a number")
        self._insert_once(
            "INSERT OR IGNORE INTO predictions"
            " (candidate, score, uncertainty, parameters, flops, proxies)"
            " SELECT id, ?2, ?3, ?4, ?5, ?6 FROM designs WHERE id = ?1",
            (
                candidate_id,
                prediction.score,
                prediction.uncertainty,
                parameters,
                flops,
                json.dumps(dict(prediction.proxies)),
            ),
        )

    def record_footprint(self, candidate_id: str, memory: int, size: int) -> None:
        """Store a candidate's memory and size in bytes; to be called before its prediction."""
        with self._database.transaction() as connection:
            connection.execute(
                "INSERT OR IGNORE INTO footprints VALUES (?, ?, ?)", (candidate_id, memory, size)
            )

    def record_cost(self, candidate_id: str, cost: Cost) -> None:
        """Store a candidate's cost part, unless it has one: see ``ignored``.

        StoreError: there is no such candidate.
        """
        self._insert_once(
            "INSERT OR IGNORE INTO costs (candidate, latency_ms, spread_ms, energy_mj, extrapolated)"
            " SELECT id, ?2, ?3, ?4, ?5 FROM designs WHERE id = ?1",
            (candidate_id, *columns_of(cost)),
        )

    def ignored(self) -> int:
        """How often something already recorded was recorded again: 0 when nothing is scored twice."""
        return int(self._database.rows("SELECT ignored FROM run")[0][0])

    def without_prediction(self, round_: int) -> list[Candidate]:
        """Candidates of a round whose accuracy is not recorded yet."""
        return self._without("predictions", round_)

    def without_cost(self, round_: int) -> list[Candidate]:
        """Candidates of a round whose cost is not recorded yet."""
        return self._without("costs", round_)

    def progress(self, round_: int) -> tuple[int, int, int]:
        """(candidates, those without a prediction, those without a cost) of a round, only counted."""
        found = self._database.rows(
            "SELECT count(*), count(*) - count(predictions.candidate), count(*) - count(costs.candidate)"
            " FROM designs LEFT JOIN predictions ON predictions.candidate = designs.id"
            " LEFT JOIN costs ON costs.candidate = designs.id WHERE designs.round = ?",
            (round_,),
        )
        candidates, without_prediction, without_cost = found[0]
        return int(candidates), int(without_prediction), int(without_cost)

    def lacks_evaluations(self, before: int) -> bool:
        """Whether a candidate of an earlier round than this has no accuracy or no cost."""
        found = self._database.rows(
            "SELECT 1 FROM designs WHERE round < ? AND (id NOT IN (SELECT candidate FROM predictions)"
            " OR id NOT IN (SELECT candidate FROM costs)) LIMIT 1",
            (before,),
        )
        return bool(found)

    def evaluations(self, through_round: int | None = None) -> list[Evaluation]:
        """Candidates with both parts, up to a round or all; ordered by round, niche, slot."""
        decoded = self._decoded
        if decoded is None:
            return self._read_evaluations(_THROUGH, (through_round,))
        with self._database.alone():
            return [
                evaluation
                for place, designs in decoded.designs(self._candidates_at).items()
                if through_round is None or place[0] <= through_round
                for evaluation in decoded.evaluations(place, len(designs), self._evaluations_at)
            ]

    def evaluation(self, candidate_id: str) -> Evaluation:
        """A candidate with both parts. StoreError: it has not both."""
        for found in self._read_evaluations(_ONE, (candidate_id,)):
            return found
        raise StoreError(f"candidate {candidate_id!r} is not evaluated in this run yet")

    def _evaluations_at(self, place: Place) -> list[Evaluation]:
        return self._read_evaluations(_AT, place)

    def _read_evaluations(self, which: str, values: Sequence[Any]) -> list[Evaluation]:
        return [
            _evaluation_of(row) for row in self._database.rows(_COMPLETE + which + ORDER, values)
        ]

    def predictions(self) -> dict[str, Prediction]:
        """Every recorded prediction by architecture, also of candidates without a cost."""
        found = self._database.rows(
            "SELECT architecture, score, uncertainty, proxies FROM predictions"
            " JOIN designs ON designs.id = candidate"
        )
        return {row["architecture"]: _prediction_of(row) for row in found}

    def costs(self) -> dict[str, Cost]:
        """Every recorded cost by architecture, also those that only a directive asked for."""
        found = self._database.rows(
            "SELECT architecture, latency_ms, spread_ms, energy_mj, extrapolated FROM measured"
            " UNION ALL"
            " SELECT architecture, latency_ms, spread_ms, energy_mj, extrapolated FROM costs"
            " JOIN designs ON designs.id = candidate"
        )
        return {row["architecture"]: cost_of(row) for row in found}

    def _without(self, table: str, round_: int) -> list[Candidate]:
        missing = f" WHERE round = ? AND id NOT IN (SELECT candidate FROM {table})"  # noqa: S608
        found = self._database.rows(SELECT + missing + ORDER, (round_,))
        return [candidate_of(row) for row in found]

    def _insert_once(self, sql: str, values: Sequence[Any]) -> None:
        with self._database.transaction() as connection:
            if connection.execute(sql, values).rowcount:
                return
            known = connection.execute("SELECT 1 FROM designs WHERE id = ?", values[:1]).fetchone()
            if known is None:
                raise StoreError(
                    f"there is no candidate {values[0]!r} in this run: store its design first"
                )
            connection.execute("UPDATE run SET ignored = ignored + 1")


@decodes
def _prediction_of(row: Row) -> Prediction:
    return Prediction(row["score"], row["uncertainty"], json_of(row["proxies"]))


@decodes
def cost_of(row: Row) -> Cost:
    """The cost of a row with its columns."""
    return Cost(row["latency_ms"], row["spread_ms"], row["energy_mj"], bool(row["extrapolated"]))


def columns_of(cost: Cost) -> tuple[float | None, float, float | None, int]:
    """A cost as the tables hold it: latency_ms, spread_ms, energy_mj, extrapolated."""
    return cost.latency_ms, cost.spread_ms, cost.energy_mj, int(cost.extrapolated)


@decodes
def _evaluation_of(row: Row) -> Evaluation:
    return Evaluation(
        candidate=candidate_of(row),
        prediction=_prediction_of(row),
        cost=cost_of(row),
        parameters=row["parameters"],
        flops=row["flops"],
        memory=row["memory"],
        size=row["size"],
    )
