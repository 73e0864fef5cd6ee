"""When a served run is let go, and what it then says of its search."""

from pathlib import Path
from typing import Any

import pytest
from patience import until
from served import SETTINGS, kinds

from pelnas.graph.chat.allowlist import ModelOffer
from pelnas.graph.search.graph import build_graph
from pelnas.graph.search.state import SearchInput
from pelnas.graph.serve.policy import Policy
from pelnas.graph.serve.served_runs import ServedSessions
from pelnas.store.folder import in_use

IDLE = 0.2  # seconds


@pytest.fixture
def search(tmp_path: Path, owned: Path) -> Any:
    served = ServedSessions(tmp_path / "runs", Policy(ModelOffer([]), owned), IDLE)
    return build_graph(served, given=SearchInput)


def let_go(runs: Path) -> Path:
    """The folder of the one run, once nobody holds it."""
    (folder,) = (each for each in runs.iterdir() if each.is_dir())
    until(lambda: not in_use(folder))
    return folder


@pytest.mark.parametrize("node", ["prepare", "plan", "evaluate", "learn"])
def test_a_search_that_is_cancelled_between_two_nodes_counts_as_stopped(
    search: Any, tmp_path: Path, node: str
) -> None:
    steps = search.stream({"settings": SETTINGS | {"rounds": 3}}, stream_mode="updates")
    assert any(node in update for update in steps)
    steps.close()
    assert kinds(let_go(tmp_path / "runs"))[-1] == "run-stopped"


def test_one_that_is_over_does_not(search: Any, tmp_path: Path) -> None:
    state = search.invoke({"settings": SETTINGS | {"rounds": 1}}, {"recursion_limit": 100})
    assert state["stop"] == "all rounds done"
    assert "run-stopped" not in kinds(let_go(tmp_path / "runs"))
