"""The run itself: its niches, running time and end."""

import json
import time
from collections.abc import Sequence
from dataclasses import asdict, fields, replace
from functools import cached_property

from pelnas.budget import Spent
from pelnas.calls.prices import Rates
from pelnas.config import SearchConfig
from pelnas.store.database import Row
from pelnas.store.decoding import checked, decodes, json_of
from pelnas.store.events import Events
from pelnas.store.records import Origin, Sources

PRICED = "priced"  # the kind of the events that keep what a model costs
# Of the rounds after ?1, up to ?2.
_CALLS = "calls WHERE model NOT LIKE 'builtin:%' AND round > ?1 AND round <= ?2"
_SPENT = f"""
SELECT
    (SELECT coalesce(sum(1 + earlier_calls), 0) FROM {_CALLS}),
    (SELECT coalesce(sum(tokens_in + tokens_out + earlier_tokens), 0) FROM {_CALLS}),
    (SELECT seconds FROM run),
    (SELECT count(*) FROM predictions JOIN costs USING (candidate)
     JOIN designs ON designs.id = candidate WHERE round > ?1 AND round <= ?2),
    (SELECT coalesce(sum(coalesce(dollars, 0) + earlier_dollars), 0.0) FROM {_CALLS}),
    (SELECT coalesce(sum((dollars IS NULL) + earlier_unpriced), 0) FROM {_CALLS})
"""  # noqa: S608 - our own text
_SECONDS = """
SELECT coalesce(sum(seconds), 0.0) FROM (
    SELECT max(json_extract(data, '$.seconds')) AS seconds FROM events
    WHERE kind = 'round-done' AND round <= ? GROUP BY round)
"""
EVER = 2**62  # a round that no run comes to


class Journal(Events):
    """What happened, when, and how it ended."""

    config: SearchConfig

    def set_identity(self, id_: str, release: str) -> None:
        """Store what this run is known by, and the pelnas that makes it; not to be changed later."""
        with self._database.transaction() as connection:
            connection.execute("UPDATE run SET id = ?, release = ?", (id_, release))

    @property
    def id(self) -> str:
        """What this run is known by wherever its folder is moved; a copy keeps it."""
        return str(self._database.rows("SELECT id FROM run")[0][0])

    @property
    def release(self) -> str:
        """The pelnas that made this run; '' for one that did not store it (0.1 and before)."""
        return str(self._database.rows("SELECT release FROM run")[0][0])

    def set_niches(self, labels: Sequence[str]) -> None:
        """Store what the niches are called, from niche 0 on."""
        with self._database.transaction() as connection:
            connection.execute("DELETE FROM niches")
            connection.executemany("INSERT INTO niches VALUES (?, ?)", list(enumerate(labels)))

    def niches(self) -> list[str]:
        """What the niches are called; empty before they are set."""
        found = self._database.rows("SELECT label FROM niches ORDER BY niche")
        return [row["label"] for row in found]

    def set_sources(self, sources: Sources) -> None:
        """Store where the run's numbers come from."""
        with self._database.transaction() as connection:
            connection.execute("UPDATE run SET sources = ?", (json.dumps(asdict(sources)),))

    def sources(self) -> Sources:
        """Where the run's numbers come from; from the settings until it is set."""
        stored = self._database.rows("SELECT sources FROM run")[0][0]
        if stored:
            return _sources_of(stored)
        truth = self.config.accuracy == "table"
        return Sources(
            dataset=self.config.dataset,
            unit="accuracy, %" if truth else "predicted score",
            accuracy="benchmark truth, not a prediction" if truth else self.config.accuracy,
            latency="measured on this machine" if self.config.device == "host" else "from a table",
        )

    def add_seconds(self, seconds: float) -> None:
        """Add running time; kept over all resumes."""
        with self._database.transaction() as connection:
            connection.execute("UPDATE run SET seconds = seconds + ?", (seconds,))

    def spent(self) -> Spent:
        """What the run has used over all its resumes; calls of the built-in designer are free.

        Of a fork: since it was made. What it took over is ``spent_before``.
        """
        origin = self.origin()
        return self._spent(-1 if origin is None else origin.round, EVER)

    def spent_before(self) -> Spent:
        """What was used for the rounds that a fork took over; nothing for any other run.

        ``seconds``: of these rounds. ``evaluations``: of their candidates, as the fork knows them.
        """
        origin = self.origin()
        if origin is None:
            return Spent()
        seconds = self._database.rows(_SECONDS, (origin.round,))[0][0]
        return replace(self._spent(-1, origin.round), seconds=float(seconds))

    def _spent(self, after: int, through: int) -> Spent:
        return _spent_of(self._database.rows(_SPENT, (after, through))[0])

    def set_origin(self, origin: Origin) -> None:
        """Store which run this one goes on from."""
        values = asdict(origin) | {"settings": json.dumps(origin.settings)}
        with self._database.transaction() as connection:
            connection.execute(
                "INSERT INTO origin (only, run, round, settings, scores, costs)"
                " VALUES (1, :run, :round, :settings, :scores, :costs)",
                values,
            )
        self.__dict__.pop("_origin", None)

    def origin(self) -> Origin | None:
        """The run that this one goes on from; ``None`` for one that began by itself."""
        return self._origin

    @cached_property
    def _origin(self) -> Origin | None:
        """Read once: each step asks for it, and a run has it from the beginning or never."""
        for row in self._database.rows("SELECT * FROM origin"):
            return _origin_of(row)
        return None

    def first_round(self) -> int:
        """The first round that is this run's own: after those that a fork took over, else 0."""
        origin = self.origin()
        return 0 if origin is None else origin.round + 1

    def rates(self) -> dict[str, Rates]:
        """What each model cost when the run first used it, in that order, by its name."""
        found = self._database.rows(
            "SELECT data FROM events WHERE kind = ? ORDER BY seq", (PRICED,)
        )
        kept: dict[str, Rates] = {}
        for model, rates in map(_rates_of, found):
            kept.setdefault(model, rates)
        return kept

    def finish(self, reason: str) -> None:
        """Mark the run as finished; the last reason stays."""
        with self._database.transaction() as connection:
            connection.execute("UPDATE run SET finished = ?, reason = ?", (time.time(), reason))

    def reopen(self) -> None:
        """Take the end back: the run goes on."""
        with self._database.transaction() as connection:
            connection.execute("UPDATE run SET finished = NULL, reason = ''")

    @property
    def started(self) -> float:
        """When the run was created, in seconds since 1970."""
        return float(self._database.rows("SELECT started FROM run")[0][0])

    @property
    def status(self) -> str:
        """``running`` until ``finish``, then ``finished``; it does not say whether a process is alive."""
        finished = self._database.rows("SELECT finished FROM run")[0][0]
        return "running" if finished is None else "finished"

    @property
    def reason(self) -> str:
        """Why the run finished; empty until then."""
        return str(self._database.rows("SELECT reason FROM run")[0][0])


@decodes
def _sources_of(text: str) -> Sources:
    return Sources(**json_of(text))


@decodes
def _origin_of(row: Row) -> Origin:
    settings = {name: tuple(pair) for name, pair in json_of(row["settings"]).items()}
    return Origin(row["run"], row["round"], settings, bool(row["scores"]), bool(row["costs"]))


@decodes
def _spent_of(row: Row) -> Spent:
    return Spent(*row)


@decodes
def _rates_of(row: Row) -> tuple[str, Rates]:
    data = json_of(row["data"])
    names = [field.name for field in fields(Rates)]
    return str(data["model"]), checked(Rates(**{name: data[name] for name in names}))
