"""The graph as LangGraph's own server serves it: a client posts settings and gets the front."""

import socket
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[2]


def free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


@pytest.fixture
def server(tmp_path: Path) -> Iterator[str]:
    """``langgraph dev`` on loopback, without browser, reload or any key."""
    pytest.importorskip("langgraph_api", reason="the extra 'serve' is not installed")
    port = free_port()
    command = [
        *(sys.executable, "-m", "langgraph_cli", "dev", "--no-browser", "--no-reload"),
        *("--host", "127.0.0.1", "--port", str(port), "--config", str(ROOT / "langgraph.json")),
    ]
    log = (tmp_path / "server.log").open("w")
    process = subprocess.Popen(command, cwd=tmp_path, stdout=log, stderr=subprocess.STDOUT)
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


def test_a_posted_run_completes(server: str, tiny_tables: Path) -> None:
    from langgraph_sdk import get_sync_client

    settings = {
        "space": "tiny",
        "device": "toy",
        "dataset": "toy10",
        "data": str(tiny_tables),
        "accuracy": "table",
        "rounds": 2,
        "per_niche": 3,
    }
    client = get_sync_client(url=server)
    thread = client.threads.create()
    state = client.runs.wait(thread["thread_id"], "search", input={"settings": settings})
    assert state["stop"] == "all rounds done"
    assert state["front"]
    assert {"architecture", "latency_ms", "score", "niche"} <= set(state["front"][0])
