"""Replay a recorded search offline, through the whole graph, and compare what it finds."""

from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

from pelnas.agents.models.recorded import RecordedModel
from pelnas.config import BUILTIN, ROLES
from pelnas.directives import SetModel
from pelnas.graph.runs.fork import repeat
from pelnas.graph.runs.search import Result, Search
from pelnas.knowledge.location import OFF
from pelnas.recording import Recording
from pelnas.report import front_json
from pelnas.store import Event, RunStore


@dataclass(frozen=True, slots=True)
class Replay:
    """A replayed run. ``same_front``: byte for byte; ``same_rules``: every figure of every rule."""

    result: Result
    same_front: bool
    same_rules: bool


def replay(
    recording: Recording, output: Path, on_event: Callable[[Event], None] | None = None
) -> Replay:
    """Run a recording again in a new run below ``output``.

    No model, device or predictor is asked. ReplayError: the search asked for
    something that the recording does not hold.
    """
    recorded = recording.store.config
    config = recorded.model_copy(
        update={
            "output": output,
            "name": f"replay-{recorded.name}"[:60],
            "rules_from": (),
            "knowledge": OFF,
            "budget": recorded.budget.model_copy(update={"minutes": None}),
        }
    )
    directives = recording.store.directives()
    names = {recorded.model_of(role) for role in ROLES}
    # All that are named, since a directive may give a model to a role that began without one.
    names |= {name for role in ROLES for name in recorded.fallbacks_of(role)}
    names |= {d.order.model for d in directives if isinstance(d.order, SetModel)}
    models = {
        name: RecordedModel(name, recording) for name in names if not name.startswith(BUILTIN)
    }
    forked = recording.store.origin() is not None
    search = repeat(recording, config, models) if forked else Search(config, models, recording)
    taken_over = search.session.store.newest_directive()
    search.schedule([directive for directive in directives if directive.number > taken_over])
    result = search.run(on_event)
    with RunStore.read(result.folder) as again:
        return Replay(
            result,
            same_front=front_json(again) == front_json(recording.store),
            same_rules=_rules(again) == _rules(recording.store),
        )


def _rules(store: RunStore) -> list[dict[str, object]]:
    return sorted((rule.to_dict() for rule in store.rules()), key=lambda rule: str(rule["id"]))
