"""Several runs beside each other: their fronts on one scale, and the rules that each found."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Self

import numpy as np

from pelnas.app.web.overview import grown
from pelnas.architecture import Evaluation
from pelnas.objectives import DEFAULT, Objectives
from pelnas.pareto import box_of
from pelnas.report.front import aside_of
from pelnas.rules.rule import Rule
from pelnas.store import RunStore

RULES = 40  # that are listed, those first that most of the runs agree on


@dataclass(frozen=True)
class Side:
    """One run. ``evaluations``: what may be on its front; ``kind``: unit, device, data set, costs."""

    evaluations: Sequence[Evaluation]
    rules: Sequence[Rule]
    kind: tuple[str, ...]
    objectives: Objectives = DEFAULT

    @classmethod
    def of(cls, store: RunStore, evaluations: Sequence[Evaluation]) -> Self:
        left_out = aside_of(store, evaluations)
        sources = store.sources()
        return cls(
            [e for e in evaluations if e.id not in left_out],
            store.rules(),
            (sources.unit, store.config.device, sources.dataset, *store.config.objectives),
            Objectives.of(store.config.objectives),
        )


def beside(sides: Mapping[str, Side]) -> dict[str, Any]:
    """How the hypervolume of each run grew, and what each found of the rules.

    ``together``: whether all were judged in the ranges of all. Where their kinds
    differ that would say nothing, and each has its own ranges.
    """
    together = len({side.kind for side in sides.values()}) < 2
    common = None
    if together:
        points = [side.objectives.points(side.evaluations) for side in sides.values()]
        common = box_of(np.concatenate(points)) if points else None
    growth = {
        name: grown(side.evaluations, common, objectives=side.objectives)
        for name, side in sides.items()
    }
    rules = {name: side.rules for name, side in sides.items()}
    return {"together": together, "growth": growth, "rules": shared(rules)}


def shared(runs: Mapping[str, Sequence[Rule]]) -> list[dict[str, Any]]:
    """Every rule that is in force in one of the runs, with the verdict of each run on it.

    A rule has the same id in every run; ``verdicts``: by run, ``None`` where nobody claimed it.
    """
    known = {name: {rule.id: rule for rule in found} for name, found in runs.items()}
    held = {r.id: r for found in runs.values() for r in found if r.status == "in-force"}
    rows = [
        {
            "id": rule.id,
            "text": rule.text,
            "claim": f"{rule.predicate} {rule.polarity} {rule.metric}",
            "niche": rule.scope.niche,
            "verdicts": {name: _verdict(own.get(rule.id)) for name, own in known.items()},
        }
        for rule in held.values()
    ]
    return sorted(rows, key=_agreement, reverse=True)[:RULES]


def _verdict(rule: Rule | None) -> dict[str, Any] | None:
    if rule is None:
        return None
    return {"status": rule.status, "measured": rule.measured, "error": rule.error}


def _agreement(row: dict[str, Any]) -> tuple[int, float]:
    verdicts = [verdict for verdict in row["verdicts"].values() if verdict]
    in_force = sum(verdict["status"] == "in-force" for verdict in verdicts)
    return in_force, max(verdict["measured"] or 0.0 for verdict in verdicts)
