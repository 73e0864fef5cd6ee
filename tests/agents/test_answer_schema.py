"""The form of a designer's answer: from the space and the niche, and read in text form as well."""

import json
import re
from collections.abc import Iterator, Mapping
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from design_briefs import Book, Purse

from pelnas.agents.answer_schema import design_form, niche_in_words
from pelnas.agents.design_brief import DesignBrief, Parent
from pelnas.agents.designer import ModelDesigner
from pelnas.agents.dialogue import Dialogue
from pelnas.agents.models.base import LanguageModel
from pelnas.agents.models.connection import connect
from pelnas.agents.models.json_answer import read_answer, strict_schema
from pelnas.agents.question_forms import FORMS, NAMED
from pelnas.agents.testing.scripted import ScriptedModel
from pelnas.architecture import Refusal, Shape
from pelnas.calls.call import CallRecord, Message
from pelnas.errors import AnswerError
from pelnas.evolution import Task
from pelnas.partition import Niche, Partition, partition_by_flops, partition_by_operations
from pelnas.predicate import parse_predicate
from pelnas.prompts import load_prompt
from pelnas.spaces import SearchSpace, get_space
from pelnas.spaces.options import in_words
from pelnas.spaces.tiny import Tiny
from pelnas.validator import Intake

NB201 = get_space("nasbench201")
SUPPORTED = {
    *("type", "properties", "required", "additionalProperties", "enum", "items", "anyOf", "$ref"),
    *("$defs", "title", "minItems", "maxItems", "maxLength", "const", "description"),
}  # keywords that every provider with strict schemas takes
TEXT = "|nor_conv_3x3~0|+|none~0|skip_connect~1|+|none~0|none~1|nor_conv_1x1~2|"
CHOICES = {
    "edge0_1": "nor_conv_3x3",
    "edge0_2": "none",
    "edge1_2": "skip_connect",
    "edge0_3": "none",
    "edge1_3": "none",
    "edge2_3": "nor_conv_1x1",
}


class TextOnly(Tiny):
    """A space of somebody else's without positions that a schema could list."""

    @property
    def is_by_choices(self) -> bool:
        return False


def brief(partition: Partition, niche: int, count: int = 2) -> DesignBrief:
    home = partition.niches[niche]
    return DesignBrief(
        partition, home, 0, "toy", "toy10", "", (Task("sample"),) * count, (), (), (0,)
    )


def by_operations(space: SearchSpace) -> Partition:
    return partition_by_operations(space, Shape.square(10, 32))


def walked(node: Any) -> Iterator[Mapping[str, Any]]:
    """Every schema in a schema."""
    if isinstance(node, dict):
        yield node
        for key, value in node.items():
            for inner in value.values() if key in ("properties", "$defs") else [value]:
                yield from walked(inner)
    elif isinstance(node, list):
        for inner in node:
            yield from walked(inner)


@pytest.mark.parametrize("model", ["openai:gpt", "local:a.gguf", "ollama:qwen"])
@pytest.mark.parametrize("niche", range(6))
def test_the_schema_is_strict_small_and_of_keywords_that_all_take(model: str, niche: int) -> None:
    form = design_form(NB201, by_operations(NB201).niches[niche], 4, model)
    schema = strict_schema(form)
    for node in walked(schema):
        assert set(node) <= SUPPORTED
        if node.get("type") == "object":
            assert node["additionalProperties"] is False
            assert node["required"] == list(node["properties"])
    if model == "openai:gpt":  # whose size is paid for with every call
        assert len(json.dumps(schema)) < 2_500
        assert "anyOf" not in json.dumps(schema["$defs"]["Design"]["properties"]["architecture"])


def test_both_forms_of_an_architecture_are_read_as_the_same_design() -> None:
    partition = by_operations(NB201)
    for architecture in (TEXT, CHOICES, dict(zip(NB201.positions, CHOICES.values(), strict=True))):
        model = ScriptedModel(
            [json.dumps({"designs": [{"architecture": architecture, "operation": "sample"}]})]
        )
        intake, task = Intake(partition, partition.niches[2], (), 1), brief(partition, 2, 1)
        designer(model).design(task, intake)
        assert [design.architecture for design in intake.accepted] == [TEXT]


def designer(model: LanguageModel, book: Book | None = None) -> ModelDesigner:
    ledger = book or Book()

    def opening(agent: str, round_: int, niche: int | None) -> Dialogue:
        return Dialogue(model, ledger, Purse(), agent=agent, round=round_, niche=niche)

    return ModelDesigner(model.name, {"designer": load_prompt("designer")}, opening)


def refused(architectures: list[Any], niche: int = 2) -> tuple[list[Refusal], CallRecord]:
    """What an intake refuses of an answer, and the call in which it was given."""
    partition, book = by_operations(NB201), Book()
    designs = [{"architecture": one, "operation": "sample"} for one in architectures]
    intake = Intake(partition, partition.niches[niche], (), len(designs))
    model = ScriptedModel([json.dumps({"designs": designs})] * 2)
    with pytest.raises(AnswerError):
        designer(model, book).design(brief(partition, niche, len(designs)), intake)
    return intake.refused, book.calls["r0.designer.n2.a0"]


@pytest.mark.parametrize(
    ("architecture", "reason"),
    [
        (CHOICES | {"edge0_1": "conv_9x9"}, "edge0_1 takes one of none, .* found 'conv_9x9'"),
        (CHOICES | {"edge9_9": "none"}, "no position 'edge9_9'"),
        ({**CHOICES, "0->1": "none"}, "0->1 is given twice"),
        ({"edge0_1": "none"}, "edge0_2 takes one of .* found nothing"),
        (CHOICES | {"edge0_1": ["none"]}, "edge0_1 takes one of"),
        ({}, "edge0_1 takes one of"),
        ("|none~0|", "expects a cell like"),
    ],
)
def test_what_is_no_architecture_is_refused_and_kept_as_it_was(
    architecture: Any, reason: str
) -> None:
    refusals, _ = refused([architecture])
    assert {one.kind for one in refusals} == {"malformed"}
    shown = architecture if isinstance(architecture, str) else json.dumps(architecture)
    assert refusals[0].architecture == shown[:200]
    assert re.search(reason, refusals[0].reason)


def test_what_was_wrong_goes_back_in_one_short_line() -> None:
    outside = CHOICES | {"edge0_1": "none"}
    _, call = refused(["|none~0|", outside, "no cell", outside, "x" * 900, CHOICES, CHOICES, "|"])
    assert "\n" not in call.problem
    assert len(call.problem) < 500
    assert call.problem.startswith("designs 1, 3, 5, 8: nasbench201 expects a cell like")
    assert "designs 2, 4: not in niche 2 (exactly 1 of the 6 positions is nor_conv_3x3)" in (
        call.problem
    )
    assert "design 7: designed before" in call.problem


def test_parents_are_chosen_among_those_there_are() -> None:
    niche, fields = by_operations(NB201).niches[2], {}
    for parents in ((), ("r0n2c0", "r0n2c1")):
        form = design_form(NB201, niche, 2, "local:x", parents)
        fields[parents] = strict_schema(form)["$defs"]["Design"]["properties"]
    (none, some) = fields.values()
    assert "parents" not in none
    assert some["parents"]["items"]["enum"] == ["r0n2c0", "r0n2c1"]


def test_a_space_without_positions_is_asked_for_text() -> None:
    partition = by_operations(TextOnly())
    form = design_form(partition.space, partition.niches[0], 2, "local:x")
    architecture = strict_schema(form)["$defs"]["Design"]["properties"]["architecture"]
    assert architecture["type"] == "string"
    shown = FORMS[NAMED].variables(brief(partition, 0))
    assert shown["form"] == "in the text form above"
    assert "Text form" in shown["space"]


def test_the_prompt_speaks_in_the_positions_of_the_answer() -> None:
    partition = by_operations(NB201)
    parent = Parent("r0n2c0", TEXT, 70.0, (3.0,))
    task = replace(brief(partition, 2), parents=(parent,))
    system, user = load_prompt("designer").render(FORMS[NAMED].variables(task))
    assert json.dumps(CHOICES, separators=(",", ":")) in user
    assert "exactly 1 of the 6 positions is nor_conv_3x3" in system
    assert TEXT not in system + user
    assert "~0|" not in system


@pytest.mark.parametrize(
    ("predicate", "words"),
    [
        ("none == 0", "none of the 6 positions is none"),
        ("nor_conv_3x3 >= 2", "at least 2 of the 6 positions are nor_conv_3x3"),
        ("nor_conv_3x3 > 1 and nor_conv_3x3 < 5", "2 to 4 of the 6 positions are nor_conv_3x3"),
        ("convolutions <= 1", "0 to 1 of the 6 positions are nor_conv_1x1 or nor_conv_3x3"),
        ("none@0->3 == 1", "edge0_3 is none"),
        ("none@0->3 == 0", "edge0_3 is not none"),
        ("mflops < 3.5 and depth != 2", "depth != 2; mflops < 3.5"),
        ("any", "any choice"),
    ],
)
def test_predicates_are_told_as_counts_over_positions(predicate: str, words: str) -> None:
    assert in_words(NB201, parse_predicate(predicate)) == words


def test_niches_by_flops_leave_every_choice_open() -> None:
    partition = partition_by_flops(get_space("tiny"), 3, Shape.square(10, 32))
    niche: Niche = partition.niches[1]
    form = design_form(partition.space, niche, 2, "local:x")
    architecture = strict_schema(form)["$defs"]["Design"]["properties"]["architecture"]
    assert [len(left["enum"]) for left in architecture["properties"].values()] == [5, 5, 5]
    assert "mflops" in niche_in_words(partition.space, niche)


@pytest.mark.alone
@pytest.mark.slow
@pytest.mark.parametrize("niche", range(3))
def test_a_real_model_held_to_the_schema_makes_no_malformed_design(
    smollm2: Path, niche: int
) -> None:
    """The smallest there is; none of its designs is out of its niche either."""
    pytest.importorskip("xllamacpp", reason="the extra 'local' is not installed")
    partition = by_operations(get_space("tiny"))
    task = brief(partition, niche, 3)
    model = connect(f"local:{smollm2}")
    system, user = load_prompt("designer").render(FORMS[NAMED].variables(task))
    form = design_form(partition.space, partition.niches[niche], 3, model.name)
    reply = model.ask([Message("system", system), Message("user", user)], form)
    model.close()
    answer, problem = read_answer(reply.text, form)
    assert answer is not None, problem
    found = [partition.space.proposed(design.architecture) for design in answer.designs]
    assert 1 <= len(found) <= 3
    assert [partition.locate(each) for each in found] == [niche] * len(found)
