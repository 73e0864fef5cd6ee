"""The designer agents: one per niche, each designing new architectures from parents and rules."""

import json
from abc import ABC, abstractmethod
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field

from pelnas.agents.answer_schema import (
    Designs,
    described,
    design_form,
    form_in_words,
    niche_in_words,
    written,
)
from pelnas.agents.dialogue import OpenDialogue
from pelnas.architecture import Refusal
from pelnas.evolution import Task
from pelnas.inputs.quantities import Metric
from pelnas.objectives import DEFAULT, Objectives
from pelnas.partition import Niche, Partition
from pelnas.prompts import Prompt
from pelnas.rules.rule import Rule, render
from pelnas.spaces import SearchSpace
from pelnas.surrogate import Surrogate
from pelnas.text import plural
from pelnas.validator import Intake, Proposal

REASON_LIMIT = 160  # characters of a reason that a model sees


@dataclass(frozen=True, slots=True)
class Parent:
    """A parent as a designer sees it; ``id`` is its candidate's."""

    id: str
    architecture: str
    score: float
    costs: tuple[float, ...]


@dataclass(frozen=True, slots=True)
class DesignBrief:
    """Everything a designer is given. ``tasks`` index into ``parents``; one design each.

    ``rules``: the rules retrieved for this niche, strongest first. ``seed``
    sets every random draw of this step. ``directives``: (id, what it asks) of
    those in force, which the intake enforces; ``weights``: how much rules about
    an objective count, 1 unless said. ``surrogate``: of the run's evaluations so far, if it may be asked.
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
    surrogate: Surrogate | None = None
    objectives: Objectives = DEFAULT

    @property
    def rule_ids(self) -> tuple[str, ...]:
        return tuple(rule.id for rule in self.rules)


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

        def check(answer: Designs, call: str) -> str:
            return self._submit(answer, call, brief, intake)

        dialogue = self._dialogue("designer", brief.round, brief.niche.index)
        parents = [parent.id for parent in brief.parents]
        space, count = brief.partition.space, len(brief.tasks)
        form = design_form(space, brief.niche, count, self.name, parents)
        dialogue.ask(system, user, form, check)

    def _submit(self, answer: Designs, call: str, brief: DesignBrief, intake: Intake) -> str:
        known = {parent.id for parent in brief.parents}
        intake.next_answer()
        refused: list[tuple[int, Refusal]] = []
        for number, design in enumerate(answer.designs, start=1):
            proposal = Proposal(
                architecture=design.architecture,
                method=design.operation,
                parents=tuple(parent for parent in design.parents if parent in known),
                rationale=design.rationale,
            )
            if intake.submit(proposal, self.name, brief.rule_ids, call):
                refused.append((number, intake.refused[-1]))
        if refused and intake.missing:
            wanted = f"{intake.missing} new {plural(intake.missing, 'design')}"
            return f"{_problems(refused, brief)}; answer with {wanted} in their place"
        return ""


def _problems(refused: Sequence[tuple[int, Refusal]], brief: DesignBrief) -> str:
    """What was wrong with designs, in one line: each kind of fault once, with its first example."""
    kinds: dict[str, list[tuple[int, Refusal]]] = {}
    for number, refusal in refused:
        kinds.setdefault(refusal.kind, []).append((number, refusal))
    told = []
    for kind, found in kinds.items():
        numbers = ", ".join(str(number) for number, _ in found)
        first = " ".join(found[0][1].reason.split())[:REASON_LIMIT]
        if kind == "out-of-niche":
            inside = niche_in_words(brief.partition.space, brief.niche)
            first = f"not in niche {brief.niche.index} ({inside})"
        elif kind == "duplicate":
            first = "designed before"
        told.append(f"{plural(len(found), 'design')} {numbers}: {first}")
    return "; ".join(told)


def variables(brief: DesignBrief) -> dict[str, str]:
    """What the designer's prompt is filled with."""
    space = brief.partition.space
    return {
        "device": brief.device,
        "dataset": brief.dataset,
        "goal": brief.objectives.goal,
        "columns": brief.objectives.columns,
        "space": described(space),
        "form": form_in_words(space),
        "bounds": niche_in_words(space, brief.niche),
        "niche": str(brief.niche.index),
        "label": brief.niche.label,
        "predicate": str(brief.niche.predicate),
        "round": str(brief.round + 1),
        "focus": json.dumps(brief.focus or "none"),
        "directives": directive_lines(brief.directives),
        "rules": "\n".join(map(render, brief.rules)) or "none yet",
        "parents": "\n".join(_parent_line(space, each) for each in brief.parents) or "none yet",
        "count": str(len(brief.tasks)),
        "tasks": "\n".join(_task_lines(brief.tasks, brief.parents)),
    }


def directive_lines(directives: Sequence[tuple[str, str]]) -> str:
    """One line for each directive, the program's own words for it quoted as data."""
    lines = (f"{id_}: {json.dumps(said, ensure_ascii=False)}" for id_, said in directives)
    return "\n".join(lines) or "none"


def _parent_line(space: SearchSpace, parent: Parent) -> str:
    architecture = written(space, parent.architecture)
    costs = "  ".join(f"{cost:.4g}" for cost in parent.costs)
    return f"{parent.id}  {architecture}  {parent.score:.4g}  {costs}"


def _task_lines(tasks: Sequence[Task], parents: Sequence[Parent]) -> list[str]:
    wording = {
        "sample": "a new architecture of this niche",
        "mutation": "a mutation (one or two changed positions) of",
        "crossover": "a crossover (each position from one of the two) of",
    }
    lines = []
    for number, task in enumerate(tasks, start=1):
        ids = " and ".join(parents[i].id for i in task.parents)
        lines.append(f"{number}. {wording[task.method]} {ids}".rstrip())
    return lines
