"""Designers with tools, over HTTP on loopback and by choosing one action at a time."""

import json
import random
from collections import Counter
from collections.abc import Callable, Sequence
from functools import partial
from itertools import count
from pathlib import Path
from typing import Any

import pytest
from fakes import members_asked_for, proposed

from pelnas import Search, SearchConfig
from pelnas.agents.models.base import RetryPolicy
from pelnas.agents.models.connection import connect
from pelnas.agents.testing.scripted import ScriptedModel
from pelnas.agents.testing.server import Fault, LoopbackServer, ToolCalls
from pelnas.calls.call import TOOL_CALLS, Message
from pelnas.config import Budget
from pelnas.graph.runs.replay import replay
from pelnas.recording import open_recording
from pelnas.store import RunStore

pytest.importorskip("langchain_openai", reason="the extra 'openai' is not installed")

Settings = Callable[..., SearchConfig]
Says = str | ToolCalls


@pytest.fixture
def settings(toy: Settings, tmp_path: Path) -> Settings:
    return partial(toy, tmp_path, rounds=2, per_niche=4)


def calling(name: str, **arguments: Any) -> tuple[str, str]:
    return name, json.dumps(arguments)


def drafting(messages: Sequence[Message], schema: dict[str, Any]) -> Says:
    """Scores two drafts at once, asks about the first, and submits what is left."""
    if schema:
        return json.dumps({"niches": []} if "niches" in schema["properties"] else {"rules": []})
    answered = [m for m in messages if m.role == "tool"]
    drafts = members_asked_for(messages, 8)
    if not answered:
        scored = [calling("score_architecture", architecture=cell) for cell in drafts[:2]]
        return ToolCalls([*scored, calling("lookup_latency", architecture=drafts[2])])
    if len(answered) == 3:
        known = json.loads(answered[0].content)["id"]
        return ToolCalls(
            [
                calling("what_if", architecture=known),
                calling("neighbours_on_front", architecture=known),
                calling("rules_about", about="convolutions"),
            ]
        )
    return ToolCalls([("submit", json.dumps(proposed(drafts[2:])))])


def searched(config: SearchConfig, answer: Callable[..., Says]) -> tuple[Path, LoopbackServer]:
    with LoopbackServer(answer, tools="free") as server:
        wanted = config.model_copy(update={"base_url": server.url})
        return Search(wanted).run().folder, server


def test_drafts_are_evaluated_once_and_are_designs_of_their_niche(settings: Settings) -> None:
    folder, _ = searched(settings(designer_model="openai:any", tool_calls=8), drafting)
    with RunStore.read(folder) as store:
        drafts = [c for c in store.candidates() if c.design.method == "draft"]
        assert drafts
        assert {c.design.author for c in drafts} == {"openai:any"}
        assert {store.call(str(c.design.call)).schema for c in drafts} == {TOOL_CALLS}  # type: ignore[union-attr]
        assert store.ignored() == 0
        assert len(store.evaluations()) == 2 * 4 * 3
        begun = Counter(e.data["tool"] for e in store.events() if e.kind == "tool-begun")
    assert begun["what_if"] == begun["neighbours_on_front"] == begun["rules_about"] > 0
    assert len(drafts) <= begun["score_architecture"] - 2  # two are the steps of evaluation


def test_what_nobody_evaluated_is_predicted_with_its_gain(settings: Settings) -> None:
    told: list[dict[str, Any]] = []

    def asking(messages: Sequence[Message], schema: dict[str, Any]) -> Says:
        answered = [json.loads(m.content) for m in messages if m.role == "tool"]
        if schema or answered:
            told.extend(answered)
            return drafting(messages, schema)
        drafts = members_asked_for(messages, 6)
        return ToolCalls([calling("what_if", architecture=draft) for draft in drafts])

    searched(settings(designer_model="openai:any", tool_calls=6, rounds=4), asking)
    gains = [each["expected_gain"] for each in told if each.get("is") == "predicted"]
    assert min(gains) >= 0
    assert max(gains) > 0
    assert not any("expected_gain" in each for each in told if each.get("is") == "evaluated")


@pytest.mark.parametrize("share", [1.0, "auto"])
def test_a_replay_takes_the_same_way_through_the_tools(
    settings: Settings, tmp_path: Path, share: float | str
) -> None:
    config = settings(designer_model="openai:any", tool_calls=6, designer_share=share, rounds=3)
    folder, _ = searched(config, drafting)
    with open_recording(folder) as recording:
        found = replay(recording, tmp_path / "again")
    assert found.same_front
    assert found.same_rules
    with RunStore.read(folder) as one, RunStore.read(found.result.folder) as other:
        first, second = ({c.id: (c.request, c.answer) for c in s.calls()} for s in (one, other))
        assert first == second
        assert one.candidates() == other.candidates()


@pytest.mark.parametrize("share", [1.0, 0.75])
def test_a_step_that_is_done_again_asks_and_evaluates_nothing_twice(
    settings: Settings, monkeypatch: pytest.MonkeyPatch, share: float
) -> None:
    """The process dies as the third niche's designs are stored: all its calls are recorded."""
    config = settings(designer_model="openai:any", tool_calls=6, rounds=1, designer_share=share)
    undisturbed, server = searched(config, drafting)
    written = RunStore.replace_avoided

    def dies(store: RunStore, round_: int, niche: int, avoided: Any) -> None:
        if niche == 2:
            raise KeyboardInterrupt
        written(store, round_, niche, avoided)

    with LoopbackServer(drafting, tools="free") as again:
        wanted = config.model_copy(update={"base_url": again.url, "name": "killed"})
        search = Search(wanted)
        folder = search.session.store.folder
        with monkeypatch.context() as patched:
            patched.setattr(RunStore, "replace_avoided", dies)
            with pytest.raises(KeyboardInterrupt):
                search.run()
        scored = {}
        with RunStore.read(folder) as store:
            scored = store.predictions()
            assert store.designed()[1] > 0
        Search.resume(folder, accept_address=True).run()
    assert len(again.requests) == len(server.requests)
    with RunStore.read(folder) as store, RunStore.read(undisturbed) as other:
        assert store.ignored() == 0
        assert scored.items() <= store.predictions().items()
        assert store.candidates() == other.candidates()
        assert store.evaluations() == other.evaluations()


def test_the_builtin_designer_scores_drafts_by_the_same_tools(
    settings: Settings, tmp_path: Path
) -> None:
    config = settings(tool_calls=2, rounds=4, surrogate="always")
    folder = Search(config).run().folder
    with RunStore.read(folder) as store:
        drafts = [c for c in store.candidates() if c.design.method == "draft"]
        assert {(c.design.author, c.design.call) for c in drafts} == {("builtin:evolver", None)}
        assert {c.round for c in drafts} == {2, 3}  # once the surrogate can be asked
        assert max(Counter((c.round, c.niche) for c in drafts).values()) <= 2
        begun = [e for e in store.events() if e.kind == "tool-begun" and ".design.n" in e.span]
        assert len(begun) == len(drafts)
        assert store.ignored() == 0
        assert len(store.evaluations()) == 4 * 4 * 3
    with open_recording(folder) as recording:
        assert replay(recording, tmp_path / "again").same_front


def test_where_a_model_fails_the_builtin_designer_takes_its_tools_over(settings: Settings) -> None:
    config = settings(designer_model="openai:any", tool_calls=3, rounds=4, surrogate="always")
    with LoopbackServer(lambda *_: "no", tools="free", faults=[Fault(status=401)] * 99) as server:
        folder = Search(config.model_copy(update={"base_url": server.url})).run().folder
    with RunStore.read(folder) as store:
        assert {c.design.author for c in store.candidates()} == {"builtin:evolver"}
        assert any(c.design.method == "draft" for c in store.candidates())


def hostile(messages: Sequence[Message], schema: dict[str, Any]) -> Says:
    """Never answers: invented names, arguments of a megabyte, no JSON, and tools without end."""
    if schema:
        return drafting(messages, schema)
    turn = sum(m.role == "assistant" for m in messages)
    wrong = [
        ("rm_rf", "{}"),
        ("score_architecture", json.dumps({"architecture": "x" * 1_000_000})),
        ("score_architecture", "not json"),
        ("what_if", json.dumps({"architecture": 7, "system": "obey me"})),
        ("score_architecture", json.dumps({"architecture": members_asked_for(messages, 1)[0]})),
    ]
    return ToolCalls([wrong[turn % len(wrong)]] * (1 + 40 * (turn == 3)))


def test_a_model_that_calls_tools_without_end_costs_its_allowance(settings: Settings) -> None:
    config = settings(designer_model="openai:any", tool_calls=5, rounds=1)
    folder, server = searched(config, hostile)
    with RunStore.read(folder) as store:
        assert len(store.evaluations()) == 4 * 3  # evolution fills what the model does not bring
        assert store.reason == "all rounds done"
        begun = Counter(e.parent for e in store.events() if e.kind == "tool-begun")
        refused = sum(e.kind == "tool-refused" for e in store.events())
        assert {n for span, n in begun.items() if ".design." in span} == {5}
        assert refused >= 3 * 4
        assert all(len(c.answer) < 100_000 for c in store.calls())
    designing = [body for body in server.requests if body.get("tools")]
    assert len(designing) <= 3 * (5 + 4)


def choosing(messages: Sequence[Message], schema: dict[str, Any]) -> str:
    """The same draft, one action at a time, by a model that calls no tools."""
    if "niches" in schema["properties"] or "rules" in schema["properties"]:
        return json.dumps({"niches": []} if "niches" in schema["properties"] else {"rules": []})
    drafts, turn = members_asked_for(messages, 8), sum(m.role == "assistant" for m in messages)
    if "action" not in schema["properties"]:
        return json.dumps(proposed(drafts[2:]))
    if turn < 2:
        action = {"tool": "score_architecture", "arguments": {"architecture": drafts[turn]}}
    elif turn == 2:
        action = {"tool": "dig", "arguments": {}}
    else:
        action = {"tool": "submit", "arguments": proposed(drafts[2:])}
    return json.dumps({"action": action})


@pytest.mark.parametrize("calls", [2, 6])
def test_a_model_without_tools_chooses_one_action_at_a_time(
    settings: Settings, tmp_path: Path, calls: int
) -> None:
    model = ScriptedModel(choosing)
    config = settings(designer_model=model.name, tool_calls=calls)
    folder = Search(config, {model.name: model}).run().folder
    with RunStore.read(folder) as store:
        methods = Counter(c.design.method for c in store.candidates() if c.design.call)
        assert methods["draft"] == 2 * 2 * 3
        assert methods["sample"] == 2 * 2 * 3
    with open_recording(folder) as recording:
        assert replay(recording, tmp_path / "again").same_front


def test_a_server_that_refuses_tools_gets_the_actions_as_a_schema(settings: Settings) -> None:
    with LoopbackServer(choosing, tools="refused") as server:
        config = settings(designer_model="openai:any", tool_calls=6, rounds=1, base_url=server.url)
        folder = Search(config).run().folder
    with RunStore.read(folder) as store:
        methods = Counter(c.design.method for c in store.candidates() if c.design.call)
        outcomes = Counter((c.schema, c.outcome) for c in store.calls() if c.agent == "designer")
    assert methods["draft"] == 2 * 3
    assert outcomes[TOOL_CALLS, "failed"] == 3


def test_a_budget_of_evaluations_counts_drafts(settings: Settings) -> None:
    budget = Budget(evaluations=7)
    folder, _ = searched(
        settings(designer_model="openai:any", tool_calls=6, budget=budget), drafting
    )
    with RunStore.read(folder) as store:
        assert len(store.evaluations()) == len(store.candidates()) == 7


@pytest.mark.alone
@pytest.mark.slow
@pytest.mark.parametrize("share", [1.0, "auto"])
def test_tool_loops_outlive_a_provider_that_fails_in_three_of_ten(
    settings: Settings, tmp_path: Path, share: float | str
) -> None:
    """What is evaluated is what was planned, each once; the replay fails where the provider failed."""
    rng = random.Random(3)
    kinds = [Fault(body=b"<html>garbage</html>"), Fault(status=429), Fault(500), Fault(drop=True)]
    faults = (rng.choice(kinds) if rng.random() < 0.3 else None for _ in count())
    retry = RetryPolicy(timeout=2, attempts=3, total=8, first_wait=0.05)
    with LoopbackServer(drafting, tools="free", faults=faults) as server:
        model = connect("openai:any", base_url=server.url, retry=retry)
        config = settings(designer_model=model.name, tool_calls=6, designer_share=share, rounds=4)
        folder = Search(config, {model.name: model}).run().folder
    with RunStore.read(folder) as store:
        assert store.reason == "all rounds done"
        assert len(store.evaluations()) == len(store.candidates()) == 4 * 3 * 4
        assert store.ignored() == 0
        assert {c.design.method for c in store.candidates()} >= {"draft"}
    with open_recording(folder) as recording:
        again = replay(recording, tmp_path / "again")
    assert (again.same_front, again.same_rules) == (True, True)
