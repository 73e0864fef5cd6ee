"""Who is asked when a model fails, and how many are asked at the same time."""

import json
import threading
import time
from collections import Counter
from collections.abc import Callable, Sequence
from functools import partial
from pathlib import Path
from typing import Any

import pytest

from pelnas import Search, SearchConfig
from pelnas.agents.design_brief import DesignBrief
from pelnas.agents.evolver import EvolvingDesigner
from pelnas.agents.testing.scripted import ScriptedModel
from pelnas.agents.testing.server import LoopbackServer
from pelnas.calls.call import Message
from pelnas.config import Budget
from pelnas.directives import SetModel, parse
from pelnas.errors import ModelCallError, ModelError
from pelnas.graph.runs.replay import replay
from pelnas.recording import open_recording
from pelnas.spaces import get_space
from pelnas.store import RunStore
from pelnas.validator import Intake

Settings = Callable[..., SearchConfig]
SPACE = get_space("tiny")


@pytest.fixture
def settings(toy: Settings, tmp_path: Path) -> Settings:
    return partial(toy, tmp_path, rounds=1, per_niche=2)


def answer(_messages: Sequence[Message], schema: dict[str, Any]) -> str:
    asked = set(schema["properties"])
    if "niches" in asked:
        shares = [{"niche": niche, "designs": 2, "focus": "be fast"} for niche in range(3)]
        return json.dumps({"niches": shares})
    if "rules" in asked:
        return json.dumps({"rules": []})
    cells = [SPACE.format(SPACE.at(index)) for index in range(2)]
    return json.dumps({"designs": [{"architecture": c, "operation": "sample"} for c in cells]})


def broken(_messages: Sequence[Message], _schema: dict[str, Any]) -> str:
    raise ModelCallError("the first one is out of order")


def test_the_next_model_of_the_chain_is_asked_where_one_fails(
    tmp_path: Path, settings: Settings
) -> None:
    first, second = ScriptedModel(broken, "a:first"), ScriptedModel(answer, "b:second")
    config = settings(model="a:first", fallbacks=("b:second",))
    folder = Search(config, {m.name: m for m in (first, second)}).run().folder
    with RunStore.read(folder) as store:
        calls = {call.id: call for call in store.calls()}
        planned = [entry.author for _, entry in store.plans()]
        replacements = [event.data["to"] for event in store.events() if event.kind == "fallback"]
        authors = {candidate.design.author for candidate in store.candidates()}
    assert (calls["r0.planner.a0"].model, calls["r0.planner.a0"].outcome) == ("a:first", "failed")
    assert (calls["r0.planner.a2"].model, calls["r0.planner.a2"].outcome) == ("b:second", "ok")
    assert "b:second" in set(planned)
    assert "b:second" in authors
    assert "b:second" in replacements
    with open_recording(folder) as recording:
        again = replay(recording, tmp_path / "again")
    assert again.same_front
    assert again.same_rules


def test_the_chain_ends_with_what_is_built_in(settings: Settings) -> None:
    models = [ScriptedModel(broken, name) for name in ("a:first", "b:second")]
    config = settings(model="a:first", fallbacks=("b:second", "a:first"))
    result = Search(config, {m.name: m for m in models}).run()
    with RunStore.read(result.folder) as store:
        authors = {candidate.design.author for candidate in store.candidates()}
        replacements = [event.data["to"] for event in store.events() if event.kind == "fallback"]
    assert result.reason == "all rounds done"
    assert authors == {"builtin:evolver"}
    assert replacements[:2] == ["b:second", "builtin:evolver"]


@pytest.mark.parametrize("fallback", ["b:second", "builtin:random"])
def test_evolution_is_asked_once_for_what_it_cannot_design(
    settings: Settings, monkeypatch: pytest.MonkeyPatch, fallback: str
) -> None:
    """No convolution is let in, so that whoever ends the chain leaves designs missing."""
    design, asked = EvolvingDesigner.design, Counter[int]()

    def counted(self: EvolvingDesigner, brief: DesignBrief, intake: Intake) -> None:
        asked[brief.niche.index] += type(self) is EvolvingDesigner
        design(self, brief, intake)

    monkeypatch.setattr(EvolvingDesigner, "design", counted)
    models = [ScriptedModel(broken, name) for name in ("a:first", "b:second")]
    config = settings(designer_model="a:first", fallbacks=(fallback,))
    search = Search(config, {m.name: m for m in models})
    order = parse("/limit latency<=1.9")
    search.session.store.append_directive(order, "person", "only what takes no time")
    result = search.run()
    with RunStore.read(result.folder) as store:
        assert [directive.status for directive in store.directives()] == ["active"]
        assert {candidate.niche for candidate in store.candidates()} == {0}
    assert (asked[1], asked[2]) == (1, 1)


def test_each_role_may_have_a_chain_of_its_own(tmp_path: Path, settings: Settings) -> None:
    models = [ScriptedModel(broken, "a:first"), ScriptedModel(answer, "b:second")]
    config = settings(
        model="a:first",
        fallbacks=("b:second",),
        planner_fallbacks=(),
        designer_fallbacks=("builtin:random", "b:second"),
    )
    folder = Search(config, {m.name: m for m in models}).run().folder
    with RunStore.read(folder) as store:
        stood_in = {(e.agent, e.data["to"]) for e in store.events() if e.kind == "fallback"}
        asked = {call.agent for call in store.calls() if call.model == "b:second"}
    assert stood_in == {
        ("planner", "builtin:evolver"),
        ("designer", "builtin:random"),
        ("reflection", "b:second"),
    }
    assert asked == {"reflection"}
    with open_recording(folder) as recording:
        assert replay(recording, tmp_path / "again").same_front


def test_a_model_given_to_a_role_while_it_runs_has_the_fallbacks_of_the_role(
    tmp_path: Path, settings: Settings
) -> None:
    """The role began without a model: its fallbacks are known all the same, to a replay as well."""
    models = [ScriptedModel(broken, "a:first"), ScriptedModel(answer, "b:second")]
    config = settings(designer_fallbacks=("b:second", "a:first"))
    search = Search(config, {m.name: m for m in models})
    search.session.store.append_directive(SetModel("designer", "a:first"), "person", "a:first")
    folder = search.run().folder
    with RunStore.read(folder) as store:
        replacements = {(e.agent, e.data["to"]) for e in store.events() if e.kind == "fallback"}
        assert {call.agent for call in store.calls()} == {"designer"}
        assert [d.status for d in store.directives()] == ["active"]
    assert ("designer", "b:second") in replacements
    with open_recording(folder) as recording:
        found = replay(recording, tmp_path / "again")
    assert (found.same_front, found.same_rules) == (True, True)


def test_a_fallback_that_cannot_be_used_is_refused_at_the_start(settings: Settings) -> None:
    model = ScriptedModel(answer, "a:first")
    config = settings(model="a:first", fallbacks=("local:no.gguf",))
    with pytest.raises(ModelError):
        Search(config, {model.name: model})
    unpriced = ScriptedModel(answer, "b:second")
    unpriced.priced = False
    config = settings(
        model="a:first",
        fallbacks=("b:second",),
        budget=Budget(dollars=1),
    )
    with pytest.raises(ModelError, match="price is known for b:second"):
        Search(config, {m.name: m for m in (model, unpriced)})


class Spans:
    """When each request for designs was being answered."""

    def __init__(self, seconds: float) -> None:
        self.seconds = seconds
        self.spans: list[tuple[float, float]] = []
        self._lock = threading.Lock()

    def answer(self, messages: Sequence[Message], schema: dict[str, Any]) -> str:
        if "designs" not in schema["properties"] or len(messages) > 2:  # one sent back is another
            return answer(messages, schema)
        began = time.monotonic()
        time.sleep(self.seconds)
        with self._lock:
            self.spans.append((began, time.monotonic()))
        return answer(messages, schema)

    def most_at_once(self) -> int:
        starts = [began for began, _ in self.spans]
        return max(sum(b <= start < e for b, e in self.spans) for start in starts)


Searched = Callable[..., Spans]


@pytest.fixture
def searched(settings: Settings) -> Searched:
    """One round of six niches against a slow server."""
    pytest.importorskip("langchain_openai", reason="the extra 'openai' is not installed")

    def run(seconds: float, **changes: Any) -> Spans:
        spans = Spans(seconds)
        with LoopbackServer(spans.answer) as server:
            six = {
                "partition": "flops",
                "niches": 8,
                "per_niche": 1,
                "base_url": server.url,
            }  # of eight, six differ
            designer = {"designer_model": "openai:slow"}
            Search(settings(**six, **designer, **changes)).run()
        return spans

    return run


@pytest.mark.parametrize("limits", [(), ["ollama=1"]])
def test_designers_of_six_niches_ask_at_the_same_time(searched: Searched, limits: Any) -> None:
    """Each call takes two seconds; all six are under way before the first has ended."""
    spans = searched(2.0, concurrency=limits).spans
    assert len(spans) == 6
    assert max(began for began, _ in spans) < min(ended for _, ended in spans)


@pytest.mark.parametrize("limits", [2, ["openai=2", "ollama=1"], ["openai=2", "1"]])
def test_a_limit_lets_so_many_through_at_a_time(searched: Searched, limits: Any) -> None:
    spans = searched(0.1, concurrency=limits)
    assert len(spans.spans) == 6
    assert spans.most_at_once() <= 2
