"""The designer: one for each niche, making new architectures out of its parents under its rules."""

import json
from abc import ABC, abstractmethod
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from functools import cache
from typing import Annotated, Literal

from pydantic import BaseModel, Field, create_model

from pelnas.agents.answers import Identifier, Sentence, ShortText, cut
from pelnas.agents.dialogue import OpenDialogue
from pelnas.evidence import Metric
from pelnas.evolution import Task
from pelnas.partition import Niche, Partition
from pelnas.prompts import Prompt
from pelnas.rules import Rule, render
from pelnas.validator import Intake, Proposal


@dataclass(frozen=True, slots=True)
class Parent:
    """A parent as a designer sees it; ``id`` is its candidate's."""

    id: str
    architecture: str
    score: float
    latency_ms: float


@dataclass(frozen=True, slots=True)
class DesignBrief:
    """All that a designer is told. ``tasks`` index into ``parents``; one design each.

    ``rules``: the rules retrieved for this niche, strongest first. ``seed``
    sets every random draw of this step. ``directives``: (id, what it asks) of
    those in force, which the intake enforces; ``weights``: how much rules about
    an objective count, 1 unless said.
    """

    partition: Partition
    niche: Niche
    round: int
    device: str
    dataset: str
    focus: str
    tasks: tuple[Task, ...]
    parents: tuple[Parent, ...]
    rules: tuple[Rule, ...]
    seed: tuple[int, ...]
    directives: tuple[tuple[str, str], ...] = ()
    weights: Mapping[Metric, float] = field(default_factory=dict)

    @property
    def rule_ids(self) -> tuple[str, ...]:
        return tuple(rule.id for rule in self.rules)


class ProposedDesign(BaseModel):
    """One design as a model proposes it."""

    architecture: ShortText
    operation: Literal["mutation", "crossover", "sample"]
    parents: Annotated[list[Identifier], Field(max_length=4)] = []
    rationale: Sentence = ""


class DesignAnswer(BaseModel):
    """A designer's answer."""

    designs: list[ProposedDesign]


@cache
def design_answer(wanted: int) -> type[DesignAnswer]:
    """The schema of an answer with at most so many designs; more than that are cut off.

    The bound matters to small models: held to the schema alone, they list
    designs until their tokens end.
    """
    designs = Annotated[list[ProposedDesign], cut(wanted), Field(min_length=1, max_length=wanted)]
    return create_model("DesignAnswer", __base__=DesignAnswer, designs=(designs, ...))


class Designer(ABC):
    """Designs for one niche. ``name``: the model behind it, ``provider:model``."""

    name: str

    @abstractmethod
    def design(self, brief: DesignBrief, intake: Intake) -> None:
        """Submit designs to the intake, at most as many as it still wants.

        AnswerError, ModelCallError, BudgetExhausted: a model's failures; what
        the intake accepted before stays accepted.
        """


class ModelDesigner(Designer):
    """A language model as designer; what the intake refuses goes back to it once."""

    def __init__(self, name: str, prompt: Prompt, dialogue: OpenDialogue) -> None:
        self.name = name
        self._prompt = prompt
        self._dialogue = dialogue

    def design(self, brief: DesignBrief, intake: Intake) -> None:
        system, user = self._prompt.render(variables(brief))

        def check(answer: DesignAnswer, call: str) -> str:
            return self._submit(answer, call, brief, intake)

        dialogue = self._dialogue("designer", brief.round, brief.niche.index)
        dialogue.ask(system, user, design_answer(len(brief.tasks)), check)

    def _submit(self, answer: DesignAnswer, call: str, brief: DesignBrief, intake: Intake) -> str:
        known = {parent.id for parent in brief.parents}
        intake.next_answer()
        problems = []
        for number, design in enumerate(answer.designs, start=1):
            proposal = Proposal(
                architecture=design.architecture,
                method=design.operation,
                parents=tuple(parent for parent in design.parents if parent in known),
                rationale=design.rationale,
            )
            reason = intake.submit(proposal, self.name, brief.rule_ids, call)
            if reason:
                problems.append(f"design {number}: {reason}")
        if problems and intake.missing:
            return f"{'; '.join(problems[:8])}. Answer with {intake.missing} new designs in their place"
        return ""


def variables(brief: DesignBrief) -> dict[str, str]:
    """What the designer's prompt is filled with."""
    return {
        "device": brief.device,
        "dataset": brief.dataset,
        "space": brief.partition.space.describe(),
        "niche": str(brief.niche.index),
        "label": brief.niche.label,
        "predicate": str(brief.niche.predicate),
        "round": str(brief.round + 1),
        "focus": json.dumps(brief.focus or "none"),
        "directives": directive_lines(brief.directives),
        "rules": "\n".join(map(render, brief.rules)) or "none yet",
        "parents": "\n".join(map(_parent_line, brief.parents)) or "none yet",
        "count": str(len(brief.tasks)),
        "tasks": "\n".join(_task_lines(brief.tasks, brief.parents)),
    }


def directive_lines(directives: Sequence[tuple[str, str]]) -> str:
    """One line for each directive, the program's own words for it quoted as data."""
    lines = (f"{id_}: {json.dumps(said, ensure_ascii=False)}" for id_, said in directives)
    return "\n".join(lines) or "none"


def _parent_line(parent: Parent) -> str:
    return f"{parent.id}  {parent.architecture}  {parent.score:.4g}  {parent.latency_ms:.4g}"


def _task_lines(tasks: Sequence[Task], parents: Sequence[Parent]) -> list[str]:
    wording = {
        "sample": "a new cell of this niche",
        "mutation": "a mutation (one or two changed edges) of",
        "crossover": "a crossover (each edge from one of the two) of",
    }
    lines = []
    for number, task in enumerate(tasks, start=1):
        ids = " and ".join(parents[i].id for i in task.parents)
        lines.append(f"{number}. {wording[task.method]} {ids}".rstrip())
    return lines
