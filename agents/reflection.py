"""The reflection agent: proposes design rules from the last round; the program measures them."""

import json
from abc import ABC, abstractmethod
from dataclasses import dataclass
from typing import Annotated, Any, Literal

from pydantic import BaseModel, Field, create_model

from pelnas.agents.answers import Sentence, ShortText
from pelnas.agents.dialogue import OpenDialogue
from pelnas.architecture import Evaluation
from pelnas.errors import PredicateError
from pelnas.inputs.quantities import Metric
from pelnas.objectives import DEFAULT, Objectives
from pelnas.partition import Niche, Partition
from pelnas.predicate import parse_predicate
from pelnas.prompts import Prompt
from pelnas.rules.evidence import METRICS, Evidence
from pelnas.rules.rule import Rule, Scope, propose, render
from pelnas.spaces.feature_names import example_predicate, features_in_words

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


class ModelReflector(Reflector):
    """A language model as reflection agent; an unreadable predicate goes back to it once."""

    def __init__(self, name: str, prompt: Prompt, dialogue: OpenDialogue) -> None:
        self.name = name
        self._prompt = prompt
        self._dialogue = dialogue

    def reflect(self, brief: ReflectBrief) -> Reflection:
        system, user = self._prompt.render(variables(brief))
        known = brief.partition.feature_names
        found: dict[str, Rule] = {}

        def check(answer: ReflectAnswer, _: str) -> str:
            problems = []
            for proposed in answer.rules:
                try:
                    rule = self._rule(proposed, brief, known)
                except PredicateError as error:
                    problems.append(f"predicate {proposed.predicate[:60]!r}: {error}")
                else:
                    found.setdefault(rule.id, rule)
            return "; ".join(problems[:4])

        dialogue = self._dialogue("reflection", brief.round, brief.niche.index)
        _, call = dialogue.ask(system, user, answer_about(brief.objectives.metrics), check)
        return Reflection(tuple(found.values()), call)

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
    networks = (
        "\n".join(_network_line(e, brief.objectives, rationale=True) for e in fresh) or "none"
    )
    best = "\n".join(_network_line(e, brief.objectives, rationale=False) for e in brief.best)
    return {
        "device": brief.scope.device,
        "dataset": brief.scope.dataset,
        "metrics": " or ".join(brief.objectives.metrics),
        "lower": " or ".join(f"lower {name}" for name in brief.objectives.names),
        "columns": brief.objectives.columns,
        "space": space.describe(),
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


def _network_line(evaluation: Evaluation, objectives: Objectives, *, rationale: bool) -> str:
    costs = objectives.figures(evaluation) if evaluation.cost.feasible else "cannot run"
    line = f"{evaluation.candidate.architecture}  {evaluation.score:.4g}  {costs}"
    reason = evaluation.candidate.design.rationale
    return f"{line}  {json.dumps(reason)}" if rationale and reason else line
