"""What a run has evaluated, read once, and the architectures that people name in it."""

import re
from collections.abc import Callable
from dataclasses import dataclass
from functools import cached_property

from pelnas.architecture import Architecture, Candidate, Evaluation
from pelnas.errors import RunError
from pelnas.report.front import archive_of, aside_of
from pelnas.spaces import get_space
from pelnas.store import RunStore
from pelnas.tools.shapes import Brief, Change

#: Of a front: names for what people ask about first.
ENDS: dict[str, Callable[[Evaluation], float]] = {
    "fastest": lambda e: e.latency_ms,
    "best": lambda e: -e.score,
}
CANDIDATE = re.compile(r"r[0-9]{1,6}n[0-9]{1,6}c[0-9]{1,6}")


@dataclass(frozen=True, slots=True)
class Subject:
    """An architecture that somebody asks about, and what the run knows of it."""

    architecture: Architecture
    text: str  # the space's official text
    candidate: Candidate | None
    evaluation: Evaluation | None


class Findings:
    """Everything that a run has evaluated, read once."""

    def __init__(self, store: RunStore) -> None:
        self.store = store
        self.space = get_space(store.config.space)
        self.candidates = {candidate.id: candidate for candidate in store.candidates()}
        archive = archive_of(store)
        self.objectives = archive.objectives
        self.evaluations = archive.evaluations
        self.excluded = aside_of(store, self.evaluations)  # by id: (its directive, what that asks)
        self.front = archive.union()
        self.by_id = {evaluation.id: evaluation for evaluation in self.evaluations}
        self.on_front = frozenset(evaluation.id for evaluation in self.front)

    @cached_property
    def _by_text(self) -> dict[str, Candidate]:
        newest_last = reversed(self.candidates.values())
        return {candidate.architecture: candidate for candidate in newest_last}

    def find(self, named: str) -> Subject:
        """The architecture of a candidate's id, of ``best`` or ``fastest``, an official text or an index.

        RunError: no such candidate. ArchitectureError: no architecture of the space.
        """
        named = named.strip()
        if named in ENDS:
            named = self._end(named)
        if CANDIDATE.fullmatch(named) and named not in self.candidates:
            raise RunError(
                f"run {self.store.name} has no candidate {named}: give an id of its front,"
                " or an architecture by its text or index"
            )
        candidate = self.candidates.get(named)
        architecture = self.space.read(candidate.architecture if candidate else named)
        text = self.space.format(architecture)
        candidate = candidate or self._by_text.get(text)
        evaluation = self.by_id.get(candidate.id) if candidate else None
        return Subject(architecture, text, candidate, evaluation)

    def _end(self, name: str) -> str:
        if not self.front:
            raise RunError(f"run {self.store.name} has nothing on its front yet: ask again later")
        return min(self.front, key=ENDS[name]).id

    def brief(self, evaluation: Evaluation) -> Brief:
        """One evaluation in short."""
        return {
            "id": evaluation.id,
            "architecture": evaluation.candidate.architecture,
            "score": evaluation.score,
            "uncertainty": evaluation.prediction.uncertainty,
            "latency_ms": evaluation.cost.latency_ms,
            "spread_ms": evaluation.cost.spread_ms,
            "parameters": evaluation.parameters,
            "niche": evaluation.candidate.niche,
            "round": evaluation.candidate.round,
            "on_front": evaluation.id in self.on_front,
        }

    def changed(self, before: Architecture, after: Architecture) -> list[Change]:
        """The positions at which two architectures differ."""
        chosen = zip(
            self.space.positions, self.space.chosen(before), self.space.chosen(after), strict=True
        )
        return [{"position": p, "from": a, "to": b} for p, a, b in chosen if a != b]


def minus(after: float | None, before: float | None) -> float | None:
    """The difference; ``None`` where either is."""
    return None if after is None or before is None else after - before
