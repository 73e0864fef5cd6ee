"""Threads of the served graphs in a real Postgres: they outlive the server that wrote them."""

import asyncio
import os
import pwd
import shutil
import socket
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from pelnas.architecture import Cost
from pelnas.errors import ConfigError
from pelnas.graph.serve.checkpointer import POSTGRES, address, check, postgres

OPENS = "a-token-of-the-tests"


def free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


@pytest.fixture(scope="module")
def database(tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    """The address of a server of our own on loopback."""
    installed = [str(path) for path in Path("/usr/lib/postgresql").glob("*/bin")]  # by Debian
    path = os.pathsep.join([os.environ["PATH"], *installed])
    programs = {name: shutil.which(name, path=path) for name in ("initdb", "pg_ctl")}
    if None in programs.values():
        pytest.skip("there is no Postgres server on the PATH")
    folder = Path(tempfile.mkdtemp())  # short enough for a socket's name
    as_user: dict[str, Any] = {}
    if os.geteuid() == 0:  # which Postgres refuses to run as
        names = {entry.pw_name for entry in pwd.getpwall()}
        as_user = {"user": "postgres" if "postgres" in names else "nobody"}
        shutil.chown(folder, as_user["user"])
    port = free_port()

    def run(name: str, *options: str) -> None:
        subprocess.run(
            [str(programs[name]), *options],
            check=True, cwd=folder, timeout=60, stdout=subprocess.DEVNULL, **as_user,
        )  # fmt: skip

    options = f"-p {port} -c listen_addresses=127.0.0.1 -c unix_socket_directories={folder}"
    options += " -c fsync=off"
    data = str(folder / "data")
    try:
        run("initdb", "-D", data, "-U", "tester", "-A", "trust", "--no-sync")
        run("pg_ctl", "-D", data, "-o", options, "-l", str(folder / "log"), "-w", "start")
        try:
            yield f"postgresql://tester@127.0.0.1:{port}/postgres"
        finally:
            run("pg_ctl", "-D", data, "-m", "immediate", "stop")
    finally:
        shutil.rmtree(folder, ignore_errors=True)


class Served:
    """``pelnas serve`` in a process of its own, with its threads in a database."""

    def __init__(self, folder: Path, database: str) -> None:
        from langgraph_sdk import get_sync_client

        port = free_port()
        variables = {
            POSTGRES: database,
            "PELNAS_SERVE_TOKEN": OPENS,
            "PELNAS_CHAT_MODELS": "builtin:evolver",
        }
        with (folder / "server.log").open("a") as log:
            self._process = subprocess.Popen(
                [sys.executable, "-m", "pelnas", "serve", "--output", "runs", "--port", str(port)],
                cwd=folder, stdout=log, stderr=subprocess.STDOUT, env=os.environ | variables,
            )  # fmt: skip
        self.client = get_sync_client(
            url=f"http://127.0.0.1:{port}", headers={"Authorization": f"Bearer {OPENS}"}
        )
        for _ in range(240):
            assert self._process.poll() is None, (folder / "server.log").read_text()
            with socket.socket() as probe:
                if probe.connect_ex(("127.0.0.1", port)) == 0:
                    return
            time.sleep(0.25)
        raise AssertionError("the server did not answer within a minute")

    def __enter__(self) -> "Served":
        return self

    def __exit__(self, *_: object) -> None:
        self._process.terminate()
        self._process.wait(timeout=30)


def test_a_conversation_goes_on_after_the_server_was_replaced(
    database: str, tmp_path: Path
) -> None:
    thread = "6f1f4b7e-2a4e-4b60-9a7e-0123456789ab"
    question = {"messages": [{"role": "user", "content": "what is on the front?"}]}
    with Served(tmp_path, database) as first:
        first.client.threads.create(thread_id=thread)
        answered = first.client.runs.wait(thread, "chat", input=question)
    with Served(tmp_path, database) as second:
        second.client.threads.create(thread_id=thread, if_exists="do_nothing")
        more = second.client.runs.wait(thread, "chat", input=question)
    before, after = answered["messages"], more["messages"]
    assert [m["content"] for m in after[: len(before)]] == [m["content"] for m in before]
    assert len(after) == 2 * len(before)


def test_what_is_read_back_is_plain(database: str, monkeypatch: pytest.MonkeyPatch) -> None:
    """A value of another class than LangChain's comes back as no object of that class."""
    monkeypatch.setenv(POSTGRES, database)

    async def there_and_back(value: Any) -> Any:
        config: Any = {"configurable": {"thread_id": "t", "checkpoint_ns": ""}}
        async with postgres() as saver:
            checkpoint: Any = {
                "v": 4, "id": "1ef4f797-8335-6428-8001-8a1503f9b875", "ts": "2026-01-01T00:00:00Z",
                "channel_values": {"x": value}, "channel_versions": {"x": "1"}, "versions_seen": {},
            }  # fmt: skip
            await saver.aput(config, checkpoint, {}, {"x": "1"})
            found = await saver.aget_tuple(config)
            assert found is not None
            return found.checkpoint["channel_values"]["x"]

    assert asyncio.run(there_and_back({"plain": [1, "two"]})) == {"plain": [1, "two"]}
    assert not isinstance(asyncio.run(there_and_back(Cost(1.0))), Cost)


@pytest.mark.parametrize(
    "named", ["postgresql://me:secret@127.0.0.1:{port}/db", "nonsense://secret"]
)
def test_an_address_that_does_not_answer_is_said_without_its_password(
    monkeypatch: pytest.MonkeyPatch, named: str
) -> None:
    monkeypatch.setenv(POSTGRES, named.format(port=free_port()))
    with pytest.raises(ConfigError, match=r"write postgresql://USER") as refused:
        asyncio.run(check())
    assert "secret" not in str(refused.value)


def test_without_an_address_threads_stay_in_memory(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv(POSTGRES, raising=False)
    assert address() is None
    asyncio.run(check())
    monkeypatch.setenv(POSTGRES, "postgresql:///x")
    monkeypatch.setattr("pelnas.graph.serve.checkpointer.find_spec", lambda _: None)
    with pytest.raises(ConfigError, match=r"\[postgres\]"):
        address()
