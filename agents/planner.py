"""The planner agent: how many designs each niche gets this round, and what to look for."""

import json
from abc import ABC, abstractmethod
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from math import ceil
from typing import Annotated, Any

from pydantic import BaseModel, Field

from pelnas.agents.answers import Sentence
from pelnas.agents.design_brief import directive_lines
from pelnas.agents.model_agent import ModelAgent
from pelnas.agents.tool_loop import Answer
from pelnas.agents.toolbox import Toolbox
from pelnas.archive import Gap
from pelnas.directives import FOCUS_SHARE
from pelnas.objectives import DEFAULT, CostMetric, Objectives
from pelnas.pareto import spread_out

POINTS = 12  # of a front, in a short question
SUBMIT_PLAN = "Give your plan of the round; this ends your work on it."


@dataclass(frozen=True, slots=True)
class NicheStatus:
    """One niche as the planner sees it. ``on_front``: its points on the front of all niches.

    ``gained``: of these, how many the last round found. ``left``: architectures
    not yet designed, ``None`` where the niche cannot be counted.
    """

    index: int
    label: str
    designed: int
    left: int | None
    on_front: int
    gained: int
    best_score: float | None
    least: float | None  # of the first cost
    gap: Gap | None


@dataclass(frozen=True, slots=True)
class PlanBrief:
    """Everything the planner is given. ``front``: (costs, score, niche), by the first cost.

    ``directives``: (id, what it asks) of those in force. ``in_focus``: the niches
    that get at least ``share`` of the designs; ``seeds``: designs that people
    asked for, by niche. ``short``: the niches are told as a table, and of a long front some points.
    """

    round: int
    rounds: int
    total: int  # designs to give away
    device: str
    unit: str
    niches: tuple[NicheStatus, ...]
    front: tuple[tuple[tuple[float, ...], float, int], ...]
    directives: tuple[tuple[str, str], ...] = ()
    in_focus: frozenset[int] = frozenset()
    share: float = FOCUS_SHARE
    seeds: Mapping[int, int] = field(default_factory=dict)
    objectives: Objectives = DEFAULT
    tools: Toolbox | None = None  # what a model may call in this step
    short: bool = False


class NichePlan(BaseModel):
    """What one niche gets."""

    niche: Annotated[int, Field(ge=0, le=63)]
    designs: Annotated[int, Field(ge=0, le=1000)]
    focus: Sentence = ""


class PlanAnswer(BaseModel):
    """The planner's answer."""

    niches: Annotated[list[NichePlan], Field(max_length=64)]


class Planner(ABC):
    """Gives away the designs of a round. ``name``: the model behind it, ``provider:model``."""

    name: str

    @abstractmethod
    def plan(self, brief: PlanBrief) -> PlanAnswer:
        """The plan as proposed; ``settle`` makes it fit.

        AnswerError, ModelCallError, BudgetExhausted: a model's failures.
        """


class ModelPlanner(ModelAgent, Planner):
    """A language model as planner; with tools it may look things up before it answers."""

    def plan(self, brief: PlanBrief) -> PlanAnswer:
        known = {status.index for status in brief.niches}
        given: list[PlanAnswer] = []  # the last one is that which was accepted

        def check(answer: PlanAnswer, _: str) -> str:
            given.append(answer)
            strange = sorted({entry.niche for entry in answer.niches} - known)
            if strange:
                return f"niche {strange[0]} does not exist: niches are 0 to {len(known) - 1}"
            return "" if answer.niches else "no niche got anything: answer for each niche"

        dialogue = self._dialogue("planner", brief.round, None)
        answer = Answer(PlanAnswer, SUBMIT_PLAN, check, lambda: False)
        self._ask(dialogue, brief, variables, _shorter, answer, brief.tools)
        return given[-1]


def variables(brief: PlanBrief) -> dict[str, str]:
    """What the planner's prompt is filled with."""
    return {
        "device": brief.device,
        "unit": brief.unit,
        "round": str(brief.round + 1),
        "rounds": str(brief.rounds),
        "total": str(brief.total),
        "niches": "\n".join(_niche_lines(brief)),
        "front": "\n".join(_front_lines(brief)) or "none yet",
        "costs": brief.objectives.listed,
        "columns": brief.objectives.columns,
        "units": brief.objectives.units,
        "directives": directive_lines(brief.directives),
    }


def _shorter(brief: PlanBrief) -> PlanBrief | None:
    """The brief without a point from the middle of the front, then without a directive."""
    front = brief.front
    if len(front) > 2:
        middle = len(front) // 2
        return replace(brief, front=front[:middle] + front[middle + 1 :])
    return replace(brief, directives=brief.directives[:-1]) if brief.directives else None


def _point_line(costs: tuple[float, ...], score: float, niche: int) -> str:
    return f"{', '.join(f'{cost:.4g}' for cost in costs)}, {score:.4g}, {niche}"


def _front_lines(brief: PlanBrief) -> list[str]:
    """The front by the first cost; of a long one in a short question, points all along it."""
    front = brief.front
    if not brief.short or len(front) <= POINTS:
        return [_point_line(*point) for point in front]
    places = spread_out([(*costs, -score) for costs, score, _ in front], POINTS)
    lines = [_point_line(*front[place]) for place in sorted(places)]
    return [*lines, f"({len(lines)} of its {len(front)} points)"]


def _niche_lines(brief: PlanBrief) -> list[str]:
    facts = [_facts(status, brief.objectives.first) for status in brief.niches]
    if not brief.short:
        told = [{k: v for k, v in each.items() if v is not None} for each in facts]
        return [json.dumps(each) for each in told]
    known = [name for name in facts[0] if any(each[name] is not None for each in facts)]
    rows = [[_cell(each[name]) for name in known] for each in facts]
    return [" | ".join(row) for row in (known, *rows)]


def _facts(status: NicheStatus, cost: CostMetric) -> dict[str, Any]:
    least = "fastest" if cost.name == "latency" else f"least {cost.name}"
    gap = [status.gap.low, status.gap.high] if status.gap else None
    return {
        "niche": status.index,
        "is": status.label,
        "designed": status.designed,
        "left": status.left,
        "points on the front": status.on_front,
        "new on the front last round": status.gained,
        "best score": status.best_score,
        f"{least} {cost.unit}".rstrip(): status.least,
        f"widest gap {cost.unit}".rstrip(): gap,
    }


def _cell(value: Any) -> str:
    if isinstance(value, list):
        return " to ".join(map(_cell, value))
    if isinstance(value, float):
        return f"{value:.4g}"
    return "-" if value is None else str(value).replace("|", "/")  # which ends a cell


def settle(answer: PlanAnswer, brief: PlanBrief) -> list[NichePlan]:
    """A plan that adds up: exactly ``total`` designs where the niches hold so many.

    Every niche that has something left gets at least one design (while there
    are enough), none gets more than it has left; the rest is shared in
    proportion to what was proposed, by largest remainder. Niches that the
    answer leaves out count as zero; of repeated ones the first counts. Niches
    in focus get their share, and seeds their place, whatever was proposed.
    """
    proposed: dict[int, NichePlan] = {}
    for entry in answer.niches:
        proposed.setdefault(entry.niche, entry)
    room = [brief.total if s.left is None else min(s.left, brief.total) for s in brief.niches]
    weights = [
        float(proposed[s.index].designs) if s.index in proposed else 0.0 for s in brief.niches
    ]
    counts = _with_seeds(
        _with_focus(_share(brief.total, weights, room), weights, room, brief), brief
    )
    return [
        NichePlan(
            niche=status.index,
            designs=count,
            focus=proposed[status.index].focus if status.index in proposed else "",
        )
        for status, count in zip(brief.niches, counts, strict=True)
    ]


def _with_focus(
    counts: list[int], weights: Sequence[float], room: Sequence[int], brief: PlanBrief
) -> list[int]:
    """The counts, moved so far that the niches in focus have their share where they have room."""
    inside = [i for i, status in enumerate(brief.niches) if status.index in brief.in_focus]
    outside = [i for i in range(len(counts)) if i not in inside]
    wanted = min(ceil(brief.share * sum(counts)), sum(room[i] for i in inside))
    if not inside or sum(counts[i] for i in inside) >= wanted:
        return counts
    moved = list(counts)
    for group, total in ((inside, wanted), (outside, sum(counts) - wanted)):
        shares = _share(total, [weights[i] for i in group], [room[i] for i in group])
        for i, share in zip(group, shares, strict=True):
            moved[i] = share
    return moved


def _with_seeds(counts: list[int], brief: PlanBrief) -> list[int]:
    """The counts with a place for every seed, taken from where most is left."""
    wanted = [brief.seeds.get(status.index, 0) for status in brief.niches]
    while sum(counts) < min(brief.total, sum(wanted)):  # seeds in niches that had no room
        counts[max(range(len(counts)), key=lambda i: wanted[i] - counts[i])] += 1
    for i, least in enumerate(wanted):
        while counts[i] < least:
            giver = max(range(len(counts)), key=lambda j: (counts[j] - wanted[j], -j))
            if counts[giver] <= wanted[giver]:
                break
            counts[giver] -= 1
            counts[i] += 1
    return counts


def _share(total: int, weights: Sequence[float], room: Sequence[int]) -> list[int]:
    """Whole numbers that sum to ``min(total, sum(room))``, each at most its room."""
    counts = [0] * len(room)
    for i in range(len(room)):
        if room[i] > 0 and sum(counts) < total:
            counts[i] = 1
    while (left := min(total, sum(room)) - sum(counts)) > 0:
        open_ = [i for i in range(len(room)) if counts[i] < room[i]]
        mass = sum(weights[i] for i in open_)
        ideal = {i: left * (weights[i] / mass if mass else 1 / len(open_)) for i in open_}
        for i in open_:
            counts[i] += min(int(ideal[i]), room[i] - counts[i])
        rest = min(total, sum(room)) - sum(counts)
        if rest == left:  # nothing whole was given: the largest remainders get one each
            for i in sorted(open_, key=lambda i: (-ideal[i], i))[:rest]:
                counts[i] += 1
    return counts
