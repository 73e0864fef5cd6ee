"""JSON found in what models write, and what is said where it is not."""

import json
import time

import pytest
from hypothesis import given
from hypothesis import strategies as st
from pydantic import BaseModel, Field

from pelnas.agents.models.json_answer import read, read_answer, schema_text, strict_schema
from pelnas.agents.models.reasoning import shortened, without_reasoning


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
    assert problem.count("is missing") == 3
    assert problem.endswith("and 6 more")


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


# -- reasoning ----------------------------------------------------------------------

DRAFT = Items(items=[Item(name="draft")]).model_dump_json()
FENCED = f"```json\n{DRAFT}\n```"


@pytest.mark.parametrize(
    "text",
    [
        "<think>\nPerhaps %s? No.\n</think>\n\n{answer}",
        "Perhaps %s? No.\n</think>\n\n{answer}",
        "<think>Perhaps %s? No.</think>\n```json\n{answer}\n```",
        "<THINKING>%s</THINKING> {answer} <think>%s would do, too</think>",
        "<think>the <think> tag: %s</think>{answer}",
        "<think>one</think> %s <think>two %s</think>{answer}",
        "[THINK]%s[/THINK]{answer}",
        "%s [/THINK]{answer}",
        "<reasoning>%s</reasoning><answer>{answer}</answer>",
        "<seed:think>%s</seed:think>{answer}",
        "◁think▷%s◁/think▷{answer}",
        "<|begin_of_thought|>%s<|end_of_thought|> <|begin_of_solution|>{answer}<|end_of_solution|>",
        "<|START_THINKING|>%s<|END_THINKING|><|START_RESPONSE|>{answer}<|END_RESPONSE|>",
        "<|channel>thought\n%s<channel|>{answer}",
        "<unused94>thought\n%s<unused95>{answer}",
        "<|channel|>analysis<|message|>%s<|end|><|start|>assistant<|channel|>final<|message|>{answer}",
        "<|channel|>analysis<|message|>%s<|end|><|start|>assistant<|channel|>final <|constrain|>json"
        "<|message|>{answer}<|return|>",
        "analysisPerhaps %s. No.assistantfinal{answer}",
        "First %s, but this is better: {answer}",
        "%s\nOn second thoughts:\n```json\n{answer}\n```\nAs {{you}} wished.",
        '%s no, {{"items": [ and so on. Then: {answer}',
    ],
)
@pytest.mark.parametrize("draft", [DRAFT, FENCED])
def test_the_last_complete_answer_after_the_reasoning_counts(text: str, draft: str) -> None:
    written = text.format(answer=TEXT).replace("%s", draft)
    assert read_answer(written, Items) == (RIGHT, "")


@pytest.mark.parametrize(
    "text",
    [
        f"<think>\nPerhaps {DRAFT}? No, for",
        f"{DRAFT}? No, for</think>",
        f"<|channel|>analysis<|message|>Perhaps {FENCED}",
        f"[THINK]{FENCED}",
    ],
)
def test_a_draft_in_reasoning_without_an_answer_is_none(text: str) -> None:
    assert read_answer(text, Items) == (None, "it ends within its reasoning")


def test_a_draft_is_not_taken_where_the_answer_after_it_is_wrong_or_cut_off() -> None:
    for last in ('{"items": [{"name": "far too long"}]}', '{"items": [{"name": "a"}, {"na'):
        answer, problem = read_answer(f"First {DRAFT}. Then {last}", Items)
        assert (answer, bool(problem)) == (None, True)


def test_what_follows_an_answer_without_a_field_of_it_is_no_answer() -> None:
    after = f'{TEXT}\n{{"confidence": 0.9}} {{x}} {schema_text(Items)}'
    assert read_answer(after, Items) == (RIGHT, "")


def test_marks_of_reasoning_inside_an_answer_are_text() -> None:
    wanted = Items(items=[Item(name="a", note="closes </think> and opens <think>")])
    for text in (wanted.model_dump_json(), f"`</think>` ends it: {wanted.model_dump_json()}"):
        assert read_answer(text, Items)[0] == wanted


def test_reasoning_is_what_a_long_text_loses_first() -> None:
    text = "<think>" + "hm " * 1000 + "</think>\n\nThe answer."
    assert shortened(text, 20) == without_reasoning(text) == "The answer."
    assert shortened("short", 20) == "short"
    assert without_reasoning("Said.<think>was it right? yes</think>") == "Said."
    assert without_reasoning(" a < b ") == "a < b"


@pytest.mark.parametrize("count", [200, 201, 5_000])
def test_an_answer_is_found_behind_any_number_of_braces(count: int) -> None:
    for brace in ("{", "{}", "{x} ", "}", '{"a": 1} ', "[{", "{'"):
        assert read_answer(f"{brace * count} {TEXT}", Items)[0] == RIGHT, brace


@pytest.mark.parametrize(
    ("piece", "length"),
    [("{", 1_000_000), ("{}", 1_000_000), ('{"items":[', 1_000_000)]
    + [
        (piece, 100_000)
        for piece in ("'", '{"', "}", "[", "<think>", '{"items": 3}', '{"a":"<think>"}')
    ],
)
def test_a_long_answer_of_anything_is_read_in_good_time(piece: str, length: int) -> None:
    began = time.perf_counter()
    read_answer(piece * (length // len(piece)), Items)
    read_answer('{"items":' + piece * (30_000 // len(piece)) + "}", Items)
    assert time.perf_counter() - began < 30


def test_strings_that_were_cut_off_are_read_in_good_time() -> None:
    """Every quote in one is escaped, and none of them ends: each was looked for to the end."""
    whole = json.dumps({"items": [{"name": '{"a":' * 20_000}]})
    began = time.perf_counter()
    assert read_answer(whole[:-40], Items)[0] is None
    assert time.perf_counter() - began < 10


# -- repair ---------------------------------------------------------------------------


@pytest.mark.parametrize(
    "text",
    [
        '{"items": [{"name": "a", "note": "",}, {"name": "b", "note": "{x}",},],}',
        "{'items': [{'name': 'a', 'note': ''}, {'name': 'b', 'note': '{x}'}]}",
        "Sure:\n```json\n{items: [{name: 'a'}, {name: 'b', note: '{x}'}]}\n```",
        json.dumps(TEXT),
        json.dumps(json.dumps(json.loads(TEXT), indent=1)),
        json.dumps(TEXT)[1:-1],
        f"[{TEXT}]",
        json.dumps({"items": json.dumps(json.loads(TEXT)["items"])}),
        '{"items": [{"name": "a"} {"name": "b", "note": "{x}"}]}',
    ],
)
def test_broken_punctuation_is_repaired_and_said_to_be(text: str) -> None:
    found = read(text, Items)
    assert (found.answer, found.problem, found.repaired) == (RIGHT, "", True)
    assert not read(TEXT, Items).repaired


class Note(BaseModel):
    word: str
    sure: bool = False
    share: float | None = 0.0


def test_words_of_python_and_line_ends_in_strings_are_repaired() -> None:
    text = "{'word': 'two\nlines', 'sure': True, 'share': None,}"
    assert read(text, Note).answer == Note(word="two\nlines", sure=True, share=None)
    escaped = '{"word": "d\\u00e9j\\u00e0 \\"vu\\"", "share": 0.50,}'
    assert read(escaped, Note).answer == Note(word='déjà "vu"', share=0.5)


@pytest.mark.parametrize(
    "text",
    [
        '{"word": "a", "word": "b",}',  # which one?
        '{"word": "cut o',
        '{"word": "cut", "sure": tr',
        "{'word': 'a', 'share': 0.5",
        '{"word": "a", "share": 0..5}',
    ],
)
def test_what_is_cut_off_or_may_mean_two_things_is_not_repaired(text: str) -> None:
    found = read(text, Note)
    assert found.answer is None
    assert found.problem


def test_what_is_repaired_still_has_to_fit() -> None:
    found = read('{"items": [{"name": "abcdefg",}]}', Items)
    assert found.answer is None
    assert found.problem.startswith("items.0.name: string should have at most 5 characters")
