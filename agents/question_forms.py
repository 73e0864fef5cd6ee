"""How designers are asked for networks, and how their answers are read.

A model that designs well can be asked for whole networks; a small one does better if it only has
to choose among changes of given networks. In both forms networks are short: a letter for each
operation, in the order of the positions. ``named`` is how runs before 0.2 asked.
"""

import json
from abc import ABC, abstractmethod
from collections.abc import Iterable, Sequence
from dataclasses import replace
from typing import Any

from pydantic import BaseModel

from pelnas.agents.answer_schema import (
    Designs,
    EditedDesigns,
    architecture_form,
    described,
    design_form,
    edit_form,
    form_in_words,
    in_json,
    letters_architecture,
    letters_form,
    niche_in_words,
)
from pelnas.agents.design_brief import DesignBrief, Edits, Parent, Shared, directive_lines
from pelnas.architecture import Architecture
from pelnas.errors import ArchitectureError
from pelnas.evolution import Task
from pelnas.partition import Niche
from pelnas.rules.rule import render
from pelnas.spaces import SearchSpace
from pelnas.text import plural
from pelnas.validator import Intake, Proposal

LETTERS, EDITS, NAMED = "letters", "edits", "named"
EDITED_PARENTS = 4  # that a small model chooses among
EDITED_RULES = 4  # that it is shown: it reads some tens of tokens a second
EDITED_FAILURES = 2  # of earlier designs
_FORMER_ANSWER = (
    "the architecture {form}, the operation you used (mutation, crossover or sample), the ids of"
    " its parents, and a short rationale"
)
_SHORT_ANSWER = (
    "the architecture {form}, the ids of its parents, and why in at most ten words (rationale)"
)


class QuestionForm(ABC):
    """One way to ask. ``prompt``: the name of the prompt that it fills."""

    name: str
    prompt = "designer"

    def prepared(self, brief: DesignBrief, intake: Intake) -> DesignBrief | None:
        """The brief as it is asked about; ``None``: there is nothing that could be asked."""
        return brief

    @abstractmethod
    def schema(self, brief: DesignBrief, model: str) -> type[BaseModel]:
        """What an answer has to fit; ``brief``: as ``prepared``; ``model``: whose answer it is."""

    @abstractmethod
    def architecture(self, space: SearchSpace, niche: Niche, model: str) -> Any:
        """The type of a field that holds a whole network of a niche, as tools take it."""

    @abstractmethod
    def proposals(self, answer: Any, brief: DesignBrief) -> Iterable[Proposal]:
        """The designs of an answer; a change of an unknown network is one of no network."""

    @abstractmethod
    def written(self, space: SearchSpace, architecture: str) -> str:
        """An architecture, given as official text, as prompts and answers have it."""

    def variables(self, brief: DesignBrief) -> dict[str, str]:
        """What the prompt is filled with."""
        space = brief.partition.space
        return {
            "device": brief.device,
            "dataset": brief.dataset,
            "goal": brief.objectives.goal,
            "columns": brief.objectives.columns,
            "space": self._space(space),
            "form": self._form(space),
            "answer": self._answer.format(form=self._form(space)),
            "bounds": niche_in_words(space, brief.niche),
            "niche": str(brief.niche.index),
            "label": brief.niche.label,
            "predicate": str(brief.niche.predicate),
            "round": str(brief.round + 1),
            "focus": json.dumps(brief.focus or "none"),
            "directives": directive_lines(brief.directives),
            "rules": "\n".join(map(render, brief.rules)) or "none yet",
            "parents": "\n".join(self._parents(brief)) or "none yet",
            "count": str(len(brief.tasks)),
            "tasks": "\n".join(self._tasks(brief.tasks, brief.parents)),
        }

    def shared_variables(self, shared: Shared, space: SearchSpace) -> dict[str, str]:
        """The variables of the prompt about a shared niche."""
        named = {
            "designs": [f"{self.written(space, one)}{view}" for one, view in shared.designs],
            "parents": [f"{id_}{view}" for id_, view in shared.parents],
            "credit": shared.credit,
            "failed": [
                f"{why}: {self.shown(space, one)}{figures}" for why, one, figures in shared.failed
            ],
        }
        lines = {name: "\n".join(each) or "none" for name, each in named.items()}
        return lines | {"gap": shared.gap or "none"}

    def shown(self, space: SearchSpace, given: str) -> str:
        """What a model once proposed: as prompts have it if it is a network, else as it is."""
        return given

    _answer = _FORMER_ANSWER

    def _space(self, space: SearchSpace) -> str:
        return described(space)

    def _form(self, space: SearchSpace) -> str:
        return form_in_words(space)

    def _parents(self, brief: DesignBrief) -> list[str]:
        return [self._row(brief.partition.space, parent) for parent in brief.parents]

    def _row(self, space: SearchSpace, parent: Parent) -> str:
        figures = "  ".join(f"{value:.4g}" for value in (parent.score, *parent.costs))
        return f"{parent.id}  {self.written(space, parent.architecture)}  {figures}"

    def _tasks(self, tasks: Sequence[Task], parents: Sequence[Parent]) -> list[str]:
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


class NamedForm(QuestionForm):
    """Whole networks as JSON, an operation by its name at each position; or as official text."""

    name = NAMED

    def schema(self, brief: DesignBrief, model: str) -> type[BaseModel]:
        parents = [parent.id for parent in brief.parents]
        return design_form(brief.partition.space, brief.niche, len(brief.tasks), model, parents)

    def architecture(self, space: SearchSpace, niche: Niche, model: str) -> Any:
        return architecture_form(space, niche, model)

    def proposals(self, answer: Designs, brief: DesignBrief) -> Iterable[Proposal]:
        known = {parent.id for parent in brief.parents}
        for design in answer.designs:
            parents = tuple(parent for parent in design.parents if parent in known)
            method = design.operation or ("sample", "mutation", "crossover")[min(len(parents), 2)]
            yield Proposal(design.architecture, method, parents, design.rationale)

    def written(self, space: SearchSpace, architecture: str) -> str:
        return in_json(space, architecture)


class LettersForm(NamedForm):
    """Whole networks as rows of letters; as ``NamedForm`` in a space without letters."""

    name = LETTERS
    _answer = _SHORT_ANSWER

    def schema(self, brief: DesignBrief, model: str) -> type[BaseModel]:
        parents = [parent.id for parent in brief.parents]
        return letters_form(brief.partition.space, brief.niche, len(brief.tasks), model, parents)

    def architecture(self, space: SearchSpace, niche: Niche, model: str) -> Any:
        return letters_architecture(space, niche, model)

    def written(self, space: SearchSpace, architecture: str) -> str:
        if not space.letters:
            return super().written(space, architecture)
        return space.in_letters(space.parse(architecture))

    def shown(self, space: SearchSpace, given: str) -> str:
        return self.written(space, given) if _is_network(space, given) else given

    def _space(self, space: SearchSpace) -> str:
        return " ".join(filter(None, (super()._space(space), legend(space))))

    def _form(self, space: SearchSpace) -> str:
        if not space.letters:
            return super()._form(space)
        example = space.in_letters(space.at(0))
        count = f"{len(space.slots)} letters" if len(space.slots) > 1 else "one letter"
        return f"as {count} separated by spaces, such as {example}"

    def _tasks(self, tasks: Sequence[Task], parents: Sequence[Parent]) -> list[str]:
        wording = {
            "sample": "new architectures of this niche",
            "mutation": "mutations (one or two changed positions) of",
            "crossover": "crossovers (each position from one of the two) of",
        }
        lines = []
        for method, words in wording.items():
            alike = [task for task in tasks if task.method == method]
            ids = "; ".join("+".join(parents[i].id for i in task.parents) for task in alike)
            if alike:
                lines.append(f"{len(alike)} {words} {ids if alike[0].parents else ''}".rstrip())
        return lines


class EditsForm(LettersForm):
    """Changes of given networks: a parent, a position and the choice that stands there then."""

    name = EDITS
    prompt = "designer_edits"

    def prepared(self, brief: DesignBrief, intake: Intake) -> DesignBrief | None:
        """With the parents of which some change leads to a new network of the niche."""
        if not brief.partition.space.is_by_choices:
            return brief
        open_ = open_edits(brief, intake)
        if not open_:
            return None
        few = brief.with_parents([p for p in brief.parents if p.id in open_])
        shared = few.shared and replace(few.shared, failed=few.shared.failed[:EDITED_FAILURES])
        return replace(few, rules=few.rules[:EDITED_RULES], open_edits=open_, shared=shared)

    def schema(self, brief: DesignBrief, model: str) -> type[BaseModel]:
        if not brief.partition.space.is_by_choices:
            return super().schema(brief, model)
        open_ = {p.id: brief.open_edits[p.id] for p in brief.parents}
        return edit_form(open_, len(brief.tasks), model)

    def architecture(self, space: SearchSpace, niche: Niche, model: str) -> Any:
        return architecture_form(space, niche, model)

    def proposals(self, answer: Any, brief: DesignBrief) -> Iterable[Proposal]:
        if not isinstance(answer, EditedDesigns):
            yield from super().proposals(answer, brief)
            return
        space, known = brief.partition.space, {p.id: p.architecture for p in brief.parents}
        for edit in answer.edits:
            text = known.get(edit.parent)
            chosen = {} if text is None else space.choices_of(space.parse(text))
            changed = {**chosen, edit.position: edit.choice}
            parents = () if text is None else (edit.parent,)
            yield Proposal(changed, "mutation", parents, f"{edit.position}: {edit.choice}")

    def written(self, space: SearchSpace, architecture: str) -> str:
        return architecture

    def shared_variables(self, shared: Shared, space: SearchSpace) -> dict[str, str]:
        """Without the networks of the program, which no change that may be chosen leads to."""
        count = len(shared.designs)
        designs = f"{count} {plural(count, 'network')}, none of which you can choose"
        return super().shared_variables(shared, space) | {"designs": designs}

    def shown(self, space: SearchSpace, given: str) -> str:
        return given

    def _space(self, space: SearchSpace) -> str:
        return described(space)

    def _parents(self, brief: DesignBrief) -> list[str]:
        """A table with the positions as its columns, since letters are a riddle to small models."""
        space = brief.partition.space
        if not space.is_by_choices:
            return super()._parents(brief)
        names = ["score", *(cost.name for cost in brief.objectives.costs)]
        rows = [" | ".join(["id", *space.slots, *names])]
        for parent in brief.parents:
            figures = (f"{value:.4g}" for value in (parent.score, *parent.costs))
            chosen = space.chosen(space.parse(parent.architecture))
            rows.append(" | ".join([parent.id, *chosen, *figures]))
        return rows


FORMS = {form.name: form for form in (NamedForm(), LettersForm(), EditsForm())}


def legend(space: SearchSpace) -> str:
    """What the letters of a space mean, '' without letters."""
    if not space.letters:
        return ""
    named = ", ".join(f"{letter} = {operation}" for operation, letter in space.letters.items())
    return f"An architecture is written as one letter for each position, in their order: {named}."


def open_edits(brief: DesignBrief, intake: Intake) -> Edits:
    """By parent and position the choices that lead to a new network of the niche.

    Of the first parents that have any; directives are asked as far as they need no measurement.
    """
    found: dict[str, dict[str, list[str]]] = {}
    for parent in brief.parents:
        places: dict[str, list[str]] = {}
        for position, choice, network in _edits(brief.partition.space, parent.architecture):
            inside = brief.partition.locate(network) == brief.niche.index
            if inside and not intake.closed(network):
                places.setdefault(position, []).append(choice)
        if places:
            found[parent.id] = places
        if len(found) == EDITED_PARENTS:
            break
    return found


def _edits(space: SearchSpace, text: str) -> Iterable[tuple[str, str, Architecture]]:
    before = space.parse(text)
    for place in space.active(before.genes):
        for gene, choice in enumerate(space.choices[place]):
            if gene != before.genes[place]:
                genes = (*before.genes[:place], gene, *before.genes[place + 1 :])
                yield space.slots[place], choice, space.canonical(genes)


def _is_network(space: SearchSpace, text: str) -> bool:
    try:
        space.parse(text)
    except ArchitectureError:
        return False
    return True
