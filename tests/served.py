"""LangGraph's server over the graphs, in a process of its own, and what its tests ask of it."""

import os
import socket
import subprocess
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from pelnas.store import RunStore

OPENS = "a-token-of-the-tests"
PATIENCE = 120.0  # seconds: a server under load may take its time
SETTINGS = {
    "space": "tiny",
    "device": "toy",
    "dataset": "toy10",
    "accuracy": "table",
    "rounds": 2,
    "per_niche": 3,
}
JSON = {"Content-Type": "application/json"}
KNOWN = {"Authorization": f"Bearer {OPENS}"}


def free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


@contextmanager
def running(
    command: list[str],
    folder: Path,
    variables: dict[str, str],
    begun_by: Any = subprocess.Popen,
) -> Iterator[str]:
    """The address of a server in a process of its own, on a port that is free."""
    port = free_port()
    variables = os.environ | variables | {"PELNAS_SEARCH_SETTINGS": "search.toml"}
    with (folder / "server.log").open("w") as log:
        process = begun_by(
            [*command, "--port", str(port)],
            cwd=folder, stdout=log, stderr=subprocess.STDOUT, env=variables,
        )  # fmt: skip
        try:
            wait_for(port, process)
            yield f"http://127.0.0.1:{port}"
        finally:
            process.terminate()
            process.wait(timeout=20)


def client_of(server: str) -> Any:
    from langgraph_sdk import get_sync_client

    return get_sync_client(url=server, headers={"Authorization": f"Bearer {OPENS}"})


def wait_for(port: int, process: "subprocess.Popen[bytes]") -> None:
    for _ in range(240):
        assert process.poll() is None, "the server ended early"
        with socket.socket() as probe:
            if probe.connect_ex(("127.0.0.1", port)) == 0:
                return
        time.sleep(0.25)
    raise AssertionError("the server did not answer within a minute")


def begin(output: Path, settings: dict[str, Any]) -> Path:
    """A run that nobody works on, where the server keeps its runs."""
    from pelnas import Search, load_config

    search = Search(load_config(None, settings | {"output": output, "name": "steered"}))
    search.session.close()
    return search.session.store.folder


def directives(folder: Path) -> list[str]:
    with RunStore.read(folder) as store:
        return [directive.author for directive in store.directives()]


def kinds(folder: Path) -> list[str]:
    with RunStore.read(folder) as store:
        return [event.kind for event in store.events()]
