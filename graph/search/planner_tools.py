"""What a planner may call before it plans a round: front, niches, spending and trial limits."""

from collections import Counter
from collections.abc import Mapping
from typing import Any, Literal

from pydantic import BaseModel, Field, create_model

from pelnas.agents.planner import PlanBrief
from pelnas.agents.toolbox import Tool, Toolbox
from pelnas.architecture import Evaluation
from pelnas.archive import Archive
from pelnas.graph.search.outlook import short
from pelnas.graph.search.tool_spans import traced
from pelnas.graph.session.session import Session

SHOWN = 30  # points of a front that are listed


class Nothing(BaseModel):
    """No arguments."""


def planner_tools(session: Session, brief: PlanBrief) -> Toolbox:
    """The tools of one planner's step."""
    lookups = _PlannerTools(session, brief)
    quantities: Any = Literal[tuple(cost.name for cost in brief.objectives.costs)]
    limit = create_model(
        "Limit", quantity=(quantities, ...), at_most=(float, Field(gt=0, allow_inf_nan=False))
    )
    tools: list[Tool[Any]] = [
        Tool("front", "The networks of the front of all niches.", Nothing, lookups.front),
        Tool(
            "niches",
            "What was tried in each niche, by author, and what came of it.",
            Nothing,
            lookups.niches,
        ),
        Tool("spend", "What the run has used of its budgets.", Nothing, lookups.spend),
        Tool("what_would_a_limit_cost", _ABOUT_LIMITS, limit, lookups.limit),
    ]
    return Toolbox(tools, session.config.tool_calls, traced(session))


_ABOUT_LIMITS = (
    "What a limit on a cost would leave of the front: points, the best score, and the share of the"
    " hypervolume. Nothing is limited by asking."
)


class _PlannerTools:
    """The tools over one step."""

    def __init__(self, session: Session, brief: PlanBrief) -> None:
        self._session = session
        self._brief = brief
        self._archive: Archive = session.archive(brief.round)

    def front(self, given: Nothing, call: str) -> Mapping[str, Any]:
        points = self._archive.union()
        return {"points": len(points), "front": [self._point(e) for e in points[:SHOWN]]}

    def niches(self, given: Nothing, call: str) -> Mapping[str, Any]:
        on_front = {e.id for e in self._archive.union()}
        refused = Counter(niche for _, niche, _ in self._session.store.refusals())
        rows = []
        for status in self._brief.niches:
            members = self._archive.niche(status.index)
            made = Counter(e.candidate.design.author for e in members)
            kept = Counter(e.candidate.design.author for e in members if e.id in on_front)
            rows.append(
                {
                    "niche": status.index,
                    "evaluated": len(members),
                    "cannot_run": sum(not e.cost.feasible for e in members),
                    "refused": refused[status.index],
                    "by": {name: f"{kept[name]} of {made[name]} on the front" for name in made},
                }
            )
        return {"niches": rows}

    def spend(self, given: Nothing, call: str) -> Mapping[str, Any]:
        store, budget = self._session.store, self._session.config.budget
        spent, own = store.spent(), store.calls(self._brief.round, "planner")
        # What a killed attempt at this step recorded later did not count when it asked, either.
        later = own[[each.id for each in own].index(call) + 1 :]
        used = {
            "calls": spent.calls - len(later),
            "tokens": spent.tokens - sum(each.usage.tokens for each in later),
            "evaluations": spent.evaluations,
        }
        return {
            "round": self._brief.round + 1,
            "of_rounds": self._brief.rounds,
            **{name: {"used": n, "limit": getattr(budget, name)} for name, n in used.items()},
        }

    def limit(self, given: Any, call: str) -> Mapping[str, Any]:
        cost = next(c for c in self._brief.objectives.costs if c.name == given.quantity)
        union, whole = self._archive.union(), self._archive.hypervolume()
        beyond = [e.id for e in self._archive.evaluations if cost.of(e) > given.at_most]
        left = self._archive.without(beyond)
        share = left.hypervolume() / whole if whole else 0.0
        return {
            "points": len(union),
            "left": sum(cost.of(e) <= given.at_most for e in union),
            "best_score": short(max((e.score for e in union), default=None)),
            "best_score_left": short(max((e.score for e in left.union()), default=None)),
            "hypervolume_left": short(share),
        }

    def _point(self, evaluation: Evaluation) -> dict[str, Any]:
        costs: dict[str, Any] = {
            c.name: short(c.of(evaluation)) for c in self._brief.objectives.costs
        }
        where = {"id": evaluation.id, "niche": evaluation.candidate.niche}
        return {**where, "score": short(evaluation.score), **costs}
