"""A planner with tools, over HTTP on loopback."""

import json
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import pytest
from fakes import plan

from pelnas import Search, SearchConfig
from pelnas.agents.testing.server import LoopbackServer, ToolCalls
from pelnas.calls.call import Message
from pelnas.config import Budget
from pelnas.graph.runs.replay import replay
from pelnas.recording import open_recording
from pelnas.store import RunStore

pytest.importorskip("langchain_openai", reason="the extra 'openai' is not installed")

LIMITS = (1e9, 1e-9)


def planning(messages: Sequence[Message], schema: dict[str, Any]) -> ToolCalls:
    if any(message.role == "tool" for message in messages):
        return ToolCalls([("submit", json.dumps(plan([0, 1, 2], 3, "look everywhere")))])
    asked = [(name, {}) for name in ("front", "niches", "spend")]
    asked += [
        ("what_would_a_limit_cost", {"quantity": "latency", "at_most": limit}) for limit in LIMITS
    ]
    asked += [("what_would_a_limit_cost", {"quantity": "energy", "at_most": 1})]
    return ToolCalls([(name, json.dumps(args)) for name, args in asked])


def spending(messages: Sequence[Message], schema: dict[str, Any]) -> ToolCalls:
    """Looks up what was spent before everything else."""
    answered = sum(message.role == "tool" for message in messages)
    if answered == 2:
        return ToolCalls([("submit", json.dumps(plan([0, 1, 2], 3)))])
    return ToolCalls([(("spend", "front")[answered], "{}")])


def test_a_step_that_is_done_again_asks_nothing_twice(
    toy: Callable[..., SearchConfig], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The process dies as the plan is stored; what the run had spent is what it was then."""

    def dies(*_: Any) -> None:
        raise KeyboardInterrupt

    with LoopbackServer(spending, tools="free") as server:
        config = toy(
            tmp_path, planner_model="openai:any", base_url=server.url, tool_calls=3, rounds=1,
            per_niche=3,
        )  # fmt: skip
        search = Search(config)
        folder = search.session.store.folder
        with monkeypatch.context() as patched:
            patched.setattr(RunStore, "replace_plan", dies)
            with pytest.raises(KeyboardInterrupt):
                search.run()
        Search.resume(folder, accept_address=True).run()
    assert len(server.requests) == 3


def test_what_a_planner_looks_up(toy: Callable[..., SearchConfig], tmp_path: Path) -> None:
    with LoopbackServer(planning, tools="free") as server:
        config = toy(
            tmp_path, planner_model="openai:any", base_url=server.url, tool_calls=8, rounds=2,
            per_niche=3, budget=Budget(evaluations=100),
        )  # fmt: skip
        folder = Search(config).run().folder
    with RunStore.read(folder) as store:
        last = store.calls(round_=1, agent="planner")[-1]
        answers = [json.loads(m.content)[2] for m in last.messages if m.role == "tool"]
        front, niches, spend, everything, nothing, refused = map(json.loads, answers)
        assert {entry.author for _, entry in store.plans()} == {"openai:any"}
        assert {entry.focus for _, entry in store.plans()} == {"look everywhere"}
    assert front["points"] == len(front["front"]) == everything["points"] == everything["left"]
    assert everything["hypervolume_left"] == 1
    assert everything["best_score_left"] == everything["best_score"]
    assert (nothing["left"], nothing["hypervolume_left"], nothing["best_score_left"]) == (
        0,
        0,
        None,
    )
    assert sum(row["evaluated"] for row in niches["niches"]) == 9
    assert spend["evaluations"] == {"used": 9, "limit": 100}
    assert spend["calls"]["used"] == 3  # two of the first round, and the one that asked
    assert "quantity" in refused["error"]
    with open_recording(folder) as recording:
        assert replay(recording, tmp_path / "again").same_front
