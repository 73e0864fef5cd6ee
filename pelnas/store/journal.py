"""The run itself: its niches, its running time, its end."""

import json
import time
from collections.abc import Sequence
from dataclasses import asdict

from pelnas.budget import Spent
from pelnas.config import SearchConfig
from pelnas.store.events import Events
from pelnas.store.records import Sources

_SPENT = """
SELECT
    (SELECT coalesce(sum(1 + earlier_calls), 0) FROM calls WHERE model NOT LIKE 'builtin:%'),
    (SELECT coalesce(sum(tokens_in + tokens_out + earlier_tokens), 0) FROM calls
     WHERE model NOT LIKE 'builtin:%'),
    (SELECT seconds FROM run),
    (SELECT count(*) FROM predictions JOIN costs USING (candidate)),
    (SELECT coalesce(sum(coalesce(dollars, 0) + earlier_dollars), 0.0) FROM calls
     WHERE model NOT LIKE 'builtin:%'),
    (SELECT coalesce(sum((dollars IS NULL) + earlier_unpriced), 0) FROM calls
     WHERE model NOT LIKE 'builtin:%')
"""


class Journal(Events):
    """What happened, when, and how it ended."""

    config: SearchConfig

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
        """Where the run's numbers come from; what the settings tell before it is set."""
        stored = self._database.rows("SELECT sources FROM run")[0][0]
        if stored:
            return Sources(**json.loads(stored))
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
        """What the run has used over all its resumes; calls of the built-in designer are free."""
        return Spent(*self._database.rows(_SPENT)[0])

    def finish(self, reason: str) -> None:
        """Mark the run as finished; the last reason stays."""
        with self._database.transaction() as connection:
            connection.execute("UPDATE run SET finished = ?, reason = ?", (time.time(), reason))

    @property
    def started(self) -> float:
        """When the run was created, in seconds since 1970."""
        return float(self._database.rows("SELECT started FROM run")[0][0])

    @property
    def status(self) -> str:
        """``running`` until ``finish``, then ``finished``; it does not tell whether a process is alive."""
        finished = self._database.rows("SELECT finished FROM run")[0][0]
        return "running" if finished is None else "finished"

    @property
    def reason(self) -> str:
        """Why the run finished; empty until then."""
        return str(self._database.rows("SELECT reason FROM run")[0][0])
