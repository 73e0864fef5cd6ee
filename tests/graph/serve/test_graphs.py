"""The graph as LangGraph's own server serves it: a client posts settings and gets the front."""

import json
import sys
import time
from pathlib import Path
from typing import Any

import httpx
import pytest
from patience import until
from served import (
    JSON,
    KNOWN,
    OPENS,
    PATIENCE,
    SETTINGS,
    begin,
    client_of,
    directives,
    kinds,
    running,
)

from pelnas.store import RunStore
from pelnas.store.folder import in_use

ROOT = Path(__file__).resolve().parents[3]


def test_a_posted_run_completes_and_is_talked_about(
    server: str, tiny_tables: Path, folder: Path
) -> None:
    settings = SETTINGS
    with client_of(server) as client:
        thread = client.threads.create()
        state = followed(client, thread["thread_id"], settings)
        assert state["stop"] == "all rounds done"
        assert state["front"]
        assert {"architecture", "latency_ms", "score", "niche"} <= set(state["front"][0])
        talk_about(client, state["run"], state["front"][0]["id"])
        refused(client, settings | {"model": "openai:toy"}, "is not offered to searches")
        refused(client, settings | {"data": str(tiny_tables)}, "for the owner of this server")
        begun = begin(folder / "runs", settings | {"data": tiny_tables})
        steer_by_talking(client, begun)
        talk_freely(client, begun)


def followed(client: Any, thread: str, settings: dict[str, Any]) -> Any:
    """Run a search whose events are streamed: all of them from its plan on, each once, in order."""
    parts = client.runs.stream(
        thread, "search", input={"settings": settings}, stream_mode=["custom", "values"]
    )
    streamed = [(part.event, part.data) for part in parts]
    events = [data for kind, data in streamed if kind == "custom"]
    order = [event["seq"] for event in events]
    assert order == sorted(set(order))
    kinds = [event["kind"] for event in events]
    assert kinds.count("round-done") == settings["rounds"]
    state = next(data for kind, data in reversed(streamed) if kind == "values")
    evaluated = [e["data"]["candidate"] for e in events if e["kind"] == "evaluated"]
    assert len(evaluated) == len(set(evaluated)) > len(state["front"])
    return state


def test_clients_are_told_what_settings_they_may_choose(server: str) -> None:
    with client_of(server) as client:
        (assistant,) = client.assistants.search(graph_id="search")
        schema = client.assistants.get_schemas(assistant["assistant_id"])["input_schema"]
    settings = schema["properties"]["settings"]
    while "$ref" in settings:
        settings = schema["$defs"][settings["$ref"].rsplit("/", 1)[1]]
    assert settings["properties"]["rounds"]["type"] == "integer"
    assert set(SETTINGS) <= set(settings["properties"])
    assert {"data", "output", "base_url"}.isdisjoint(settings["properties"])


HOSTILE: list[tuple[dict[str, str], int]] = [
    ({"Origin": "http://evil.example"}, 403),
    ({"Origin": "https://smith.langchain.com"}, 403),
    ({"Origin": "null"}, 403),
    ({"Origin": "http://127.0.0.1:1"}, 403),
    ({"Host": "evil.example"}, 421),
    ({"Host": "127.0.0.1.evil.example"}, 421),
    ({"Host": "127.0.0.1:1"}, 421),
    ({"Content-Type": "text/plain"}, 415),
    ({"Content-Type": "application/x-www-form-urlencoded"}, 415),
    ({"Content-Type": ""}, 415),
]


def hostile(server: str, known: dict[str, str]) -> dict[int, int]:
    """Ask for a search as a page in the user's browser could; the statuses and the expected."""
    body = json.dumps({"assistant_id": "search", "input": {"settings": SETTINGS}})
    found = {}
    with httpx.Client(base_url=server, timeout=30) as client:
        for place, (headers, _) in enumerate(HOSTILE):
            sent = JSON | known | headers
            found[place] = client.post("/runs/wait", content=body, headers=sent).status_code
        asked = {"Origin": "http://evil.example", "Access-Control-Request-Method": "POST"}
        preflight = client.options("/runs/wait", headers=asked)
        assert preflight.status_code == 403
        assert "access-control-allow-origin" not in preflight.headers
        for path in ("/docs", "/openapi.json", "/info", "/ok", "/threads/search"):
            foreign = client.get(path, headers=known | {"Origin": "http://evil.example"})
            assert foreign.status_code == 403
    return found


def test_a_page_in_the_browser_reaches_nothing(server: str, folder: Path) -> None:
    before = sorted((folder / "runs").glob("*"))
    assert hostile(server, KNOWN) == {n: status for n, (_, status) in enumerate(HOSTILE)}
    wrong: list[dict[str, str]] = [
        {}, {"Authorization": "Bearer wrong"}, {"Authorization": "Basic x"},
        {"X-Api-Key": ""}, {"Cookie": f"token={OPENS}"},
    ]  # fmt: skip
    for headers in wrong:
        for path in ("/threads", "/runs/wait", "/assistants/search", "/a2a/chat"):
            answered = httpx.post(f"{server}{path}", json={}, headers=headers, timeout=30)
            assert answered.status_code == 401
            assert answered.json()["error"]
        assert httpx.get(f"{server}/ok", headers=headers, timeout=30).status_code == 401
    by_key = {"X-Api-Key": OPENS}
    assert httpx.post(f"{server}/threads", json={}, headers=by_key, timeout=30).status_code == 200
    for path in ("/mcp", "/store/items"):
        assert httpx.post(f"{server}{path}", json={}, headers=KNOWN).status_code in (404, 405)
    assert sorted((folder / "runs").glob("*")) == before


def test_the_documented_langgraph_dev_is_closed_to_pages(folder: Path) -> None:
    command = [
        *(sys.executable, "-m", "langgraph_cli", "dev", "--no-browser", "--no-reload"),
        *("--host", "127.0.0.1", "--config", str(ROOT / "langgraph.json")),
    ]
    from langgraph_sdk import get_sync_client

    before = sorted((folder / "runs").glob("*"))
    with running(command, folder, {}) as address:
        assert hostile(address, {}) == {n: status for n, (_, status) in enumerate(HOSTILE)}
        assert sorted((folder / "runs").glob("*")) == before
        with get_sync_client(url=address) as client:
            known = {a["graph_id"]: a["assistant_id"] for a in client.assistants.search()}
        assert set(known) == {"search", "chat"}
        card = httpx.get(
            f"{address}/.well-known/agent-card.json", params={"assistant_id": known["chat"]}
        ).json()
        assert card["url"] == f"{address}/a2a/{known['chat']}"


def test_the_command_serves_what_the_file_does() -> None:
    from pelnas.app.commands.serve import GRAPHS, HTTP

    file = json.loads((ROOT / "langgraph.json").read_text())
    assert (file["graphs"], file["http"]) == (GRAPHS, HTTP)


def test_the_server_tells_what_its_graphs_take_and_give(server: str) -> None:
    with client_of(server) as client:
        for assistant in client.assistants.search():
            schemas = client.assistants.get_schemas(assistant["assistant_id"])
            for kind in ("input_schema", "output_schema"):
                assert schemas[kind]["properties"], f"{assistant['graph_id']} has no {kind}"


SLOW = SETTINGS | {  # scored here, network by network: a cancellation comes in the midst of a step
    "accuracy": "rank-sum", "rounds": 50, "per_niche": 40,
}  # fmt: skip


def test_a_cancelled_search_lets_its_run_go_and_goes_on_without_doing_anything_twice(
    server: str, folder: Path
) -> None:
    with client_of(server) as client:
        thread = client.threads.create()["thread_id"]
        run = client.runs.create(thread, "search", input={"settings": SLOW | {"name": "cut"}})
        found = until(lambda: find(folder / "runs", "cut", '"r0.evaluate"'), PATIENCE)
        client.runs.cancel(thread, run["run_id"], wait=True)
        until(lambda: not in_use(found), PATIENCE)
        assert kinds(found)[-1] == "run-stopped"
        again = client.runs.create(thread, "search", input=None)["run_id"]
        until(lambda: kinds(found).count("predicted") > 2, PATIENCE)
        client.runs.cancel(thread, again, wait=True)
        until(lambda: not in_use(found), PATIENCE)
    with RunStore.open(found) as store:  # nobody holds it
        scored = [e.data["candidate"] for e in store.events() if e.kind == "predicted"]
        assert len(scored) == len(set(scored)) > 2


def test_a_search_that_fails_lets_its_run_go(server: str, folder: Path) -> None:
    with client_of(server) as client:
        thread = client.threads.create()["thread_id"]
        limit: Any = {"recursion_limit": 3}
        asked = {"settings": SETTINGS | {"name": "deep"}}
        with pytest.raises(Exception, match="recursion"):
            client.runs.wait(thread, "search", input=asked, config=limit)
        found = until(lambda: find(folder / "runs", "deep", "run-started"), PATIENCE)
        until(lambda: not in_use(found), PATIENCE)
        assert client.runs.wait(thread, "search", input=None)["stop"] == "all rounds done"


def test_a_client_cannot_point_the_search_at_a_run_that_is_not_its_own(
    server: str, folder: Path, tiny_tables: Path
) -> None:
    owners = begin(folder / "runs", SETTINGS | {"data": tiny_tables, "name": "owners"})
    before = kinds(owners)
    forged = {"run": owners.name, "round": 0, "stop": ""}
    task = {"run": owners.name, "round": 0, "niche": 0, "designs": 3, "focus": ""}
    goto = {"goto": {"node": "design", "input": task}}
    with client_of(server) as client:
        for place in ("prepare", "learn"):
            thread = client.threads.create(graph_id="search")["thread_id"]
            with pytest.raises(Exception, match="not made for this thread"):
                client.threads.update_state(thread, forged, as_node=place)
            ask(server, thread, input=None)
        update: Any = {"values": forged, "as_node": "learn"}
        with pytest.raises(Exception, match="not made for this thread"):
            client.threads.create(graph_id="search", supersteps=[{"updates": [update]}])
        for smuggled in ({"update": forged}, goto, {"update": forged, **goto}):
            ask(server, client.threads.create()["thread_id"], command=smuggled)
        thread = client.threads.create()["thread_id"]
        asked = {"settings": SETTINGS | {"rounds": 1}, "run": owners.name, "round": 7}
        state = client.runs.wait(thread, "search", input=asked)
        assert state["run"] != owners.name
        copied = httpx.post(f"{server}/threads/{thread}/copy", json={}, headers=KNOWN).json()
        task["run"] = state["run"]  # of another thread is another's, too
        before_copy = kinds(folder / "runs" / state["run"])
        ask(server, copied["thread_id"], command=goto)
    assert kinds(owners) == before
    assert not in_use(owners)
    assert kinds(folder / "runs" / state["run"]) == before_copy


def ask(server: str, thread: str, **asked: Any) -> None:
    """Run the search in a thread, and wait for its end; where it begins another run, not for that."""
    with client_of(server) as client:
        run = client.runs.create(thread, "search", **asked)["run_id"]
        for _ in range(20):
            if client.runs.get(thread, run)["status"] not in ("pending", "running"):
                return
            time.sleep(0.1)
        client.runs.cancel(thread, run, wait=True)


def find(runs: Path, name: str, said: str) -> Path | None:
    """The folder of the run of this name, once its events say this."""
    for file in runs.glob(f"*-{name}/events.jsonl"):
        return file.parent if said in file.read_text() else None
    return None


def refused(client: Any, settings: dict[str, Any], why: str) -> None:
    thread = client.threads.create()["thread_id"]
    with pytest.raises(Exception, match=why):
        client.runs.wait(thread, "search", input={"settings": settings})


def talk_about(client: Any, run: str, point: str) -> None:
    """Questions to the second graph."""
    thread = client.threads.create()["thread_id"]
    asked = {"messages": [{"role": "user", "content": f"/why {point}"}], "run": run}
    state = client.runs.wait(thread, "chat", input=asked)
    assert f"{point} is on the front" in state["messages"][-1]["content"]
    asked = {"messages": [{"role": "user", "content": "make it nicer"}]}
    state = client.runs.wait(thread, "chat", input=asked)
    assert "is no command" in state["messages"][-1]["content"]


def steer_by_talking(client: Any, folder: Path) -> None:
    """An order to the second graph: an interrupt, then a yes."""
    thread = client.threads.create()["thread_id"]
    asked = {"messages": [{"role": "user", "content": "/ban none"}]}
    config = {"configurable": {"run": folder.name, "author": "ann"}}
    client.runs.wait(thread, "chat", input=asked, config=config)
    assert directives(folder) == []
    (waiting,) = client.threads.get_state(thread)["tasks"]
    assert waiting["interrupts"][0]["value"]["command"] == "/ban none"
    state = client.runs.wait(thread, "chat", command={"resume": "yes"}, config=config)
    assert state["messages"][-1]["content"].startswith("d1: design nothing with none")
    assert directives(folder) == ["ann"]


def talk_freely(client: Any, folder: Path) -> None:
    """Free words to a model that the server offers; none that it does not."""
    thread = client.threads.create()["thread_id"]
    asked = {"messages": [{"role": "user", "content": "wait, please"}], "run": folder.name}
    refused = client.runs.wait(thread, "chat", input=asked | {"model": "local:/etc/passwd"})
    assert "is not offered in this conversation" in refused["messages"][-1]["content"]
    client.runs.wait(thread, "chat", input=asked | {"model": "openai:toy"})
    (waiting,) = client.threads.get_state(thread)["tasks"]
    assert waiting["interrupts"][0]["value"]["command"] == "/pause"
    state = client.runs.wait(thread, "chat", command={"resume": "no"})
    assert state["messages"][-1]["content"] == "Nothing was changed."
    assert directives(folder) == ["ann"]
