"""``pelnas space check`` and ``pelnas new space``: a space of one's own, from nothing to a front."""

import json
import os
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

Pelnas = Callable[..., Any]

FLAWED = """
from pelnas.spaces import Tiny

class Flawed(Tiny):
    name = "flawed"

    def parameters(self, architecture, shape):
        return 1

class Stubborn(Tiny):
    def __init__(self):
        raise RuntimeError("not\\ntoday")
"""
QUICK = "rounds = 1\nper_niche = 1\n[scoring]\nreference = 8\nbatch = 4\nworkers = 1\n"


@pytest.fixture
def here(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """An empty working folder."""
    monkeypatch.chdir(tmp_path)
    return tmp_path


def test_a_space_that_keeps_everything_passes(pelnas: Pelnas) -> None:
    outcome = pelnas("space", "check", "tiny")
    assert (outcome.code, outcome.err) == (0, "")
    assert outcome.out.count("pass ") == 17
    assert "tiny: every check passed" in outcome.out


def test_what_fails_is_said_and_the_code_is_1(pelnas: Pelnas, here: Path) -> None:
    (here / "flawed_space.py").write_text(FLAWED)
    outcome = pelnas("space", "check", "flawed_space:Flawed")
    assert (outcome.code, outcome.err) == (1, "")
    assert "flawed: 1 of 17 checks failed" in outcome.out
    outcome = pelnas("space", "check", "flawed_space:Flawed", "--json")
    report = outcome.json()
    assert (outcome.code, report["space"], report["passed"]) == (1, "flawed", False)
    (failed,) = [check for check in report["checks"] if not check["passed"]]
    assert failed["check"] == "parameters"
    assert failed["problem"].endswith(", found 1: correct it")


@pytest.mark.parametrize(
    ("named", "said"),
    [
        ("nosuch", "unknown space 'nosuch': use one of nasbench201, "),
        ("nosuch_module:Space", "ModuleNotFoundError: No module named 'nosuch_module'"),
        ("flawed_space:Nothing", "AttributeError: module 'flawed_space' has no attribute"),
        ("flawed_space:Stubborn", "RuntimeError: not today"),
        ("builtins:dict", "expected a SearchSpace at 'builtins:dict', found dict: derive it"),
        (":", "expected MODULE:CLASS"),
    ],
)
def test_what_is_no_space_is_refused(pelnas: Pelnas, here: Path, named: str, said: str) -> None:
    (here / "flawed_space.py").write_text(FLAWED)
    outcome = pelnas("space", "check", named)
    assert (outcome.code, outcome.out) == (2, "")
    assert said in outcome.err
    assert len(outcome.err.splitlines()) == 1


@pytest.mark.parametrize("name", ["Mobile", "1st", "a b", "../up", "a--b", "x" * 41, "", "é"])
def test_a_bad_name_is_refused(pelnas: Pelnas, here: Path, name: str) -> None:
    outcome = pelnas("new", "space", name)
    assert (outcome.code, outcome.out) == (2, "")
    assert "expected a name of at most 40 small letters" in outcome.err
    assert list(here.iterdir()) == []


def test_a_name_or_a_folder_that_is_taken_is_refused(pelnas: Pelnas, here: Path) -> None:
    assert "found the space 'tiny': give another name" in pelnas("new", "space", "tiny").err
    (here / "mobile").mkdir()
    outcome = pelnas("new", "space", "mobile")
    assert (outcome.code, outcome.out) == (2, "")
    assert "expected a folder that does not exist yet, found mobile" in outcome.err
    assert list((here / "mobile").iterdir()) == []
    assert pelnas("new", "space", "mobile", "other").code == 0
    assert len(list((here / "other").iterdir())) == 4


@pytest.mark.slow
def test_a_new_space_is_installed_listed_checked_and_searched(here: Path) -> None:
    """As a user does it: every step a process of its own, and pip installs what was written."""
    site = here / "site"

    def run(*command: str) -> str:
        done = subprocess.run(
            [sys.executable, "-m", *command],
            env=os.environ | {"PYTHONPATH": str(site)},
            capture_output=True,
            text=True,
            check=False,
            timeout=300,
        )
        assert done.returncode == 0, done.stdout + done.stderr
        return done.stdout

    said = run("pelnas", "new", "space", "my-mobile")
    assert "search it:   pelnas search --space my-mobile" in said
    options = ["--quiet", "--no-index", "--no-deps", "--no-build-isolation", "--target"]
    run("pip", "install", *options, str(site), "./my-mobile")
    listed = {
        each["name"]: each for each in json.loads(run("pelnas", "spaces", "--json"))["spaces"]
    }
    assert (listed["my-mobile"]["size"], listed["my-mobile"]["problem"]) == (4**5 * 5**10, None)
    assert json.loads(run("pelnas", "space", "check", "my-mobile", "--json"))["passed"]
    tested = run("pytest", "-q", "-p", "no:cacheprovider", "-p", "no:langsmith_plugin", "my-mobile")
    assert "17 passed" in tested
    Path("quick.toml").write_text(QUICK)
    front = json.loads(
        run("pelnas", "search", "--space", "my-mobile", "--config", "quick.toml", "--json")
    )
    assert front["front"]
