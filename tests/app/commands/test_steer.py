"""``pelnas steer`` and ``directives``, through the real front door."""

import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import warm

from pelnas.graph.session.steering_client import SteeringClient
from pelnas.store import RunStore, find_run

COMMAND = str(Path(sys.executable).with_name("pelnas"))
Pelnas = Callable[..., Any]


@pytest.fixture
def begun(begin: Callable[..., Path]) -> Path:
    """The output folder of a run that nobody works on."""
    return begin(name="begun", rounds=3, per_niche=2).parent


def test_what_is_asked_of_a_run_at_rest_holds_when_it_goes_on(pelnas: Pelnas, begun: Path) -> None:
    asked = pelnas("steer", "begun", "/ban avg_pool_3x3", "--author", "ann", "--output", begun)
    assert asked.code == 0
    assert asked.out == (
        "d1: design nothing with avg_pool_3x3 (when the run goes on: pelnas resume)\n"
    )
    assert pelnas("resume", "begun", "--output", begun).code == 0
    listed = pelnas("directives", "begun", "--output", begun, "--json").json()
    (row,) = listed["directives"]
    assert (row["status"], row["round"], row["node"]) == ("active", 0, "plan")
    assert (row["author"], row["words"]) == ("ann", "/ban avg_pool_3x3")
    assert row["share_after"] == 1.0
    with RunStore.read(find_run(begun, "begun")) as store:
        assert not any("avg_pool" in c.architecture for c in store.candidates())
    table = pelnas("directives", "begun", "--output", begun)
    assert "design nothing with avg_pool_3x3" in table.out


def test_a_running_search_is_steered_from_another_terminal(pelnas: Pelnas, begun: Path) -> None:
    assert pelnas("steer", "begun", "/pause", "--output", begun).code == 0
    command = [COMMAND, "resume", "begun", "--output", str(begun)]
    with warm.Warm(command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True) as child:
        try:
            assert child.stderr is not None
            for line in child.stderr:
                if "paused by d1" in line:
                    break
            focus = pelnas(
                *("steer", "begun", "/focus niche 1", "--output", begun, "--wait", "60", "--json")
            ).json()
            assert focus["status"] == "active"
            assert focus["running"] is True
            assert focus["effect"] == [0, "plan"]
            assert pelnas("steer", "begun", "/resume", "--output", begun).code == 0
            _, err = child.communicate(timeout=120)
        finally:
            child.kill()
    assert child.returncode == 0
    assert "pelnas: d2 (" in err
    assert "going on" in err


@pytest.mark.parametrize(
    ("command", "sentence"),
    [
        ("ban average pooling", "/ban"),
        ("/ban conv_9x9", "nor_conv_3x3"),
        ("/limit latency<=0.0001", "ask for less"),
        ("/rule retire R1", "see `pelnas rules"),
        ("/undo d9", "pelnas directives"),
        ("/seed ; rm -rf /", "expects a cell"),
        ("/model designer $(id)", "provider:model"),
        ("/budget calls ../../etc", "NUMBER"),
    ],
)
def test_bad_directives_end_with_one_sentence(
    pelnas: Pelnas, begun: Path, command: str, sentence: str
) -> None:
    outcome = pelnas("steer", "begun", command, "--output", begun)
    assert outcome.code == 2
    assert outcome.out == ""
    assert outcome.err.count("\n") == 1
    assert sentence in outcome.err
    with SteeringClient.open(find_run(begun, "begun")) as client:
        assert client.directives() == []


def test_runs_that_cannot_be_steered(pelnas: Pelnas, begun: Path, finished: Path) -> None:
    unknown = pelnas("steer", "elsewhere", "/pause", "--output", begun)
    assert (unknown.code, unknown.err.count("\n")) == (2, 1)
    assert "elsewhere" in unknown.err
    over = pelnas("steer", "done", "/pause", "--output", finished)
    assert (over.code, over.err.count("\n")) == (2, 1)
    assert "is finished (all rounds done)" in over.err
    assert pelnas("directives", "done", "--output", finished, "--json").json()["directives"] == []


def test_an_impossible_set_names_what_stands_in_the_way(pelnas: Pelnas, begun: Path) -> None:
    assert pelnas("steer", "begun", "/ban none", "--output", begun).code == 0
    outcome = pelnas("steer", "begun", "/require none", "--output", begun)
    assert outcome.code == 2
    assert "d1 (/ban none)" in outcome.err


def test_all_commands_are_listed(pelnas: Pelnas) -> None:
    outcome = pelnas("steer", "any", "/help")
    assert outcome.code == 0
    for verb in ("/focus", "/limit", "/undo", "/rule add"):
        assert verb in outcome.out
