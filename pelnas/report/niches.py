"""A summary of each niche."""

from dataclasses import asdict, dataclass
from typing import Any

from pelnas.report.front import archive_of, finite, label_of
from pelnas.store import RunStore


@dataclass(frozen=True, slots=True)
class NicheRow:
    """Counts and best figures of one niche.

    ``designs``: accepted; ``evaluations``: complete, of which ``infeasible``
    cannot run on the device; ``on_front``: points of the union's front.
    ``best_score`` (higher is better) and ``fastest_ms`` over the feasible ones,
    ``None`` without any.
    """

    niche: int
    label: str
    designs: int
    evaluations: int
    infeasible: int
    on_front: int
    best_score: float | None
    fastest_ms: float | None

    def to_dict(self) -> dict[str, Any]:
        """Plain values for JSON; a number that is not finite becomes ``None``."""
        return {name: finite(value) for name, value in asdict(self).items()}


def niche_rows(store: RunStore) -> list[NicheRow]:
    """One row for each niche, in order."""
    labels, archive, candidates = store.niches(), archive_of(store), store.candidates()
    on_front = [evaluation.candidate.niche for evaluation in archive.union()]
    niches = max([len(labels), *(candidate.niche + 1 for candidate in candidates)])
    designed = [candidate.niche for candidate in candidates]
    rows = []
    for niche in range(niches):
        own = [e for e in archive.evaluations if e.candidate.niche == niche]
        feasible = [evaluation for evaluation in own if evaluation.cost.feasible]
        rows.append(
            NicheRow(
                niche=niche,
                label=label_of(labels, niche),
                designs=designed.count(niche),
                evaluations=len(own),
                infeasible=len(own) - len(feasible),
                on_front=on_front.count(niche),
                best_score=max((e.score for e in feasible), default=None),
                fastest_ms=min((e.latency_ms for e in feasible), default=None),
            )
        )
    return rows
