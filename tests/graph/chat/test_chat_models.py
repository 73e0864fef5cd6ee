"""Which models a served conversation offers: what its owner allows, and nothing else."""

import gc
from pathlib import Path
from typing import Any

import pytest
from langchain_core.messages import HumanMessage

from pelnas import SearchConfig
from pelnas.agents.models.human import HandModel
from pelnas.agents.testing.server import LoopbackServer
from pelnas.calls.call import Message
from pelnas.config import Budget
from pelnas.errors import ModelError, Stopped
from pelnas.graph.chat.chat_models import OfferedModels
from pelnas.graph.chat.graph import build_chat

pytest.importorskip("langchain_openai", reason="the extra 'openai' is not installed")


def run_of(model: str, **settings: Any) -> Any:
    return lambda: SearchConfig(model=model, **settings)


@pytest.fixture(autouse=True)
def _keys(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("OPENAI_API_KEY", "sk-none-0123456789")
    for name in ("OPENAI_BASE_URL", "OPENAI_API_BASE"):
        monkeypatch.delenv(name, raising=False)


@pytest.mark.parametrize(
    ("offered", "name", "found"),
    [
        ("", "", None),
        ("", "builtin:evolver", None),
        ("openai:a openai:b", "", "openai:a"),
        ("openai:a, openai:b", "openai:b", "openai:b"),
        ("openai:a", "builtin:evolver", None),
        ("openai:*", "", None),
        ("openai:*", "openai:any", "openai:any"),
        ("run openai:*", "", "openai:of-run"),
        ("run openai:*", "run", "openai:of-run"),
        ("run openai:a", "", None),
        ("run openai:a", "openai:a", "openai:a"),
    ],
)
def test_the_owner_offers_and_a_client_chooses(
    monkeypatch: pytest.MonkeyPatch, offered: str, name: str, found: str | None
) -> None:
    monkeypatch.setenv("PELNAS_CHAT_MODELS", offered)
    model = OfferedModels.from_environment().of(name, run_of("openai:of-run"))
    assert (model.name if model else None) == found


@pytest.mark.parametrize(
    "name",
    [
        "openai:b",
        "ollama:a",
        "local:/etc/passwd",
        "local:models/../../secret.gguf",
        "hand:/tmp/elsewhere",
        "run",
        "openai:*",
        " openai:a",
    ],
)
def test_what_is_not_offered_is_refused_before_anything_is_loaded(name: str) -> None:
    selector = OfferedModels(["openai:a", "anthropic:*", "local:models/*"])
    with pytest.raises(ModelError, match="is not offered in this conversation: name one of"):
        selector.of(name, run_of("local:/etc/passwd"))


def test_everything_offered_never_offers_files() -> None:
    selector = OfferedModels(["run", "*"])
    for name in ("local:/etc/passwd", "hand:/tmp/x"):
        with pytest.raises(ModelError, match="not offered"):
            selector.of(name, run_of("builtin:evolver"))
        with pytest.raises(ModelError, match="not offered"):
            selector.of("run", run_of(name))
        assert selector.of("", run_of(name)) is None


def test_a_file_is_offered_by_its_full_name_only(tmp_path: Path) -> None:
    file = tmp_path / "m.gguf"
    selector = OfferedModels([f"local:{file}"])
    with pytest.raises(ModelError, match=r"GGUF file|xllamacpp"):
        selector.of(f"local:{file}", run_of("builtin:evolver"))
    with pytest.raises(ModelError, match="not offered"):
        selector.of(f"local:{tmp_path}/x/../m.gguf", run_of("builtin:evolver"))


def test_an_address_comes_from_the_owner_and_never_from_a_run(
    monkeypatch: pytest.MonkeyPatch, talkative_run: Path
) -> None:
    with (
        LoopbackServer(lambda *_: "mine", tools="free") as mine,
        LoopbackServer(lambda *_: "theirs", tools="free") as theirs,
    ):
        monkeypatch.setenv("OPENAI_BASE_URL", mine.url)
        selector = OfferedModels(["run", "openai:a"])
        chosen = selector.of("", run_of("openai:a", base_url=theirs.url))
        assert chosen is not None
        chat = build_chat(talkative_run.parent, models=selector)
        asked: Any = {"messages": [HumanMessage("hello")], "run": talkative_run.name}
        config: Any = {"configurable": {"model": "openai:a", "base_url": theirs.url}}
        state = chat.invoke(asked, config)
        assert "| mine" in state["messages"][-1].text
        assert theirs.requests == []
        refused = chat.invoke(asked | {"model": "local:/etc/passwd"}, config)
    assert "is not offered in this conversation" in refused["messages"][-1].text


def test_models_are_connected_once_and_no_endless_number_is_held() -> None:
    selector = OfferedModels(["openai:*"])
    config = run_of("builtin:evolver")
    assert selector.of("openai:a", config) is selector.of("openai:a", config)
    for number in range(20):
        selector.of(f"openai:{number}", config)
    assert len(selector._connected) <= 8


def test_a_model_that_is_dropped_is_closed_once_nobody_uses_it(tmp_path: Path) -> None:
    names = [f"hand:{tmp_path}/{number}" for number in range(9)]
    selector = OfferedModels(names)
    config = run_of("builtin:evolver")
    first: Any = selector.of(names[0], config)
    inside: HandModel = first._model
    for name in names[1:]:
        selector.of(name, config)
    assert not inside._stop.is_set()
    del first
    gc.collect()
    with pytest.raises(Stopped):
        inside.ask([Message("user", "hello")], Budget)
