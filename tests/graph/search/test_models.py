"""Whole searches with real models behind real protocols: a GGUF in process, and HTTP on loopback."""

import json
import random
from collections import Counter
from collections.abc import Callable, Iterator, Sequence
from functools import partial
from pathlib import Path
from typing import Any

import pytest

from pelnas import Search, SearchConfig
from pelnas.agents.models.base import RetryPolicy
from pelnas.agents.models.connection import connect
from pelnas.agents.testing.server import Fault, LoopbackServer
from pelnas.calls.call import Message
from pelnas.config import Budget
from pelnas.spaces import get_space
from pelnas.store import RunStore

Settings = Callable[..., SearchConfig]
SPACE = get_space("tiny")


@pytest.fixture
def settings(toy: Settings, tmp_path: Path) -> Settings:
    return partial(toy, tmp_path, rounds=2, per_niche=3)


def designs(messages: Sequence[Message], schema: dict[str, Any]) -> str:
    """Answers each role by what its schema asks for; random cells, so most are out of niche."""
    asked = set(schema.get("properties", {}))
    if "niches" in asked:
        return json.dumps({"niches": [{"niche": 1, "designs": 4, "focus": "gaps"}]})
    if "rules" in asked:
        return json.dumps({"rules": []})
    rng = random.Random(sum(map(len, (m.content for m in messages))))
    cells = [SPACE.format(SPACE.at(rng.randrange(SPACE.size))) for _ in range(4)]
    return json.dumps(
        {
            "designs": [
                {"architecture": cell, "operation": "sample", "parents": [], "rationale": "try it"}
                for cell in cells
            ]
        }
    )


def test_a_search_against_an_openai_compatible_server(settings: Settings) -> None:
    pytest.importorskip("langchain_openai", reason="the extra 'openai' is not installed")
    with LoopbackServer(designs) as server:
        config = settings(model="openai:any", base_url=server.url)
        result = Search(config).run()
    assert result.reason == "all rounds done"
    with RunStore.read(result.folder) as store:
        calls = store.calls()
        assert len(calls) == len(server.requests)
        assert {call.agent for call in calls} == {"planner", "designer", "reflection"}
        assert all(call.usage.tokens_in > 0 and call.usage.tokens_out > 0 for call in calls)
        assert {call.answered_by for call in calls} == {"any"}
        assert "openai:any" in {c.design.author for c in store.candidates()}
        assert len(store.evaluations()) == 2 * 3 * 3


def test_a_search_with_a_small_local_model(settings: Settings, smollm2: Path) -> None:
    config = settings(
        designer_model=f"local:{smollm2}",
        rounds=1,
        question_form="letters",
        per_niche=1,
        budget=Budget(calls=2),
    )
    result = Search(config).run()
    with RunStore.read(result.folder) as store:
        calls = store.calls()
        assert len(calls) == 2
        assert {call.model for call in calls} == {f"local:{smollm2}"}
        assert all(json.loads(call.answer)["designs"] for call in calls if call.outcome != "failed")
        assert len(store.evaluations()) == len(store.candidates()) > 0


@pytest.mark.alone
@pytest.mark.slow
def test_a_small_local_model_chooses_its_actions(settings: Settings, smollm2: Path) -> None:
    """Decoding is constrained to the schema of all actions, so that each can be read."""
    config = settings(
        designer_model=f"local:{smollm2}",
        rounds=1,
        question_form="letters",
        per_niche=1,
        tool_calls=2,
        budget=Budget(calls=6),
    )
    result = Search(config).run()
    with RunStore.read(result.folder) as store:
        calls = [call for call in store.calls() if call.outcome != "failed"]
        actions = [json.loads(call.answer) for call in calls if call.schema == "Action"]
        begun = [event for event in store.events() if event.kind == "tool-begun"]
        assert actions
        assert all(call.outcome == "ok" for call in calls if call.schema == "Action")
        called = [each for each in actions if each["action"]["tool"] != "submit"]
        assert len([event for event in begun if ".design." in event.parent]) == len(called)


def faults(seed: int, share: float) -> Iterator[Fault | None]:
    """On a seeded schedule: every way in which a provider goes wrong, for a share of requests."""
    rng = random.Random(seed)
    kinds = [
        Fault(body=b"<html>garbage</html>"),
        Fault(body=b'{"id": "chatcmpl-1", "choices": [{"mess'),
        Fault(body=b'{"choices": "of the wrong schema"}'),
        Fault(status=429),
        Fault(status=429, headers={"Retry-After": "1"}),
        Fault(status=500),
        Fault(stall=30),
        Fault(drop=True),
        Fault(body=b'{"choices": [{"message": {"content": "' + b"x" * 10_000_000 + b'"}}]}'),
    ]
    while True:
        yield rng.choice(kinds) if rng.random() < share else None


@pytest.mark.alone
@pytest.mark.slow
def test_a_provider_that_fails_in_every_way_costs_no_evaluation(settings: Settings) -> None:
    pytest.importorskip("langchain_openai", reason="the extra 'openai' is not installed")
    retry = RetryPolicy(timeout=2, attempts=3, total=8, first_wait=0.1)
    with LoopbackServer(designs, faults=faults(seed=5, share=0.3)) as server:
        name = "openai:faulty"
        model = connect(name, base_url=server.url, retry=retry)
        budget = Budget(minutes=5)
        config = settings(model=name, rounds=5, per_niche=4, budget=budget)
        result = Search(config, {name: model}).run()
    assert result.reason == "all rounds done"
    with RunStore.read(result.folder) as store:
        evaluated = Counter(e.id for e in store.evaluations())
        assert len(evaluated) == len(store.candidates()) == 5 * 3 * 4
        assert store.spent().seconds < 5 * 60
        broken = [call for call in store.calls() if call.outcome != "ok"]
        assert broken
        assert all(call.problem for call in broken)
        calls = {e.data["call"] for e in store.events() if e.kind == "call"}
        assert calls == {call.id for call in store.calls()}
