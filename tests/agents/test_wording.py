"""Prompts speak of networks and positions; what kind of network it is, the space says itself."""

import re

import pytest

from pelnas.agents import reflection
from pelnas.agents.design_brief import DesignBrief, Parent
from pelnas.agents.question_forms import FORMS
from pelnas.architecture import Candidate, Cost, Design, Evaluation, Prediction, Shape
from pelnas.evolution import Task
from pelnas.partition import Niche, Partition
from pelnas.predicate import Predicate
from pelnas.prompts import load_prompt
from pelnas.rules.evidence import Evidence
from pelnas.rules.rule import Scope
from pelnas.spaces import get_space

CELLS = re.compile(r"\b(cells?|edges?|convolutional|nor_conv\w*)\b", re.IGNORECASE)


def prompts(name: str) -> str:
    """Everything that designers and reflection agents read in a search of one niche."""
    space = get_space(name)
    niche = Niche(0, "all", Predicate())
    partition = Partition(space, (niche,), Shape())
    text = space.format(space.at(0))
    tasks = (Task("sample"), Task("mutation", (0,)), Task("crossover", (0, 0)))
    parents = (Parent("r0n0c0", text, 1.0, (2.0,)),)
    design = DesignBrief(partition, niche, 0, "d", "s", "", tasks, parents, (), (0,))
    found = Candidate("r0n0c0", 0, 0, 0, Design(text, "", "sample", rationale="why not"))
    evaluation = Evaluation(found, Prediction(1.0), Cost(2.0), 10, 20.0)
    fresh = (evaluation,)
    scope = Scope(name, "d", "s", 0)
    reflect = reflection.ReflectBrief(partition, niche, 0, scope, fresh, fresh, (), Evidence())
    rendered = (
        *(
            part
            for form in FORMS.values()
            for part in load_prompt(form.prompt).render(form.variables(design))
        ),
        *load_prompt("reflection").render(reflection.variables(reflect)),
    )
    return "\n".join(rendered)


@pytest.mark.parametrize("name", ["mnasnet", "fbnet", "autoformer"])
def test_nothing_is_said_of_cells_where_there_are_none(name: str) -> None:
    said = prompts(name)
    assert CELLS.findall(said) == []
    assert get_space(name).describe().split(".")[0] in said
    assert len(said) < 12_000 * len(FORMS)


def test_a_space_of_cells_says_so_itself() -> None:
    said = prompts("nasbench201")
    assert "A cell is a graph of 4 nodes" in said
    assert 'Example: "nor_conv_3x3 >= 2 and skip_connect@0->3 == 1".' in said
    assert "a mutation (one or two changed positions) of r0n0c0" in said
