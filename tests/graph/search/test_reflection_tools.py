"""Reflection agents with tools: claims tested on one half of the data, verdicts on the other."""

import json
from collections.abc import Callable, Sequence
from functools import partial
from pathlib import Path
from typing import Any

import pytest
from fakes import PARTITION, one_rule

from pelnas import Search, SearchConfig
from pelnas.agents.testing.server import LoopbackServer, ToolCalls
from pelnas.calls.call import Message
from pelnas.graph.runs.replay import replay
from pelnas.graph.search.reflection_tools import is_open
from pelnas.graph.session.evaluated import Evaluated
from pelnas.recording import open_recording
from pelnas.rules.rule import Rule, propose
from pelnas.rules.verdicts import measure_all
from pelnas.store import RunStore

pytest.importorskip("langchain_openai", reason="the extra 'openai' is not installed")

PREDICATE = "nor_conv_3x3 >= 1"


@pytest.fixture
def folder(toy: Callable[..., SearchConfig], tmp_path: Path) -> Path:
    """A run of one round, many enough designs, whose reflection agent tests one claim."""
    with LoopbackServer(trying, tools="free") as server:
        config = toy(
            tmp_path, reflection_model="openai:any", base_url=server.url, tool_calls=5, rounds=1,
            per_niche=20,
        )  # fmt: skip
        return Search(config).run().folder


def trying(messages: Sequence[Message], schema: dict[str, Any]) -> ToolCalls:
    if any(message.role == "tool" for message in messages):
        rule = one_rule(PREDICATE, "Convolve.")
        return ToolCalls([("submit", json.dumps(rule))])
    asked = {
        "test_claim": [
            {"predicate": PREDICATE, "metric": "accuracy"},
            {"predicate": "magic >= 1", "metric": "accuracy"},
            {"predicate": PREDICATE, "metric": "accuracy", "niche": 99},
        ],
        "distribution": [{"feature": "nor_conv_3x3"}],
        "similar_rules": [{"about": "convolutions"}],
    }
    return ToolCalls([(name, json.dumps(args)) for name, each in asked.items() for args in each])


def results(store: RunStore) -> list[dict[str, Any]]:
    """What the tools answered in one niche."""
    last = [call for call in store.calls(agent="reflection") if call.niche == 0][-1]
    answers = [json.loads(message.content) for message in last.messages if message.role == "tool"]
    return [json.loads(text) for _, _, text in answers]


def test_a_claim_is_measured_on_one_half_and_judged_on_the_other(folder: Path) -> None:
    with RunStore.read(folder) as store:
        tested, unknown, nowhere, spread, _ = results(store)
        (rule,) = (r for r in store.rules() if r.author == "openai:any")
        evidence = Evaluated(store, PARTITION).evidence()
        evaluations = store.evaluations()
    open_half, closed = (
        measure_all([blank(rule)], evidence.where(partial(in_half, half)))[0]
        for half in (True, False)
    )
    assert tested["effect"] == pytest.approx(open_half.measured, rel=1e-3)
    assert tested["error"] == pytest.approx(open_half.error, rel=1e-3)
    assert (rule.measured, rule.error, rule.status) == (
        closed.measured,
        closed.error,
        closed.status,
    )
    assert rule.measured != open_half.measured
    assert "magic" in unknown["error"]
    assert nowhere["error"] == "there is no niche 99: niches are 0 to 2"
    assert sum(spread["all"].values()) == len(evaluations)


def blank(rule: Rule) -> Rule:
    return propose("", rule.polarity, rule.metric, rule.predicate, rule.scope)


def in_half(half: bool, id_: str) -> bool:
    return is_open(id_) is half


def test_a_replay_tests_the_same_claims(folder: Path, tmp_path: Path) -> None:
    with open_recording(folder) as recording:
        found = replay(recording, tmp_path / "again")
    assert found.same_front
    assert found.same_rules


def test_about_half_of_the_evaluations_are_open() -> None:
    ids = [f"r{r}n{n}c{c}" for r in range(10) for n in range(6) for c in range(10)]
    assert 0.45 < sum(map(is_open, ids)) / len(ids) < 0.55
