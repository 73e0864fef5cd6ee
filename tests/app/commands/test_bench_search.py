"""``pelnas bench search``: methods side by side, resumed, judged, and refused in one sentence."""

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from fakes import PoolHere

from pelnas.bench.search.results import FILE

Pelnas = Callable[..., Any]


@pytest.fixture
def command(tiny_tables: Path, tmp_path: Path) -> list[Any]:
    found = ["bench", "search", "--space", "tiny", "--data", tiny_tables, "--seeds", "1"]
    return [*found, "--evaluations", "60", "--to", tmp_path / "bench", "--jobs", "1"]


def test_methods_are_compared_and_not_run_again(
    pelnas: Pelnas, command: list[Any], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    command += ["--method", "random", "--method", "local-search"]
    outcome = pelnas(*command, "--json")
    document = outcome.json()
    assert [run["method"] for run in document["runs"]] == ["random", "local-search"]
    for run in document["runs"]:
        assert run["evaluations"] == len(set(run["tried"])) == 60
        assert 0.5 < run["curve"]["hv"][-1] <= 1
        assert run["curve"]["evaluations"][-1] == 60
    (group,) = document["groups"]
    assert {row["method"] for row in group["means"]} == {"random", "local-search"}
    assert (tmp_path / "bench" / "results.csv").read_text().count("\n") == 3

    report = (tmp_path / "bench" / "report.html").read_text()
    assert report.count("data:image/png;base64,") == 2  # light and dark
    assert "http" not in report.replace("http-equiv", "")

    kept = (tmp_path / "bench" / FILE).read_text()
    monkeypatch.setattr("pelnas.bench.search.report.draw", lambda *_: b"")  # drawn above
    again = pelnas(*command, "--markdown")
    assert (tmp_path / "bench" / FILE).read_text() == kept
    assert again.out.count("\n| local-search | 1 |") == 1


def test_a_search_that_fails_is_reported_and_the_others_go_on(
    pelnas: Pelnas, command: list[Any], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(
        "pelnas.bench.search.run.get_pool", lambda _: PoolHere()
    )  # no new processes
    outcome = pelnas(*command, "--method", "random", "--device", "toy", "--device", "nosuch")
    assert "nosuch" in outcome.err
    assert "failed" in outcome.err
    assert "nosuch" in (tmp_path / "bench" / "report.html").read_text()
    lines = (tmp_path / "bench" / FILE).read_text().splitlines()
    assert sorted(bool(json.loads(line)["error"]) for line in lines) == [False, True]
    nothing = pelnas(*command, "--method", "random", "--device", "nosuch")
    assert nothing.code == 2
    assert "all 1 searches failed" in nothing.err


@pytest.mark.parametrize(
    ("options", "said"),
    [
        (["--evaluations", "30"], "expected a budget of at least one round, 60 evaluations"),
        (["--accuracy", "luck"], "expected a source of accuracy, found 'luck'"),
        (["--method", "annealing"], "expected a method of the bench, found 'annealing'"),
        (["--json", "--markdown"], "leave one"),
    ],
)
def test_bad_input_is_one_sentence(
    pelnas: Pelnas, command: list[Any], options: list[str], said: str
) -> None:
    outcome = pelnas(*command, *options)
    assert outcome.code == 2
    assert said in outcome.err
    assert outcome.err.count("\n") == 1


def test_a_package_that_is_missing_is_one_sentence(
    pelnas: Pelnas, command: list[Any], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("pelnas.bench.search.methods.find_spec", lambda _: None)
    outcome = pelnas(*command, "--method", "tpe")
    assert outcome.code == 2
    assert "expected the package optuna for method tpe, found none" in outcome.err
