"""The evaluated candidates that directives exclude from the front."""

from collections.abc import Sequence
from threading import Lock

from pelnas.architecture import Evaluation
from pelnas.directives import Directives
from pelnas.directives.active import Refused
from pelnas.spaces import SearchSpace
from pelnas.store import RunStore
from pelnas.traces.spans import RUN


class Excluded:
    """Judges each candidate once while the directives stay the same; safe to use from several threads."""

    def __init__(self, store: RunStore, space: SearchSpace) -> None:
        self._store = store
        self._space = space
        self._judged: tuple[Directives, dict[str, Refused | None]] = (Directives(), {})
        self._told_under = self._judged[0]
        self._told: frozenset[str] = frozenset()
        self._lock = Lock()

    def of(self, directives: Directives, evaluations: Sequence[Evaluation]) -> frozenset[str]:
        """The ids of those that break one of the directives."""
        known, judged = self._judged
        if known is not directives:
            _, judged = self._judged = (directives, {})
        fresh = [e for e in evaluations if e.id not in judged]
        found = directives.set_aside(fresh, self._space)
        judged.update((e.id, found.get(e.id)) for e in fresh)
        return frozenset(e.id for e in evaluations if judged[e.id] is not None)

    def tell(self, directives: Directives, *, evaluated: bool) -> None:
        """An event for subscribers, where other candidates are excluded than were reported before.

        ``evaluated``: whether there are new candidates; else only other directives matter.
        """
        with self._lock:
            changed = directives is not self._told_under
            self._told_under = directives
            if not changed and not (evaluated and directives.constrain):
                return
            now: frozenset[str] = frozenset()
            if directives.constrain:
                now = self.of(directives, self._store.evaluations())
            if now != self._told:
                self._told = now
                self._store.event("set-aside", span=RUN, candidates=sorted(now))
