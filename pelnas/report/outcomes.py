"""What a run has done, as far as orders tell what came of them."""

from dataclasses import dataclass
from functools import cached_property

from pelnas.architecture import Evaluation
from pelnas.directives import Directive
from pelnas.rules.rule import Rule
from pelnas.store import RunStore

RUN = "run"  # the span of what concerns a run as a whole


@dataclass(frozen=True)
class StoredRecords:
    """The ``Records`` of a run's store; what is not asked about is not read."""

    store: RunStore
    evaluations: list[Evaluation]

    @property
    def reason(self) -> str:
        return self.store.reason

    def rounds_begun(self) -> int:
        return self.store.designed()[0]

    def spent(self, budget: str) -> float:
        spent = self.store.spent()
        return spent.seconds / 60 if budget == "minutes" else float(getattr(spent, budget))

    def planned(self, author: str) -> set[int]:
        return {round_ for round_, entry in self.store.plans() if entry.author == author}

    def waited(self, directive: str) -> float | None:
        return self._paused.get(directive)

    @cached_property
    def rules(self) -> list[Rule]:
        return self.store.rules()

    @cached_property
    def directives(self) -> list[Directive]:
        return self.store.directives()

    @cached_property
    def _paused(self) -> dict[str, float]:
        """Seconds of waiting, by the directive that asked for it; of pauses that have ended."""
        waited: dict[str, float] = {}
        begun: tuple[str, float] | None = None
        for event in self.store.events_of(RUN):
            if event.kind == "paused":
                begun = str(event.data["directive"]), event.time
            elif event.kind == "unpaused" and begun is not None:
                waited[begun[0]] = waited.get(begun[0], 0.0) + event.time - begun[1]
                begun = None
        return waited
