"""Briefs: what each agent is told, put together from what the run knows and what people asked."""

from collections import Counter
from dataclasses import replace

import numpy as np

from pelnas.agents.design_brief import DesignBrief, Parent
from pelnas.agents.planner import NicheStatus, PlanBrief
from pelnas.agents.question_forms import NAMED
from pelnas.agents.reflection import ReflectBrief
from pelnas.architecture import Evaluation
from pelnas.archive import Archive
from pelnas.evolution import draw_tasks
from pelnas.graph.search.designer_tools import designer_tools
from pelnas.graph.search.directive_effects import (
    in_focus,
    left,
    parents_of,
    submit_seeds,
    waiting_seeds,
)
from pelnas.graph.search.planner_tools import planner_tools
from pelnas.graph.search.probe import forms_of
from pelnas.graph.search.reflection_tools import reflection_tools
from pelnas.graph.search.state import NicheTask
from pelnas.graph.session.session import Session
from pelnas.objectives import Objectives
from pelnas.validator import Intake

STREAMS = {"tasks": 1, "design": 2}  # independent random streams of one niche and round


def _rng(*seed: int) -> np.random.Generator:
    return np.random.default_rng(seed)


def plan_brief(session: Session, round_: int) -> PlanBrief:
    """Fronts, gaps and spend of every niche before a round."""
    archive, config = session.archive(), session.config
    newest = session.newest(round_)
    niches, objectives = session.problem.partition.niches, archive.objectives
    union = archive.union()
    wanted = config.per_niche * len(niches)
    brief = PlanBrief(
        round=round_,
        rounds=config.rounds,
        total=session.allowance(round_, wanted),
        device=config.device,
        unit=session.problem.evaluator.predictor.unit,
        niches=tuple(_status(session, archive, niche.index, newest) for niche in niches),
        front=tuple((_costs(objectives, e), e.score, e.candidate.niche) for e in union),
        directives=session.directives.wishes(),
        in_focus=in_focus(session.directives.focus, archive, len(niches)),
        seeds=Counter(niche for niche, _, _ in waiting_seeds(session)),
        objectives=objectives,
        short=config.question_form != NAMED,
    )
    if config.tool_calls:
        brief = replace(brief, tools=planner_tools(session, brief))
    return brief


def _costs(objectives: Objectives, evaluation: Evaluation) -> tuple[float, ...]:
    return tuple(cost.of(evaluation) for cost in objectives.costs)


def _status(session: Session, archive: Archive, niche: int, newest: int) -> NicheStatus:
    partition = session.problem.partition
    members = archive.niche(niche)
    on_front = [e for e in archive.union() if e.candidate.niche == niche]
    feasible = [e for e in members if e.cost.feasible]
    return NicheStatus(
        index=niche,
        label=partition.niches[niche].label,
        designed=len(session.store.candidates(niche=niche)),
        left=left(session, niche),
        on_front=len(on_front),
        gained=sum(e.candidate.round == newest for e in on_front),
        best_score=max((e.score for e in feasible), default=None),
        least=min(map(archive.objectives.first.of, feasible), default=None),
        gap=archive.largest_gap(niche),
    )


def design_brief(session: Session, task: NicheTask) -> tuple[DesignBrief, Intake]:
    """Parents, rules, tasks and the novelty check of one designer."""
    config, niche = session.config, session.problem.partition.niches[task["niche"]]
    chosen = parents_of(session, niche.index, config.parents, task["round"])
    objectives = Objectives.of(config.objectives)
    parents = tuple(
        Parent(e.id, e.candidate.architecture, e.score, _costs(objectives, e)) for e in chosen
    )
    place = (config.seed, task["round"], niche.index)
    earlier = session.store.candidates(niche=niche.index)
    seen = [c.architecture for c in earlier if c.round < task["round"]]
    gate = session.gate(niche.index, task["designs"])
    intake = Intake(session.problem.partition, niche, seen, task["designs"], gate)
    submit_seeds(session, intake, niche.index, task["round"])
    query = f"{niche.label}. {task['focus']}"
    rules = session.knowledge.retrieve(
        session.scope(niche.index), query, config.rules + len(session.directives.retired_rules)
    )
    rules = [rule for rule in rules if rule.id not in session.directives.retired_rules]
    brief = DesignBrief(
        partition=session.problem.partition,
        niche=niche,
        round=task["round"],
        device=config.device,
        dataset=session.problem.dataset,
        focus=task["focus"],
        tasks=draw_tasks(len(parents), intake.missing, _rng(*place, STREAMS["tasks"])),
        parents=parents,
        rules=tuple(rules[: config.rules]),
        seed=(*place, STREAMS["design"]),
        directives=session.directives.wishes(niche.index),
        weights=session.directives.weights,
        surrogate=session.surrogate(task["round"]),
        prior=session.prior,
        objectives=objectives,
        forms=forms_of(session),
    )
    if config.tool_calls:
        brief = replace(brief, tools=designer_tools(session, brief, intake))
    return brief, intake


def reflect_brief(session: Session, task: NicheTask) -> ReflectBrief:
    """What the round brought in one niche, and all evaluations so far."""
    archive, niche = session.archive(), session.problem.partition.niches[task["niche"]]
    members = archive.niche(niche.index)
    known = session.store.rules(through_round=task["round"] - 1)
    brief = ReflectBrief(
        partition=session.problem.partition,
        niche=niche,
        round=task["round"],
        scope=session.scope(niche.index),
        fresh=tuple(e for e in members if e.candidate.round == task["round"]),
        best=archive.front(niche.index),
        rules=tuple(rule for rule in known if rule.scope.niche in (None, niche.index)),
        evidence=session.evidence(),
        objectives=archive.objectives,
        short=session.config.question_form != NAMED,
    )
    if session.config.tool_calls:
        brief = replace(brief, tools=reflection_tools(session, brief))
    return brief
