"""What a run may still spend: by its budget, or in a replay as the original run did."""

from collections import Counter

from pelnas.budget import Meter
from pelnas.errors import BudgetExhausted
from pelnas.graph.session.tracer import span_here
from pelnas.recording import Recording
from pelnas.store import RunStore


class RecordedMeter(Meter):
    """Lets a step make as many calls as it made in the recorded run, and refuses where that did.

    Agents of one round work side by side. Which of them gets the last call of a budget
    is chance, and a replay must not leave it to chance again.
    """

    def __init__(self, store: RunStore, recording: Recording) -> None:
        super().__init__(store.config.budget, store)
        events = recording.store.events()
        calls = {event.span: event.parent for event in events if event.kind == "call"}
        self._recorded = Counter(calls.values())
        self._refused = {e.span: str(e.data["message"]) for e in events if e.kind == "budget"}

    def before_call(self) -> None:
        step = span_here()
        with self._turn:
            if self._recorded[step] > 0:
                self._recorded[step] -= 1
                self._in_flight += 1
                return
        if step in self._refused:
            raise BudgetExhausted(self._refused[step])
        super().before_call()


def meter_of(store: RunStore, recording: Recording | None) -> Meter:
    """The meter of a run. ``recording``: of the one that it repeats."""
    if recording is None:
        return Meter(store.config.budget, store)
    return RecordedMeter(store, recording)
