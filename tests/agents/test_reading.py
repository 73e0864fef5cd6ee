"""JSON found in what models write, and what is said where it is not."""

import json

import pytest
from hypothesis import given
from hypothesis import strategies as st
from pydantic import BaseModel, Field

from pelnas.agents.reading import read_answer, schema_text, strict_schema


class Item(BaseModel):
    name: str = Field(max_length=5)
    note: str = ""


class Items(BaseModel):
    items: list[Item]


RIGHT = Items(items=[Item(name="a"), Item(name="b", note="{x}")])
TEXT = RIGHT.model_dump_json()


@pytest.mark.parametrize(
    "text",
    [
        TEXT,
        f"\n {TEXT}\n",
        f"```json\n{TEXT}\n```",
        f"Here you are:\n```\n{TEXT}\n```\nAs {{you}} wished.",
        f"Sure: {TEXT} Is that fine?",
        f'<think>perhaps {{"items": 3}}?</think>{TEXT}',
        f"{TEXT}\n{TEXT}",
    ],
)
def test_json_is_found_alone_in_a_fence_and_in_prose(text: str) -> None:
    assert read_answer(text, Items) == (RIGHT, "")


@pytest.mark.parametrize(
    ("text", "problem"),
    [
        ("", "it is empty"),
        ('{"items": [{"name": "a"}, {"na', "the JSON ends too early: answer shorter"),
        ("{}", "items is missing"),
        ('{"items": [{}]}', "items.0.name is missing"),
        (
            '{"items": [{"name": "abcdefg"}]}',
            'items.0.name: string should have at most 5 characters, found "abcdefg"',
        ),
        ("[]", "the answer: input should be an object, found []"),
    ],
)
def test_a_problem_says_where_and_what(text: str, problem: str) -> None:
    assert read_answer(text, Items) == (None, problem)


@pytest.mark.parametrize(
    "text", ["I would rather not.", "[" * 100_000, "{" * 100_000, '{"a":' * 9999]
)
def test_what_is_no_json_is_called_so(text: str) -> None:
    answer, problem = read_answer(text, Items)
    assert answer is None
    assert problem.startswith("it is not JSON")
    assert len(problem) < 200


def test_many_problems_are_told_in_part() -> None:
    _, problem = read_answer(json.dumps({"items": [{}] * 9}), Items)
    assert problem.count("is missing") == 5
    assert problem.endswith("and 4 more")


def test_a_part_of_a_cut_off_answer_does_not_pass_for_the_whole() -> None:
    class Loose(BaseModel):
        note: str = ""

    answer, _ = read_answer('My answer: {"list": [{"note": "inner"}, {"note": "x"}, {"no', Loose)
    assert answer is None


@given(st.text())
def test_any_text_is_read_without_an_error(text: str) -> None:
    answer, problem = read_answer(text, Items)
    assert (answer is None) == bool(problem)


@given(
    st.text(alphabet=st.characters(blacklist_characters="{}[]`"), max_size=40), st.text(max_size=5)
)
def test_an_answer_in_prose_is_found(prose: str, name: str) -> None:
    wanted = Items(items=[Item(name=name)])
    answer, _ = read_answer(f"{prose} Answer {wanted.model_dump_json()} {prose}", Items)
    assert answer == wanted


def test_the_schema_is_one_line_of_json() -> None:
    text = schema_text(Items)
    assert "\n" not in text
    assert json.loads(text) == Items.model_json_schema()


def test_the_strict_schema_asks_for_every_field_and_no_other() -> None:
    class Odd(BaseModel):
        default: int = 1
        properties: list[Item] = []

    strict = strict_schema(Odd)
    assert strict["required"] == ["default", "properties"]
    assert strict["properties"]["default"] == {"title": "Default", "type": "integer"}
    item = strict["$defs"]["Item"]
    assert item["required"] == ["name", "note"]
    assert item["properties"]["name"]["maxLength"] == 5
    assert strict["additionalProperties"] is item["additionalProperties"] is False
