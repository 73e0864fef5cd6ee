"""Candidates as the page draws them: columns for the picture, everything about one of them."""

import math
from collections.abc import Container, Sequence
from typing import Any

import numpy as np

from pelnas.architecture import Evaluation
from pelnas.directives import Directives
from pelnas.errors import RunError
from pelnas.objectives import DEFAULT, Objectives
from pelnas.pareto import non_dominated
from pelnas.report.drawing import draw
from pelnas.report.front import aside_of, finite, label_of
from pelnas.spaces import get_space
from pelnas.store import RunStore

RELATIVES = 60  # children of a candidate that are listed
FIGURES = 7  # significant figures in columns: more than a screen can show


def constrained(store: RunStore) -> bool:
    """Whether more than latency and score decides who is on the front: a directive, another cost."""
    other_costs = Objectives.of(store.config.objectives) != DEFAULT
    return other_costs or Directives(store.directives()).constrain


def columns(
    evaluations: Sequence[Evaluation],
    aside: Container[str] = (),
    objectives: Objectives = DEFAULT,
) -> dict[str, Any]:
    """Evaluated candidates as equally long lists, oldest first; names once, by number.

    A candidate's id follows from round, niche and slot. ``costs``: by name, what is minimised
    beside latency. ``fronts[r]``: places, by the first cost, of the front after round r, without
    those that stand ``aside``, whose places are ``aside``.
    """
    authors = list(dict.fromkeys(e.candidate.design.author for e in evaluations))
    methods = list(dict.fromkeys(e.candidate.design.method for e in evaluations))
    return {
        "round": [e.candidate.round for e in evaluations],
        "niche": [e.candidate.niche for e in evaluations],
        "slot": [e.candidate.slot for e in evaluations],
        "latency": [_short(e.latency_ms) for e in evaluations],
        "costs": {
            cost.name: [_short(cost.of(e)) for e in evaluations]
            for cost in objectives.costs
            if cost.name != "latency"
        },
        "score": [_short(e.score) for e in evaluations],
        "author": [authors.index(e.candidate.design.author) for e in evaluations],
        "method": [methods.index(e.candidate.design.method) for e in evaluations],
        "authors": authors,
        "methods": methods,
        "fronts": fronts(evaluations, aside, objectives),
        "aside": [place for place, e in enumerate(evaluations) if e.id in aside],
    }


def fronts(
    evaluations: Sequence[Evaluation],
    aside: Container[str] = (),
    objectives: Objectives = DEFAULT,
) -> list[list[int]]:
    """For every round so far the places of the front after it, by the first cost."""
    points = objectives.points(evaluations)
    points[[e.id in aside for e in evaluations]] = math.inf
    rounds = np.array([e.candidate.round for e in evaluations], dtype=int)
    found: list[list[int]] = []
    front = np.array([], dtype=int)
    for round_ in range(int(rounds.max()) + 1 if len(rounds) else 0):
        # What is dominated once stays so: the front so far and the newcomers are enough.
        rivals = np.sort(np.concatenate([front, np.flatnonzero(rounds == round_)]))
        front = rivals[non_dominated(points[rivals])]
        front = front[np.lexsort((front, points[front, 0]))]
        found.append(front.tolist())
    return found


class Family:
    """The evaluated candidates of a run by id, with their children and what is better than them."""

    def __init__(self, evaluations: Sequence[Evaluation], objectives: Objectives = DEFAULT) -> None:
        self.evaluations = evaluations
        self.known = {e.id: e for e in evaluations}
        self.children: dict[str, list[Evaluation]] = {}
        for evaluation in evaluations:
            for parent in evaluation.candidate.design.parents:
                self.children.setdefault(parent, []).append(evaluation)
        self._objectives = objectives
        self._points = objectives.points(evaluations)

    def ancestors(self, id_: str) -> list[tuple[str, int]]:
        """(id, generation) from the grandparents on, each at its nearest, nearest first."""
        found: dict[str, int] = {}
        level, generation = [id_], 0
        while level and len(found) < RELATIVES:
            generation += 1
            parents = [p for one in level for p in self.known[one].candidate.design.parents]
            fresh = dict.fromkeys(p for p in parents if p in self.known and p not in found)
            level = list(fresh)
            found |= dict.fromkeys(level, generation)
        return [(a, g) for a, g in found.items() if g > 1][:RELATIVES]

    def dominators(self, evaluation: Evaluation) -> list[Evaluation]:
        """Who is no worse in every objective and better in one, the best score first."""
        own = np.array(self._objectives.point(evaluation))
        as_good = (self._points <= own).all(axis=1) & np.isfinite(self._points).all(axis=1)
        places = np.flatnonzero(as_good & (self._points < own).any(axis=1))
        return [self.evaluations[i] for i in places[np.argsort(self._points[places, -1])]]


def detail(store: RunStore, family: Family, id_: str) -> dict[str, Any]:
    """One candidate: figures, drawing, reasons, relatives. RunError: it is not in this run."""
    if id_ not in family.known:
        raise RunError(
            f"there is no evaluated candidate {id_[:40]!r} in {store.name}: see its front"
        )
    evaluation = family.known[id_]
    return {
        **_figures(store, evaluation),
        **_origin(store, evaluation),
        **_relatives(family, evaluation),
        "aside": aside_of(store, [evaluation]).get(id_, ("", ""))[1],
    }


def _figures(store: RunStore, evaluation: Evaluation) -> dict[str, Any]:
    candidate, cost, sources = evaluation.candidate, evaluation.cost, store.sources()
    space = get_space(store.config.space)
    architecture = space.parse(candidate.architecture)
    return {
        "id": evaluation.id,
        "round": candidate.round,
        "niche": candidate.niche,
        "niche_label": label_of(store.niches(), candidate.niche),
        "architecture": candidate.architecture,
        "explained": space.explain(architecture),
        "drawing": draw(space, architecture),
        "score": finite(evaluation.score),
        "uncertainty": finite(evaluation.prediction.uncertainty),
        "unit": sources.unit,
        "score_source": sources.accuracy,
        "latency_ms": finite(evaluation.latency_ms),
        "spread_ms": finite(cost.spread_ms),
        "extrapolated": cost.extrapolated,
        "latency_source": sources.latency,
        "energy_mj": finite(cost.energy_mj),
        "parameters": evaluation.parameters,
        "flops": finite(evaluation.flops),
        "memory": evaluation.memory,
        "size": evaluation.size,
        "proxies": {k: finite(float(v)) for k, v in evaluation.prediction.proxies.items()},
    }


def _origin(store: RunStore, evaluation: Evaluation) -> dict[str, Any]:
    design = evaluation.candidate.design
    rules = {rule.id: rule for rule in store.rules()} if design.rules else {}
    return {
        "author": design.author,
        "method": design.method,
        "rationale": design.rationale,
        "call": design.call,
        "rules": [
            {
                "id": rule,
                "text": rules[rule].text if rule in rules else "",
                "status": rules[rule].status if rule in rules else "unknown",
            }
            for rule in design.rules
        ],
    }


def _relatives(family: Family, evaluation: Evaluation) -> dict[str, Any]:
    known, id_ = family.known, evaluation.id
    children, better = family.children.get(id_, []), family.dominators(evaluation)
    parents = [known[p] for p in evaluation.candidate.design.parents if p in known]
    return {
        "parents": [_brief(parent) for parent in parents],
        "ancestors": [
            _brief(known[ancestor]) | {"generation": generation}
            for ancestor, generation in family.ancestors(id_)
        ],
        "children": [_brief(child) for child in children[:RELATIVES]],
        "children_in_all": len(children),
        "dominated_by": [_brief(e) for e in better[:5]],
        "dominators": len(better),
    }


def _brief(evaluation: Evaluation) -> dict[str, Any]:
    return {
        "id": evaluation.id,
        "latency_ms": finite(evaluation.latency_ms),
        "score": finite(evaluation.score),
        "method": evaluation.candidate.design.method,
    }


def _short(value: float) -> float | None:
    return float(f"{value:.{FIGURES}g}") if np.isfinite(value) else None
