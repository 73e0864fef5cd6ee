"""Prompts within their limit of tokens."""

from dataclasses import replace

import pytest
from design_briefs import Book, Purse, brief_of, members, partition_of
from hypothesis import given
from hypothesis import strategies as st

from pelnas.agents.design_brief import DesignBrief
from pelnas.agents.designer import ModelDesigner, _shorter
from pelnas.agents.dialogue import Dialogue
from pelnas.agents.prompt_limit import Limit, fitted
from pelnas.agents.question_forms import FORMS
from pelnas.agents.testing.scripted import ScriptedModel
from pelnas.calls import tokens
from pelnas.errors import ModelCallError, PromptLimitError
from pelnas.predicate import parse_predicate
from pelnas.prompts import load_prompt
from pelnas.rules.rule import Rule, Scope, propose, render
from pelnas.validator import Intake


def rules(count: int) -> tuple[Rule, ...]:
    scope = Scope("nasbench201", "toy", "toy10", None)
    return tuple(
        propose(
            f"Rule {i}: wide convolutions help on long paths.",
            "helps",
            "accuracy",
            parse_predicate(f"nor_conv_3x3 >= {i % 6}"),
            scope,
        )
        for i in range(count)
    )


def asked_with(limit: int) -> tuple[str, tuple[Rule, ...]]:
    """The prompt of a designer with many rules and parents, and its rules."""
    partition = partition_of("nasbench201")
    known = rules(30)
    brief = replace(brief_of(partition, 2, members(partition, 2, 30), 4), rules=known)
    model = ScriptedModel([ModelCallError("asked")])

    def opening(agent: str, round_: int, niche: int | None) -> Dialogue:
        return Dialogue(model, Book(), Purse(), agent=agent, round=round_, niche=niche)

    prompts = {"designer": load_prompt("designer")}
    designer = ModelDesigner(model.name, prompts, opening, limit=limit)
    with pytest.raises(ModelCallError) as stopped:
        designer.design(brief, Intake(partition, partition.niches[2], [], 4))
    if isinstance(stopped.value, PromptLimitError):
        raise stopped.value
    assert tokens.estimate(model.requests[0]) <= limit
    return model.requests[0][1].content, known


def test_a_long_prompt_is_cut_by_whole_rules_and_parents_the_strongest_stay() -> None:
    whole, known = asked_with(100_000)
    assert all(render(rule) in whole for rule in known)
    short, _ = asked_with(1_500)
    kept = [render(rule) in short for rule in known]
    assert 0 < sum(kept) < 30
    assert kept == sorted(kept, reverse=True)
    assert short.count("Rule ") == sum(kept)
    assert "r0n2c0  " in short


def test_what_cannot_be_short_enough_is_not_sent() -> None:
    with pytest.raises(PromptLimitError, match="at most 300 tokens"):
        asked_with(300)


def line_by_line(brief: tuple[str, ...], limit: Limit) -> tuple[str, ...] | None:
    """What ``fitted`` finds, the slow way."""
    for count in range(len(brief), -1, -1):
        if limit.holds(rendered(brief[:count])):
            return brief[:count]
    return None


def rendered(brief: tuple[str, ...]) -> tuple[str, str]:
    return "You design.", "\n".join(brief)


@given(
    lines=st.lists(st.text("abc ", max_size=40), max_size=60),
    most=st.integers(1, 600),
)
def test_the_largest_prompt_is_found_by_few_renderings(lines: list[str], most: int) -> None:
    brief, limit, seen = tuple(lines), Limit(most, "openai:any"), []

    def render(part: tuple[str, ...]) -> tuple[str, str]:
        seen.append(part)
        return rendered(part)

    expected = line_by_line(brief, limit)
    if expected is None:
        with pytest.raises(PromptLimitError):
            fitted(brief, render, lambda part: part[:-1] if part else None, limit)
    else:
        found, said = fitted(brief, render, lambda part: part[:-1] if part else None, limit)
        assert found == expected
        assert said == rendered(expected)
    assert len(seen) <= 2 + (len(brief) + 1).bit_length()


@pytest.mark.parametrize("form", FORMS)
def test_the_largest_question_to_a_designer_is_found(form: str) -> None:
    partition = partition_of("nasbench201")
    parents = members(partition, 2, 30)
    whole = replace(brief_of(partition, 2, parents, 4), rules=rules(20))
    brief = FORMS[form].prepared(whole, Intake(partition, partition.niches[2], parents, 4))
    assert brief is not None
    prompt = load_prompt(FORMS[form].prompt)

    def render(part: DesignBrief) -> tuple[str, str]:
        return prompt.render(FORMS[form].variables(part))

    briefs = [brief]
    while (less := _shorter(briefs[-1])) is not None:
        briefs.append(less)
    sizes = [Limit(None, "openai:any").size(render(part)) for part in briefs]
    for most in range(min(sizes), max(sizes) + 20, 7):
        found, _ = fitted(brief, render, _shorter, Limit(most, "openai:any"))
        assert found == next(p for p, size in zip(briefs, sizes, strict=True) if size <= most)
