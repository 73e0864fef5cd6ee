"""The answer of a run: the front of the union of all niches, as values and as files."""

import csv
import io
import json
import math
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass, fields
from typing import Any

from pelnas.architecture import Evaluation
from pelnas.archive import Archive
from pelnas.directives import Directives
from pelnas.directives.active import Refused
from pelnas.inputs.quantities import CostName
from pelnas.objectives import Objectives
from pelnas.spaces import get_space
from pelnas.store import RunStore, write_atomically


@dataclass(frozen=True, slots=True)
class FrontPoint:
    """One architecture of the answer.

    ``score``, ``uncertainty``: higher is better, in ``unit``; ``score_source``
    says whether it is predicted or benchmark truth. ``latency_ms`` (median),
    ``spread_ms`` (interquartile range): lower is better. ``extrapolated``: the latency is
    predicted, far from all networks that were measured. ``parameters`` and
    ``flops``: plain counts. ``memory``, ``size``: bytes, ``None`` where the run does not
    count them. ``round``, ``niche``: counted from 0.
    ``author``: the model that designed it; ``rules``: ids of those it saw.
    """

    id: str
    architecture: str
    score: float
    uncertainty: float
    unit: str
    score_source: str
    latency_ms: float
    spread_ms: float
    energy_mj: float | None
    niche: int
    niche_label: str
    parameters: int
    flops: float
    author: str
    method: str
    rationale: str
    round: int
    rules: tuple[str, ...]
    memory: int | None = None
    size: int | None = None
    extrapolated: bool = False

    def to_dict(self) -> dict[str, Any]:
        """Plain values that any JSON reader takes: a number that is not finite becomes ``None``."""
        values = {name: finite(value) for name, value in asdict(self).items()}
        for name in _NOT_ALWAYS:
            if values[name] is None or values[name] is False:
                del values[name]
        return values | {"rules": list(self.rules)}

    def cost(self, name: CostName) -> float | None:
        """One of its costs, in the units of ``pelnas.inputs.quantities``."""
        value: float | None = getattr(self, FIELDS.get(name, name))
        return value


FIELDS: Mapping[CostName, str] = {"latency": "latency_ms", "energy": "energy_mj"}
COUNTED = ("memory", "size")  # bytes; only in runs that count them
_NOT_ALWAYS = (*COUNTED, "extrapolated")
COLUMNS = tuple(field.name for field in fields(FrontPoint) if field.name not in _NOT_ALWAYS)


def archive_of(store: RunStore) -> Archive:
    """All evaluations of a run by niche; those that break a directive in force stand aside."""
    evaluations = store.evaluations()
    niches = max([len(store.niches()), *(e.candidate.niche + 1 for e in evaluations)])
    aside = aside_of(store, evaluations)
    return Archive(evaluations, niches, aside, Objectives.of(store.config.objectives))


def aside_of(store: RunStore, evaluations: Sequence[Evaluation]) -> dict[str, Refused]:
    """The evaluations that break a directive in force, by id: (its id, what it asks)."""
    directives = Directives(store.directives())
    if not directives.constrain:
        return {}
    return directives.set_aside(evaluations, get_space(store.config.space))


def front_points(store: RunStore) -> list[FrontPoint]:
    """The evaluations that no other one dominates, by the first cost; empty for a new run.

    Only feasible ones, and within the directives in force.
    """
    labels, sources = store.niches(), store.sources()

    def point(evaluation: Evaluation) -> FrontPoint:
        candidate, design = evaluation.candidate, evaluation.candidate.design
        return FrontPoint(
            id=evaluation.id,
            architecture=design.architecture,
            score=evaluation.score,
            uncertainty=evaluation.prediction.uncertainty,
            unit=sources.unit,
            score_source=sources.accuracy,
            latency_ms=evaluation.latency_ms,
            spread_ms=evaluation.cost.spread_ms,
            energy_mj=evaluation.cost.energy_mj,
            niche=candidate.niche,
            niche_label=label_of(labels, candidate.niche),
            parameters=evaluation.parameters,
            flops=evaluation.flops,
            author=design.author,
            method=design.method,
            rationale=design.rationale,
            round=candidate.round,
            rules=design.rules,
            memory=evaluation.memory,
            size=evaluation.size,
            extrapolated=evaluation.cost.extrapolated,
        )

    return [point(evaluation) for evaluation in archive_of(store).union()]


def label_of(labels: list[str], niche: int) -> str:
    """What a niche is called, also where the run did not say."""
    return labels[niche] if niche < len(labels) else f"niche {niche}"


def write_front(store: RunStore) -> None:
    """Write ``front.json`` and ``front.csv``: the same bytes for the same evaluations.

    ``front.json``: a list of objects with sorted keys. ``front.csv``: a header
    and one line a point; several rules are joined by blanks; texts that a
    spreadsheet would take for a formula get a leading apostrophe.
    """
    write_atomically(store.folder / "front.json", front_json(store))
    points = [point.to_dict() for point in front_points(store)]
    table = io.StringIO()
    writer = csv.writer(table, lineterminator="\n")
    columns = (*COLUMNS, *COUNTED) if store.config.counts_footprint else COLUMNS
    if any("extrapolated" in point for point in points):
        columns += ("extrapolated",)
    writer.writerow(columns)
    writer.writerows([_cell(point.get(name)) for name in columns] for point in points)
    write_atomically(store.folder / "front.csv", table.getvalue())


def front_json(store: RunStore) -> str:
    """The text of ``front.json``."""
    points = [point.to_dict() for point in front_points(store)]
    text = json.dumps(points, indent=2, sort_keys=True, ensure_ascii=False, allow_nan=False)
    return text + "\n"


def finite(value: Any) -> Any:
    """``None`` in place of a number that is not finite, which JSON does not know."""
    return None if isinstance(value, float) and not math.isfinite(value) else value


def _cell(value: Any) -> str:
    if value is None:
        return ""
    if isinstance(value, list):
        value = " ".join(value)
    if isinstance(value, float):
        return repr(value)
    text = str(value)
    return f"'{text}" if text[:1] in ("=", "+", "-", "@", "\t", "\r") else text
