"""What a run took over from earlier ones, what became of it, and what it brought."""

import hashlib
from collections import Counter
from collections.abc import Mapping
from dataclasses import asdict, dataclass
from typing import Any

from pelnas.knowledge.transfer import EVERY
from pelnas.report.front import front_points
from pelnas.rules.rule import Rule
from pelnas.store import RunStore

KNOWLEDGE = (
    "knowledge"  # the kind of event that keeps what was retrieved, and the method of designs
)


@dataclass(frozen=True, slots=True)
class Retrieval:
    """What a run found in the knowledge base when it was made.

    ``weights``: of its claims, by rule; ``runs``: the device and data set of each run behind them;
    ``warning``: why there was nothing to find, or ''; ``device_ranks``, ``dataset_ranks``: as in
    ``pelnas.knowledge.place``.
    """

    device_ranks: tuple[float, ...]
    dataset_ranks: tuple[float, ...]
    weights: Mapping[str, float]
    runs: tuple[str, ...]
    warning: str

    def to_dict(self) -> dict[str, Any]:
        """The data of the event."""
        return {
            "device_ranks": list(self.device_ranks),
            "dataset_ranks": list(self.dataset_ranks),
            "claims": dict(self.weights),
            "runs": list(self.runs),
            "warning": self.warning,
        }


@dataclass(frozen=True, slots=True)
class Carried:
    """What knowledge did for a run.

    ``claims``: rules that came in, by what became of them in ``in_force``, ``weakened``, ``refuted``
    and ``untested``; ``designs``: networks that were designed by them, ``on_front``: of these.
    """

    runs: int
    claims: int
    in_force: int
    weakened: int
    refuted: int
    untested: int
    designs: int
    on_front: int
    warning: str

    def to_dict(self) -> dict[str, Any]:
        return asdict(self)

    @property
    def said(self) -> str:
        """One sentence."""
        if self.warning:
            return f"without knowledge of earlier runs: {self.warning}"
        if not self.claims:
            return "knowledge of earlier runs: none that may hold here"
        return (
            f"knowledge of {self.runs} earlier runs: {self.claims} claims, {self.in_force} in force,"
            f" {self.weakened} weakened, {self.refuted} refuted, {self.untested} not tested;"
            f" {self.designs} designs by them, {self.on_front} on the front"
        )


def retrieved(store: RunStore) -> Retrieval | None:
    """What a run retrieved; ``None`` where it asked no knowledge base."""
    found = [event.data for event in store.events_of("run") if event.kind == KNOWLEDGE]
    if not found:
        return None
    data = found[-1]
    return Retrieval(
        tuple(map(float, data.get("device_ranks", ()))),
        tuple(map(float, data.get("dataset_ranks", ()))),
        {str(rule): float(weight) for rule, weight in data.get("claims", {}).items()},
        tuple(map(str, data.get("runs", ()))),
        str(data.get("warning", "")),
    )


def carried(store: RunStore) -> Carried | None:
    """What became of what a run retrieved; ``None`` where it asked no knowledge base."""
    found = retrieved(store)
    if found is None:
        return None
    verdicts = Counter(rule.status for rule in store.rules() if rule.id in found.weights)
    designed = [c.id for c in store.candidates() if c.design.method == KNOWLEDGE]
    front = {point.id for point in front_points(store)}
    return Carried(
        len(found.runs),
        len(found.weights),
        verdicts["in-force"],
        verdicts["weakened"],
        verdicts["retired"],
        verdicts["proposed"],
        len(designed),
        len(front.intersection(designed)),
        found.warning,
    )


def key_of(store: RunStore) -> str:
    """By which a knowledge base knows a run: the same at every end of it, another for each run."""
    made = f"{store.name} {store.started!r}"
    return hashlib.sha256(made.encode()).hexdigest()[:16]


def rules_left(store: RunStore) -> list[tuple[Rule, str]]:
    """What a run leaves to a knowledge base: its rules in force, each with the label of its niche."""
    niches = store.niches()
    return [
        (rule, EVERY if rule.scope.niche is None else niches[rule.scope.niche])
        for rule in store.rules()
        if rule.status == "in-force" and rule.scope.device == store.config.device
    ]
