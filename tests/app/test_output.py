"""Figures as people and programs read them."""

import json
import math

import pytest

from pelnas.app.output import (
    counted,
    duration,
    millions,
    milliseconds,
    print_json,
    print_table,
    stand_in,
)


@pytest.mark.parametrize(
    ("seconds", "text"), [(0, "0:00"), (245.4, "4:05"), (59.6, "1:00"), (3845, "1:04:05")]
)
def test_durations(seconds: float, text: str) -> None:
    assert duration(seconds) == text


def test_one_of_a_thing_is_no_plural() -> None:
    assert [counted(number, "rule") for number in (0, 1, 2000)] == [
        "0 rules",
        "1 rule",
        "2,000 rules",
    ]


@pytest.mark.parametrize(
    ("model", "text"),
    [
        (None, "the built-in designer"),
        ("builtin:random", "the built-in designer"),
        ("openai:x", "openai:x"),
    ],
)
def test_who_stands_in(model: str | None, text: str) -> None:
    assert stand_in(model, "designer") == text


def test_figures_with_units() -> None:
    assert millions(1_073_466) == "1.07"
    assert milliseconds(5.8074) == "5.807"
    assert milliseconds(None) == milliseconds(math.inf) == "cannot run"


def test_what_json_does_not_have_becomes_null(capsys: pytest.CaptureFixture[str]) -> None:
    print_json({"a": [1.5, math.inf, (math.nan,)], "b": {"c": -math.inf}, "d": "é"})
    assert json.loads(capsys.readouterr().out) == {
        "a": [1.5, None, [None]],
        "b": {"c": None},
        "d": "é",
    }


def test_texts_of_others_are_no_markup(capsys: pytest.CaptureFixture[str]) -> None:
    print_table("runs [bold]", ("name", "number"), [("[red]x[/red]", "1")], right=("number",))
    out = capsys.readouterr().out
    assert "runs [bold]" in out
    assert "[red]x[/red]" in out
