"""Figures as people and programs read them."""

import itertools
import json
import math
import re
from pathlib import Path

import pytest

from pelnas.agents.testing.server import Fault, LoopbackServer
from pelnas.app.display import output
from pelnas.app.display.output import (
    counted,
    duration,
    millions,
    milliseconds,
    print_json,
    print_table,
    stand_in,
)
from pelnas.app.main import run


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


def test_only_one_place_writes_to_the_terminal() -> None:
    """So that whatever is foreign in what is written is made visible there."""
    folder = Path(output.__file__).parents[1]
    writes = re.compile(r"\bprint\(|\becho\(|\bsys\.std(?:out|err)\.write\(|\bsecho\(")
    found = {
        f"{file.name}: {line.strip()}"
        for file in folder.rglob("*.py")
        for line in file.read_text(encoding="utf-8").splitlines()
        if writes.search(line)
    }
    allowed = (
        "output.py: ",
        "main.py: typer.echo(f\"pelnas {version('pelnas')}\")",
        "chat.py: sys.stderr.write(DECIDE if waiting else PROMPT)",
        "consent_prompt.py: sys.stderr.write(ASK)",
        "svg.py: console.print(tree",  # into a text
        "trace.py: console().print(drawn)",  # of parts that are visible
        "train.py: progress.console.print(visible(",
        "progress_view.py: self._live.console.print(visible(",
    )
    assert [line for line in sorted(found) if not line.startswith(allowed)] == []


@pytest.mark.parametrize("answers", [False, True])
def test_nothing_that_a_server_says_acts_on_the_terminal(
    answers: bool, tmp_path: Path, tiny_tables: Path, capfd: pytest.CaptureFixture[str]
) -> None:
    evil = "\x1b[2J\x1b]0;owned\x07\u202e\x9b31m"
    message = {"role": "assistant", "content": evil}
    good = {"model": evil, "choices": [{"index": 0, "message": message}]}
    body = json.dumps(good if answers else {"error": {"message": evil}}).encode()
    faults = itertools.repeat(Fault(200 if answers else 400, body=body))
    with LoopbackServer(lambda *_: "", faults=faults) as server:
        model = ["--model", "openai:x", "--base-url", server.url]
        toy = ["--space", "tiny", "--device", "toy", "--dataset", "toy10", "--accuracy", "table"]
        size = ["--rounds", "1", "--per-niche", "1", "--data", str(tiny_tables)]
        runs = ["--output", str(tmp_path)]
        assert run(["search", *model, *toy, *size, *runs]) == 0
        run(["models", "check", "openai:x", "--base-url", server.url])
    for command in (
        "trace",
        "trace --failed",
        "trace --call r0.planner.a0",
        "rules --all",
        "front",
    ):
        assert run([*command.split(), *runs]) == 0
    shown = capfd.readouterr()
    assert "owned" in shown.out
    assert not set(shown.out + shown.err) & set("\x1b\x07\u202e\x9b")
