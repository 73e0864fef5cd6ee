"""What a client of a served search may choose: no file, no address, no model that is not offered."""

from pathlib import Path
from typing import Any

import pytest
from langchain_core.messages import HumanMessage
from langgraph.checkpoint.memory import InMemorySaver

from pelnas import Search, SearchConfig
from pelnas.agents.testing.server import LoopbackServer
from pelnas.errors import ConfigError, InputError, ModelError, RunError
from pelnas.graph.chat.allowlist import ModelOffer
from pelnas.graph.chat.graph import build_chat
from pelnas.graph.search.graph import build_graph
from pelnas.graph.search.state import SearchInput
from pelnas.graph.serve.policy import OPEN, Policy
from pelnas.graph.serve.served_runs import ServedSessions
from pelnas.graph.session.open_runs import Sessions

TOY = {"space": "tiny", "device": "toy", "dataset": "toy10", "accuracy": "table", "per_niche": 2}


def post(runs: Path, policy: Policy, settings: Any) -> Any:
    graph = build_graph(ServedSessions(runs, policy), given=SearchInput)
    return graph.invoke({"settings": settings}, {"recursion_limit": 100})


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("output", "elsewhere"),
        ("data", "/etc"),
        ("images", "/etc/passwd"),
        ("labels", ["/etc/passwd"]),
        ("prompts", "/etc"),
        ("base_url", "http://127.0.0.1:1/v1"),
        ("concurrency", "openai=900"),
        ("scoring", {"workers": 900}),
        ("measurement", {"threads": 900}),
    ],
)
def test_files_addresses_and_the_machine_are_the_owners(
    tmp_path: Path, owned: Path, name: str, value: Any
) -> None:
    policy = Policy(ModelOffer(["*"]), owned)
    with pytest.raises(ValueError, match=f"^setting '{name}' is for the owner of this server"):
        post(tmp_path / "runs", policy, TOY | {name: value})
    assert not (tmp_path / "runs").exists()


def test_a_setting_that_takes_a_path_is_never_open_by_oversight() -> None:
    paths = {name for name, field in SearchConfig.model_fields.items() if "Path" in str(field)}
    assert paths & set(OPEN) == {"rules_from"}  # which is held to names of served runs


@pytest.mark.parametrize("name", ["/etc", "../elsewhere", ".", ".."])
def test_rules_come_from_served_runs_only(tmp_path: Path, owned: Path, name: str) -> None:
    with pytest.raises(RunError, match=r"^there is no run"):
        Policy(ModelOffer([]), owned).settings(TOY | {"rules_from": [name]}, tmp_path / "runs")


@pytest.mark.parametrize("model", ["local:/etc/passwd", "hand:/tmp/x", "openai:b", "ollama:a"])
@pytest.mark.parametrize(
    "setting", ["model", "designer_model", "fallbacks", "planner_fallbacks", "reflection_model"]
)
def test_a_model_that_is_not_offered_is_refused_wherever_it_is_named(
    tmp_path: Path, owned: Path, setting: str, model: str
) -> None:
    policy = Policy(ModelOffer(["openai:a", "anthropic:*", "local:*"]), owned)
    value = [model] if setting.endswith("fallbacks") else model
    with pytest.raises(ModelError, match="is not offered to searches on this server: name one of"):
        policy.settings(TOY | {setting: value}, tmp_path)


@pytest.mark.parametrize(
    "model",
    ["builtin:evolver", "builtin:random", "openai:a", "anthropic:any", "openai:of-owner"],
)
def test_what_is_offered_or_the_owners_own_or_built_in_is_taken(
    tmp_path: Path, owned: Path, model: str
) -> None:
    policy = Policy(ModelOffer(["openai:a", "anthropic:*"]), owned)
    config = policy.settings(TOY | {"model": model}, tmp_path)
    assert (config.model, config.fallbacks) == (model, ("openai:of-owner",))
    assert config.budget.calls == 20


def test_a_client_may_spend_less_and_never_more_than_the_owner_allows(
    tmp_path: Path, owned: Path
) -> None:
    policy = Policy(ModelOffer([]), owned)
    less = {"calls": 5, "minutes": 1}
    assert policy.settings(TOY | {"budget": less}, tmp_path).budget.model_dump() == {
        **less, "tokens": None, "dollars": None, "evaluations": None,
    }  # fmt: skip
    assert policy.settings(TOY | {"budget": {"calls": None}}, tmp_path).budget.calls == 20
    with pytest.raises(ConfigError, match=r"at most 20 calls, .* found 21: ask for less"):
        policy.settings(TOY | {"budget": {"calls": 21}}, tmp_path)


@pytest.mark.parametrize("posted", [["model"], "model", 3])
def test_settings_that_are_none_are_refused_in_one_sentence(tmp_path: Path, posted: Any) -> None:
    with pytest.raises(ConfigError, match=r"^expected settings by name"):
        Policy(ModelOffer([])).settings(posted, tmp_path)


def test_a_client_can_neither_name_a_run_to_go_on_with_nor_a_round(
    tmp_path: Path, owned: Path
) -> None:
    runs = tmp_path / "runs"
    begun = Search(SearchConfig.model_validate(TOY | {"output": runs, "data": _data(owned)}))
    begun.session.close()
    graph = build_graph(ServedSessions(runs, Policy(ModelOffer([]), owned)), given=SearchInput)
    posted: Any = {"settings": TOY | {"rounds": 1}, "run": begun.folder.name, "round": 7}
    state = graph.invoke(posted)
    assert (state["run"] != begun.folder.name, state["round"]) == (True, 1)


def test_a_run_whose_models_are_not_offered_is_not_opened_for_a_client(
    tmp_path: Path, owned: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    pytest.importorskip("langchain_openai", reason="the extra 'openai' is not installed")
    monkeypatch.setenv("OPENAI_API_KEY", "sk-none-0123456789")
    with LoopbackServer(lambda *_: "{}") as server:
        config = TOY | {"model": "openai:mine", "base_url": server.url, "data": _data(owned)}
        search = Search(SearchConfig.model_validate(config | {"output": tmp_path}))
        search.session.close()
        with pytest.raises(ModelError, match="'openai:mine' is not offered"):
            ServedSessions(tmp_path, Policy(ModelOffer([]), owned)).get(search.folder.name)
        assert server.requests == []
    for name in ("..", ".", "/etc", f"../{tmp_path.name}/{search.folder.name}"):
        with pytest.raises(InputError, match="there is no run"):
            Sessions(tmp_path).get(name)


@pytest.mark.parametrize(
    ("order", "said"),
    [
        ("/model designer local:/etc/passwd", "is not offered to searches on this server"),
        ("/budget calls 21", "at most 20 calls"),
        ("/budget calls none", "found no limit"),
    ],
)
def test_a_served_conversation_cannot_give_what_a_client_may_not_choose(
    tmp_path: Path, owned: Path, order: str, said: str
) -> None:
    config = TOY | {"data": _data(owned), "output": tmp_path / "runs"}
    search = Search(SearchConfig.model_validate(config))
    search.session.close()
    policy = Policy(ModelOffer([]), owned)
    chat = build_chat(tmp_path / "runs", InMemorySaver(), permit=policy.permit)
    thread: Any = {"configurable": {"thread_id": "t"}}
    asked: Any = {"messages": [HumanMessage(order)], "run": search.folder.name}
    state = chat.invoke(asked, thread)
    assert said in state["messages"][-1].text
    assert "__interrupt__" not in state
    smuggled = {"run": search.folder.name, "command": order, "question": "", "words": ""}
    chat.update_state(thread, {"pending": smuggled, "decision": "yes"}, as_node="confirm")
    assert said in chat.invoke(None, thread)["messages"][-1].text
    allowed = chat.invoke(asked | {"messages": [HumanMessage("/budget calls 5")]}, thread)
    assert "__interrupt__" in allowed


def test_the_served_graphs_tell_what_they_take_and_give(tmp_path: Path) -> None:
    """On every Python: forms and SDKs are made of it."""
    search = build_graph(ServedSessions(tmp_path, Policy(ModelOffer([]))), given=SearchInput)
    chat = build_chat(tmp_path)
    properties = [
        sorted(schema["properties"])
        for graph in (search, chat)
        for schema in (graph.get_input_jsonschema(), graph.get_output_jsonschema())
    ]
    assert properties[0] == ["settings"]
    assert {"front", "run", "stop"} <= set(properties[1])
    assert {"messages", "run"} <= set(properties[2]) & set(properties[3])


def test_settings_of_an_owner_that_cannot_be_read_are_told_at_the_start(tmp_path: Path) -> None:
    with pytest.raises(ConfigError, match="expected a TOML file of settings"):
        Policy(ModelOffer([]), tmp_path / "none.toml")


def _data(owned: Path) -> str:
    return owned.read_text().split('"')[1]
