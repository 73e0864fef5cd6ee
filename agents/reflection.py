"""The reflection agent: proposes design rules from the last round; the program measures them."""

import json
from abc import ABC, abstractmethod
from dataclasses import dataclass, replace
from typing import Annotated, Any, Literal

from pydantic import BaseModel, Field, create_model

from pelnas.agents.answers import Sentence, ShortText
from pelnas.agents.model_agent import ModelAgent
from pelnas.agents.question_forms import FORMS, LETTERS, legend
from pelnas.agents.tool_loop import Answer
from pelnas.agents.toolbox import Toolbox
from pelnas.architecture import Evaluation
from pelnas.errors import PredicateError
from pelnas.inputs.quantities import Metric
from pelnas.objectives import DEFAULT, Objectives
from pelnas.partition import Niche, Partition
from pelnas.predicate import parse_predicate
from pelnas.rules.evidence import METRICS, Evidence
from pelnas.rules.rule import Rule, Scope, propose, render
from pelnas.spaces import SearchSpace
from pelnas.spaces.feature_names import example_predicate, features_in_words

SUBMIT_RULES = "Give your rules; this ends your work in the round."
RULES_SHOWN = 8  # in a short prompt; the tool ``similar_rules`` finds others
RULES_ASKED = 4  # rules a model may propose for one niche and round


@dataclass(frozen=True, slots=True)
class ReflectBrief:
    """Everything the reflection agent is given about one niche.

    ``fresh``: this round's evaluations of the niche; ``best``: its front;
    ``evidence``: of every feasible evaluation of the run, all niches.
    """

    partition: Partition
    niche: Niche
    round: int
    scope: Scope  # of this niche
    fresh: tuple[Evaluation, ...]
    best: tuple[Evaluation, ...]
    rules: tuple[Rule, ...]
    evidence: Evidence
    objectives: Objectives = DEFAULT
    tools: Toolbox | None = None  # what a model may call in this step
    short: bool = True  # networks as rows of letters, and the rules that matter most alone


@dataclass(frozen=True, slots=True)
class Reflection:
    """Rules not yet measured, and the id of the call that they came from, if any."""

    rules: tuple[Rule, ...]
    call: str | None = None


class ProposedRule(BaseModel):
    """One rule as a model proposes it."""

    text: Sentence
    predicate: ShortText
    metric: Metric
    polarity: Literal["helps", "hurts"]
    effect: Annotated[float, Field(ge=-1, le=1)] = 0.0
    everywhere: bool = False


class ReflectAnswer(BaseModel):
    """The reflection agent's answer."""

    rules: Annotated[list[ProposedRule], Field(max_length=RULES_ASKED)]


def answer_about(metrics: tuple[Metric, ...]) -> type[ReflectAnswer]:
    """The answer whose rules may speak about these metrics."""
    if metrics == METRICS:
        return ReflectAnswer
    told: Any = Literal[metrics]
    rule: Any = create_model("ProposedRule", __base__=ProposedRule, metric=(told, ...))
    rules: Any = Annotated[list[rule], Field(max_length=RULES_ASKED)]
    return create_model("ReflectAnswer", __base__=ReflectAnswer, rules=(rules, ...))


class Reflector(ABC):
    """Proposes rules for one niche. ``name``: the model behind it, ``provider:model``."""

    name: str

    @abstractmethod
    def reflect(self, brief: ReflectBrief) -> Reflection:
        """Rules not yet measured.

        AnswerError, ModelCallError, BudgetExhausted: a model's failures.
        """


class ModelReflector(ModelAgent, Reflector):
    """A language model as reflection agent; an unreadable predicate goes back to it once.

    With tools it may test claims before it proposes any.
    """

    def reflect(self, brief: ReflectBrief) -> Reflection:
        known = brief.partition.feature_names
        found: dict[str, Rule] = {}

        accepted: list[str] = []  # the call of the last answer that was read

        def check(answer: ReflectAnswer, call: str) -> str:
            problems = []
            accepted.append(call)
            for proposed in answer.rules:
                try:
                    rule = self._rule(proposed, brief, known)
                except PredicateError as error:
                    problems.append(f"predicate {proposed.predicate[:60]!r}: {error}")
                else:
                    found.setdefault(rule.id, rule)
            return "; ".join(problems[:4])

        dialogue = self._dialogue("reflection", brief.round, brief.niche.index)
        answer = Answer(answer_about(brief.objectives.metrics), SUBMIT_RULES, check, lambda: False)
        start = _with_fewer_rules(brief) if brief.short else brief
        self._ask(dialogue, start, variables, _shorter, answer, brief.tools)
        return Reflection(tuple(found.values()), accepted[-1])

    def _rule(self, proposed: ProposedRule, brief: ReflectBrief, known: frozenset[str]) -> Rule:
        predicate = parse_predicate(proposed.predicate, known)
        return propose(
            text=proposed.text,
            predicate=predicate,
            metric=proposed.metric,
            polarity=proposed.polarity,
            scope=brief.scope.everywhere() if proposed.everywhere else brief.scope,
            claimed=proposed.effect,
            born=brief.round,
            author=self.name,
        )


def variables(brief: ReflectBrief) -> dict[str, str]:
    """What the reflection agent's prompt is filled with."""
    space = brief.partition.space
    fresh = sorted(brief.fresh, key=lambda e: (-e.score, e.id))
    networks = "\n".join(_network_line(e, brief, rationale=True) for e in fresh) or "none"
    best = "\n".join(_network_line(e, brief, rationale=False) for e in brief.best)
    return {
        "device": brief.scope.device,
        "dataset": brief.scope.dataset,
        "metrics": " or ".join(brief.objectives.metrics),
        "lower": " or ".join(f"lower {name}" for name in brief.objectives.names),
        "columns": brief.objectives.columns,
        "space": _described(space) if brief.short else space.describe(),
        "features": features_in_words(space, brief.partition.feature_names),
        "example": str(example_predicate(space)),
        "limit": str(RULES_ASKED),
        "niche": str(brief.niche.index),
        "label": brief.niche.label,
        "round": str(brief.round + 1),
        "networks": networks,
        "cells": networks,  # as prompts of the first release call them
        "best": best or "none",
        "rules": "\n".join(map(render, brief.rules)) or "none yet",
    }


def _described(space: SearchSpace) -> str:
    """What a short prompt says of the space."""
    return f"{space.describe_choices()} {legend(space)}" if space.letters else space.describe()


def _network_line(evaluation: Evaluation, brief: ReflectBrief, *, rationale: bool) -> str:
    objectives, space = brief.objectives, brief.partition.space
    costs = objectives.figures(evaluation) if evaluation.cost.feasible else "cannot run"
    text = evaluation.candidate.architecture
    written = FORMS[LETTERS].written(space, text) if brief.short and space.letters else text
    line = f"{written}  {evaluation.score:.4g}  {costs}"
    reason = evaluation.candidate.design.rationale
    return f"{line}  {json.dumps(reason)}" if rationale and reason else line


def _with_fewer_rules(brief: ReflectBrief) -> ReflectBrief:
    """The brief with the rules that matter most: in force, then others, by what was measured."""
    ranked = sorted(brief.rules, key=lambda r: (r.status != "in-force", -abs(r.measured or 0.0)))
    return replace(brief, rules=tuple(ranked[:RULES_SHOWN]))


def _shorter(brief: ReflectBrief) -> ReflectBrief | None:
    """The brief without the least telling item: of the front, of the rules, or a middling network."""
    if len(brief.best) > max(2, len(brief.rules)):
        middle = len(brief.best) // 2
        return replace(brief, best=brief.best[:middle] + brief.best[middle + 1 :])
    if brief.rules:
        return replace(brief, rules=brief.rules[:-1])
    ranked = sorted(brief.fresh, key=lambda e: (-e.score, e.id))
    if len(ranked) > 1:
        middle = len(ranked) // 2
        return replace(brief, fresh=tuple(ranked[:middle] + ranked[middle + 1 :]))
    return replace(brief, best=()) if brief.best else None
