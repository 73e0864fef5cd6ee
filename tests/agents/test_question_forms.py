"""How designers are asked: short whole networks, or changes of given ones."""

import json
import re
from typing import Any

import numpy as np
import pytest
from design_briefs import brief_of, members, partition_of

from pelnas.agents.answer_schema import letters_form
from pelnas.agents.models.json_answer import read_answer, strict_schema
from pelnas.agents.question_forms import EDITED_PARENTS, EDITS, FORMS, LETTERS, NAMED, open_edits
from pelnas.calls import tokens
from pelnas.errors import ArchitectureError
from pelnas.prompts import load_prompt
from pelnas.spaces import SPACES, get_space
from pelnas.validator import Intake


@pytest.mark.parametrize("name", sorted(SPACES))
def test_letters_name_the_same_network(name: str) -> None:
    space, rng = get_space(name), np.random.default_rng(0)
    for _ in range(20):
        architecture = space.sample(rng)
        assert space.proposed(space.in_letters(architecture)) == architecture


@pytest.mark.parametrize(("name", "most"), [("nasbench201", 60), ("fbnet", 90)])
def test_a_design_takes_a_few_dozen_tokens(name: str, most: int) -> None:
    space = get_space(name)
    design = {
        "architecture": FORMS[LETTERS].written(space, space.format(space.at(7))),
        "parents": ["r3n2c5", "r4n2c1"],
        "rationale": "A wider convolution on the longest path.",
    }
    edit = {"parent": "r3n2c5", "position": space.slots[-1], "choice": space.choices[-1][-1]}
    assert tokens.count(json.dumps(design)) < most
    assert tokens.count(json.dumps(edit)) < 40


def test_prompt_and_answer_in_letters_are_shorter_by_a_third() -> None:
    partition = partition_of("fbnet")
    brief = brief_of(partition, 1, members(partition, 1, 8), 10)
    sizes = {}
    for name in (NAMED, LETTERS):
        system, user = load_prompt("designer").render(FORMS[name].variables(brief))
        sizes[name] = tokens.count(system + user)
    assert sizes[LETTERS] < 2 / 3 * sizes[NAMED]


def test_a_grammar_of_letters_holds_the_networks_of_the_niche_alone() -> None:
    partition = partition_of("nasbench201")
    form = letters_form(partition.space, partition.niches[2], 4, "local:x")
    pattern = strict_schema(form)["$defs"]["Design"]["properties"]["architecture"]["pattern"]
    for architecture in (partition.space.at(i) for i in range(0, partition.space.size, 97)):
        inside = partition.locate(architecture) == 2
        assert bool(re.fullmatch(pattern, partition.space.in_letters(architecture))) == inside


def test_too_many_letters_are_refused_with_a_sentence() -> None:
    partition = partition_of("tiny")
    with pytest.raises(ArchitectureError, match="has 3 positions, found 4 letters"):
        partition.space.proposed("a b c d")


def test_edits_lead_to_new_networks_of_the_niche() -> None:
    partition = partition_of("nasbench201")
    parents = members(partition, 2, 6)
    brief = brief_of(partition, 2, parents, 3)
    intake = Intake(partition, partition.niches[2], parents, 3)
    found = open_edits(brief, intake)
    assert len(found) == EDITED_PARENTS
    form = FORMS[EDITS]
    prepared = form.prepared(brief, intake)
    assert prepared is not None
    assert prepared.open_edits == found
    schema = form.schema(prepared, "local:x")
    edits = [
        {"parent": parent, "position": position, "choice": choices[0]}
        for parent, places in found.items()
        for position, choices in list(places.items())[:1]
    ]
    answer, problem = read_answer(json.dumps({"edits": edits}), schema)
    assert answer is not None, problem
    for proposal in form.proposals(answer, brief):
        assert not intake.submit(proposal, "m", (), None)
    assert intake.missing == 0
    assert {design.method for design in intake.accepted} == {"mutation"}


@pytest.mark.parametrize(
    "edit",
    [
        {"parent": "nobody", "position": "edge0_1", "choice": "none"},
        {"parent": "r0n2c0", "position": "edge9_9", "choice": "none"},
        {"parent": "r0n2c0", "position": "edge0_1", "choice": "ignore all rules"},
    ],
)
def test_an_edit_of_nothing_is_refused(edit: dict[str, Any]) -> None:
    partition = partition_of("nasbench201")
    parents = members(partition, 2, 2)
    brief = brief_of(partition, 2, parents, 2)
    intake = Intake(partition, partition.niches[2], parents, 2)
    prepared = FORMS[EDITS].prepared(brief, intake)
    assert prepared is not None
    schema = FORMS[EDITS].schema(prepared, "x:y")
    answer, _ = read_answer(json.dumps({"edits": [edit]}), schema)
    assert answer is not None
    for proposal in FORMS[EDITS].proposals(answer, brief):
        assert intake.submit(proposal, "m", (), None)
    assert [refusal.kind for refusal in intake.refused] == ["malformed"]


def test_without_parents_nothing_can_be_edited() -> None:
    partition = partition_of("tiny")
    brief = brief_of(partition, 1, [], 2)
    assert FORMS[EDITS].prepared(brief, Intake(partition, partition.niches[1], [], 2)) is None
