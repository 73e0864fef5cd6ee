"""``pelnas fork``: settings by name, what is told of it, and bad input in one sentence."""

from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from typer.main import get_command

from pelnas.app.display.progress import Progress
from pelnas.app.main import app
from pelnas.app.options import OPTIONS
from pelnas.config import SearchConfig
from pelnas.store import RunStore, list_runs

Pelnas = Callable[..., Any]


@pytest.fixture
def first(tmp_path: Path, pelnas: Pelnas, table_options: list[str]) -> Path:
    """A folder of one run, ``first``, of three rounds."""
    output = tmp_path / "runs"
    command = ("search", *table_options, "--output", output, "--name", "first", "--rounds", 3)
    assert pelnas(*command).code == 0
    return output


def test_a_fork_from_the_terminal(first: Path, pelnas: Pelnas) -> None:
    options = ("--round", 1, "--set", "per_niche=5", "--set", "scoring.batch=16", "--rounds", 4)
    outcome = pelnas("fork", "first", *options, "--output", first)
    assert outcome.code == 0
    line, *_ = outcome.err.splitlines()
    assert "forked from" in line
    assert line.endswith("first after round 1, with rounds 4, per_niche 5, scoring.batch 16")
    assert "ended: all rounds done" in outcome.out
    assert "30 evaluated" in outcome.err.splitlines()[-1]  # two rounds of its own
    newest, oldest = list_runs(first)
    assert newest.name.endswith("first-fork")
    table = pelnas("runs", "--output", first).out
    assert f"{oldest.name} after round 1, with" in table
    listed = pelnas("runs", "--output", first, "--json").json()["runs"]
    assert [run["origin"] and run["origin"]["round"] for run in listed] == [1, None]
    tree = pelnas("trace", "last", "--output", first).out
    assert f"run-forked: {oldest.name} after round 1" in tree
    assert "broken off" not in tree
    assert "forked from" in (newest.folder / "report.html").read_text().lower()
    found = pelnas("diff", "first", "last", "--output", first)
    assert "before the fork" in found.out


def test_a_fork_that_is_only_made(first: Path, pelnas: Pelnas) -> None:
    options = ("--no-start", "--name", "later", "--rounds", 4, "--json", "--output", first)
    made = pelnas("fork", "first", *options).json()
    assert made["run"].endswith("-later")
    assert made["origin"]["settings"] == {"rounds": [3, 4]}
    done = pelnas("resume", "later", "--output", first, "--json").json()
    assert done["reason"] == "all rounds done"
    assert done["spent"]["evaluations"] == 9
    assert done["origin"]["spent"]["evaluations"] == 27


@pytest.mark.parametrize(
    ("arguments", "complaint"),
    [
        (("nobody",), "there is no run 'nobody'"),
        (("first", "--round", 9), "there is no complete round 9"),
        (("first", "--round", 1, "--set", "speed"), "expected KEY=VALUE after --set"),
        (("first", "--round", 1, "--set", "=4"), "expected KEY=VALUE after --set"),
        (("first", "--round", 1, "--set", "speed=4"), "unknown setting 'speed'"),
        (("first", "--round", 1, "--set", "rounds=0"), "setting 'rounds'"),
        (("first", "--round", 1, "--set", "space=nasbench201"), "keeps the niches of its run"),
        (("first", "--round", 1, "--device", "moon"), "moon"),
        (("first", "--round", "x"), "--round"),
        (("first",), "nothing left to do after round 2"),
    ],
)
def test_bad_input_is_one_sentence_and_makes_no_run(
    first: Path, pelnas: Pelnas, arguments: tuple[object, ...], complaint: str
) -> None:
    outcome = pelnas("fork", *arguments, "--output", first)
    assert (outcome.code, outcome.out) == (2, "")
    assert complaint in outcome.err
    assert outcome.err.count("\n") == 1
    assert len(list_runs(first)) == 1


def test_progress_counts_what_the_fork_does_itself(first: Path, pelnas: Pelnas) -> None:
    assert pelnas("fork", "first", "--round", 0, "--output", first).code == 0
    (run, _) = list_runs(first)
    progress = Progress(SearchConfig(rounds=3))
    with RunStore.read(run.folder) as store:
        for event in store.events():
            progress.update(event)
        assert progress.evaluations == store.spent().evaluations == 18
        everything = [(e.latency_ms, e.score) for e in store.evaluations()]
    assert set(progress.front()) <= set(everything)
    assert progress.round == 2


def test_help_says_that_settings_are_those_of_the_run() -> None:
    group: Any = get_command(app)
    asked = {parameter.name: parameter.help for parameter in group.commands["fork"].params}
    settings = OPTIONS.keys() - {"name", "output"}
    helps = [asked[name] for name in asked if name in settings]
    assert len(helps) == 12
    assert all(help_.count("Default:") == 1 for help_ in helps)
    assert all(help_.endswith(". Default: as in RUN.") for help_ in helps)
