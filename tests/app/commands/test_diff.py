"""``pelnas diff``: two runs side by side in the terminal, as JSON, and as a picture."""

from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from pelnas.app.main import run

Pelnas = Callable[..., Any]


@pytest.fixture(scope="module")
def two(tmp_path_factory: pytest.TempPathFactory, table_options: list[str]) -> Path:
    """A folder of two runs, ``one`` and ``two``; to read only."""
    output = tmp_path_factory.mktemp("two") / "runs"
    more = ["--seed", "4", "--rounds", "3"]
    for name, changes in (("one", []), ("two", more)):
        command = ["search", *table_options, "--output", str(output), "--name", name, *changes]
        assert run(command) == 0
    return output


def test_two_runs_in_the_terminal(two: Path, pelnas: Pelnas) -> None:
    outcome = pelnas("diff", "one", "two", "--output", two)
    assert (outcome.code, outcome.err) == (0, "")
    assert "settings that differ: 2" in outcome.out
    assert "hypervolume, in the ranges of both" in outcome.out
    (row,) = [line.split() for line in outcome.out.splitlines() if "seed" in line]
    assert row == ["seed", "0", "4"]
    assert "before the fork" not in outcome.out
    same = pelnas("diff", "one", "one", "--output", two)
    assert "settings: no difference" in same.out


def test_as_json_and_as_a_picture(two: Path, pelnas: Pelnas, tmp_path: Path) -> None:
    file = tmp_path / "fronts.png"
    found = pelnas("diff", "one", "two", "--output", two, "--json", "--picture", file).json()
    assert found["settings"] == {"seed": [0, 4], "rounds": [2, 3]}
    assert [spend["own"]["evaluations"] for spend in found["spend"]] == [18, 27]
    assert file.read_bytes().startswith(b"\x89PNG")


def test_bad_input_is_one_sentence(two: Path, pelnas: Pelnas) -> None:
    for arguments in (("one", "three"), ("none", "two"), ("", "two")):
        outcome = pelnas("diff", *arguments, "--output", two)
        assert (outcome.code, outcome.out) == (2, "")
        assert outcome.err.count("\n") == 1
    outcome = pelnas("diff", "one", "--output", two)
    assert outcome.code == 2
    outcome = pelnas("diff", "one", "two", "--output", two, "--picture", two / "no" / "such.png")
    assert outcome.code == 2
    assert "cannot be written" in outcome.err
