"""What a designer is given in one step: its niche, parents, rules and tasks."""

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace

from pelnas.agents.toolbox import Toolbox
from pelnas.evolution import Task
from pelnas.inputs.quantities import Metric
from pelnas.knowledge.prior import Prior
from pelnas.objectives import DEFAULT, Objectives
from pelnas.partition import Niche, Partition
from pelnas.rules.rule import Rule
from pelnas.surrogate import Surrogate

Edits = Mapping[str, Mapping[str, Sequence[str]]]


@dataclass(frozen=True, slots=True)
class Parent:
    """A parent as a designer sees it; ``id`` is its candidate's."""

    id: str
    architecture: str
    score: float
    costs: tuple[float, ...]


@dataclass(frozen=True, slots=True)
class Shared:
    """What a model sees where it shares a niche with the built-in designer; one line per item.

    ``designs``: (architecture, what the surrogate predicts) of the built-in designer in this step.
    ``parents``: (id, the same) of the parents. ``credit``: for each author, how many of its
    latest designs are on the front. ``failed``: (what came of it, architecture, figures) of recent
    designs that were refused or are dominated. ``gap``: the widest gap of the niche's front.
    """

    designs: tuple[tuple[str, str], ...]
    parents: tuple[tuple[str, str], ...]
    credit: tuple[str, ...]
    failed: tuple[tuple[str, str, str], ...]
    gap: str


@dataclass(frozen=True, slots=True)
class DesignBrief:
    """Everything a designer is given. ``tasks`` index into ``parents``; one design each.

    ``rules``: the rules retrieved for this niche, strongest first. ``seed``
    sets every random draw of this step. ``directives``: (id, what it asks) of
    those in force, which the intake enforces; ``weights``: how much rules about
    an objective count, 1 unless said. ``surrogate``: of the run's evaluations so far, if it may be
    asked. ``prior``: what rules of earlier runs let expect, if there are any. ``tools``: what a
    model may call in this step, if any. ``shared``: what the built-in designer did before the
    model, where they share the niche. ``forms``: by model how it is asked, ``letters``
    unless said. ``open_edits``: by parent and position the choices that may be asked for, where
    the form of the question is that of changes.
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
    prior: Prior | None = None
    objectives: Objectives = DEFAULT
    tools: Toolbox | None = None
    shared: Shared | None = None
    forms: Mapping[str, str] = field(default_factory=dict)
    open_edits: Edits = field(default_factory=dict)

    @property
    def rule_ids(self) -> tuple[str, ...]:
        return tuple(rule.id for rule in self.rules)

    def with_parents(self, parents: Sequence[Parent]) -> "DesignBrief":
        """The brief with some of its parents alone; tasks that need another one get one of these."""
        places = {parent.id: place for place, parent in enumerate(parents)}
        tasks = tuple(self._task_of(task, places) for task in self.tasks)
        shared = self.shared
        if shared is not None:
            told = tuple((id_, view) for id_, view in shared.parents if id_ in places)
            shared = replace(shared, parents=told)
        return replace(self, parents=tuple(parents), tasks=tasks, shared=shared)

    def _task_of(self, task: Task, places: Mapping[str, int]) -> Task:
        if not places:
            return Task("sample")
        chosen = dict.fromkeys(
            places.get(self.parents[i].id, i % len(places)) for i in task.parents
        )
        method = task.method if len(chosen) == len(task.parents) else "mutation"
        return Task(method, tuple(chosen))


def directive_lines(directives: Sequence[tuple[str, str]]) -> str:
    """One line for each directive, the program's own words for it quoted as data."""
    lines = (f"{id_}: {json.dumps(said, ensure_ascii=False)}" for id_, said in directives)
    return "\n".join(lines) or "none"
