"""Every way to steer says the same where it cannot be: one clear sentence, and nothing is given."""

import asyncio
import io
import shutil
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from langchain_core.messages import HumanMessage

from pelnas import Search, SearchConfig
from pelnas.graph.chat.graph import build_chat
from pelnas.store import RunStore
from pelnas.store.folder import HOLDER

Door = Callable[[Path, str, str], str]
Pelnas = Callable[..., Any]


@pytest.fixture(scope="module")
def made(tmp_path_factory: pytest.TempPathFactory, toy: Callable[..., SearchConfig]) -> Path:
    """A folder with a run at rest, one that another computer holds, and one that is finished."""
    place = tmp_path_factory.mktemp("doors")

    def search(name: str) -> Search:
        return Search(toy(place, rounds=1, per_niche=2, name=name))

    output = search("done").run().folder.parent
    for name in ("rest", "away"):
        search(name).session.close()
    for folder in list(output.iterdir()):
        folder.rename(output / folder.name.rpartition("-")[2])
    (output / "away" / HOLDER).write_text("another-computer")
    return output


@pytest.fixture
def output(made: Path, tmp_path: Path) -> Path:
    return shutil.copytree(made, tmp_path / "runs")


@pytest.fixture
def doors(pelnas: Pelnas, monkeypatch: pytest.MonkeyPatch) -> dict[str, Door]:
    """Each gives an order to a run, with a yes where one is asked for, and tells what is said."""

    def steer(output: Path, run: str, order: str) -> str:
        outcome = pelnas("steer", run, order, "--output", output)
        assert (outcome.code, outcome.out) == (2, "")
        return str(outcome.err).removeprefix("pelnas: ")

    def chat(output: Path, run: str, order: str) -> str:
        monkeypatch.setattr(sys, "stdin", io.StringIO(f"{order}\nyes\n/quit\n"))
        outcome = pelnas("chat", run, "--output", output)
        return str(
            outcome.err.removeprefix("pelnas: ") if outcome.code else outcome.out.splitlines()[0]
        )

    return {"steer": steer, "chat": chat, "served": served, "page": page, "host": host}


def served(output: Path, run: str, order: str) -> str:
    asked: Any = {"messages": [HumanMessage(order)], "run": run}
    state = build_chat(output).invoke(asked)
    assert "__interrupt__" not in state
    return str(state["messages"][-1].text)


def page(output: Path, run: str, order: str) -> str:
    pytest.importorskip("starlette", reason="the extra 'ui' is not installed")
    from starlette.testclient import TestClient

    from pelnas.app.web.server import make_app

    app = make_app(output, "an-open-secret")
    with TestClient(app, base_url="http://127.0.0.1:8123") as browser:
        browser.headers["Authorization"] = "Bearer an-open-secret"
        answered = browser.post(f"/api/runs/{run}/talk", json={"talk": "t", "line": order}).json()
    if "error" in answered:
        return str(answered["error"])
    assert not answered["waiting"]
    return str(answered["says"][0])


def host(output: Path, run: str, order: str) -> str:
    pytest.importorskip("mcp", reason="the extra 'mcp' is not installed")
    from mcp import Client

    from pelnas.app.mcp.tools import server

    async def ask() -> str:
        async with Client(server(output)) as client:
            asked = {"run": run, "command": order}
            result = await client.call_tool("steer", asked)
            assert result.is_error
            return str(result.content[0].text)

    return asyncio.run(ask())


@pytest.mark.parametrize(
    ("run", "order", "sentence"),
    [
        ("away", "/pause", "another-computer"),
        ("done", "/pause", "is finished (all rounds done)"),
        ("nowhere", "/pause", "there is no run 'nowhere'"),
        ("rest", "/ban conv_9x9", "nor_conv_3x3"),
        ("rest", "/limit latency<=fast", "/limit latency<=5"),
        ("rest", "/limit latency<=0.0001", "ask for less"),
        ("rest", "/focus niche 9", "niche"),
        ("rest", "/undo d9", "d9"),
        ("rest", "/rounds 0", "rounds"),
        ("rest", "/explode", "/explode"),
    ],
)
@pytest.mark.parametrize("door", ["steer", "chat", "served", "page", "host"])
def test_what_cannot_be_is_one_clear_sentence(
    doors: dict[str, Door], output: Path, door: str, run: str, order: str, sentence: str
) -> None:
    said = doors[door](output, run, order).strip()
    assert sentence in said
    assert "\n" not in said
    assert len(said) < 400
    assert "Traceback" not in said
    for folder in output.iterdir():
        with RunStore.read(folder) as store:
            assert store.directives() == []
