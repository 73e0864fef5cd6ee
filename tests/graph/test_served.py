"""The graph as LangGraph's own server serves it: a client posts settings and gets the front."""

import os
import socket
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from pelnas.agents.loopback import LoopbackServer, ToolCalls
from pelnas.store import RunStore

ROOT = Path(__file__).resolve().parents[2]


def free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


@pytest.fixture
def talking() -> Iterator[LoopbackServer]:
    """A server of a model that proposes to pause, whatever it is asked."""
    proposal = ToolCalls([("steer", '{"command": "/pause"}')])
    with LoopbackServer(lambda *_: proposal, tools="free") as model:
        yield model


@pytest.fixture
def server(tmp_path: Path, tiny_tables: Path, talking: LoopbackServer) -> Iterator[str]:
    """``langgraph dev`` on loopback, without browser, reload or any key; it offers one model."""
    pytest.importorskip("langgraph_api", reason="the extra 'serve' is not installed")
    (tmp_path / "search.toml").write_text(f'data = "{tiny_tables}"\n')
    offer = {
        "PELNAS_CHAT_MODELS": "builtin:evolver openai:toy",
        "PELNAS_SEARCH_SETTINGS": "search.toml",
        "OPENAI_BASE_URL": talking.url,
    }
    port = free_port()
    command = [
        *(sys.executable, "-m", "langgraph_cli", "dev", "--no-browser", "--no-reload"),
        *("--host", "127.0.0.1", "--port", str(port), "--config", str(ROOT / "langgraph.json")),
    ]
    log = (tmp_path / "server.log").open("w")
    process = subprocess.Popen(
        command, cwd=tmp_path, stdout=log, stderr=subprocess.STDOUT, env=os.environ | offer
    )
    try:
        wait_for(port, process)
        yield f"http://127.0.0.1:{port}"
    finally:
        process.terminate()
        process.wait(timeout=20)
        log.close()


def wait_for(port: int, process: "subprocess.Popen[bytes]") -> None:
    for _ in range(240):
        assert process.poll() is None, "the server ended early"
        with socket.socket() as probe:
            if probe.connect_ex(("127.0.0.1", port)) == 0:
                return
        time.sleep(0.25)
    raise AssertionError("the server did not answer within a minute")


def test_a_posted_run_completes_and_is_talked_about(
    server: str, tiny_tables: Path, tmp_path: Path
) -> None:
    from langgraph_sdk import get_sync_client

    settings = {
        "space": "tiny",
        "device": "toy",
        "dataset": "toy10",
        "accuracy": "table",
        "rounds": 2,
        "per_niche": 3,
    }
    with get_sync_client(url=server) as client:
        thread = client.threads.create()
        state = client.runs.wait(thread["thread_id"], "search", input={"settings": settings})
        assert state["stop"] == "all rounds done"
        assert state["front"]
        assert {"architecture", "latency_ms", "score", "niche"} <= set(state["front"][0])
        talk_about(client, state["run"], state["front"][0]["id"])
        refused(client, settings | {"model": "openai:toy"}, "is not offered to searches")
        refused(client, settings | {"data": str(tiny_tables)}, "for the owner of this server")
        begun = begin(tmp_path / "runs", settings | {"data": tiny_tables})
        steer_by_talking(client, begun)
        talk_freely(client, begun)


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


def begin(output: Path, settings: dict[str, Any]) -> Path:
    """A run that nobody works on, where the server keeps its runs."""
    from pelnas import Search, load_config

    search = Search(load_config(None, settings | {"output": output, "name": "steered"}))
    search.session.close()
    return search.session.store.folder


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


def directives(folder: Path) -> list[str]:
    with RunStore.read(folder) as store:
        return [directive.author for directive in store.directives()]
