"""What people type, through every door: it is data, and one clear sentence where it is nothing."""

import asyncio
import io
import json
import subprocess
import sys
from collections.abc import Callable, Sequence
from contextlib import suppress
from pathlib import Path
from typing import Any

import pytest
from langchain_core.messages import HumanMessage
from langgraph.checkpoint.memory import InMemorySaver

from pelnas.agents.testing.scripted import ScriptedModel
from pelnas.app.main import run
from pelnas.graph.chat.console import Talk
from pelnas.graph.chat.graph import build_chat
from pelnas.store import RunStore
from pelnas.traces.text import visible

#: Lines in which an attempt stands where a part is expected.
LINES = (
    "{}", "/{}", "/ban {}", "/require {}@0->1", "/limit latency<={}", "/limit {}<=3", "/focus {}",
    "/seed {}", "/pin {}", "/weigh {} 2", "/rule add {} helps accuracy", "/rule retire {}",
    "/rounds {}", "/budget calls {}", "/model designer {}", "/model {} builtin:evolver", "/undo {}",
    "/why {}", "/compare {} {}", "/nearest {}", "/score {}", "/latency {}", "/within {}",
    "/niche {}", "/call {}", "/rules {}", "/use {}",
)  # fmt: skip
OUTPUT = 20_000  # characters of an answer: what was typed is cut, not echoed


@pytest.fixture
def typed(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> Callable[..., tuple[int, str, str]]:
    """A command in this process, with lines on its standard input."""

    def command(*arguments: str, lines: Sequence[str] = ()) -> tuple[int, str, str]:
        source = io.BytesIO("\n".join(lines).encode("utf-8", "surrogatepass"))
        monkeypatch.setattr(sys, "stdin", io.TextIOWrapper(source, encoding="utf-8"))
        code = run(arguments)
        captured = capsys.readouterr()
        return code, captured.out, captured.err

    return command


def lines_with(attempt: str) -> list[str]:
    one_line = attempt.replace("\n", " ").replace("\r", " ")
    return [form.replace("{}", one_line) for form in LINES]


def given(folder: Path) -> list[str]:
    with RunStore.read(folder) as store:
        return [directive.order.say() for directive in store.directives()]


def is_shown_safely(text: str) -> None:
    assert text == visible(text)
    assert len(text) < OUTPUT
    assert str(7 * 6131) not in text
    assert "Traceback" not in text


def test_the_terminal(begun: Path, guard: Any, attempt: str, typed: Any) -> None:
    """Whatever is typed is answered, and no attempt is a directive without a yes."""
    where = ("--output", str(begun.parent), "--author", "ann")
    code, out, err = typed("chat", begun.name, *where, lines=lines_with(attempt))
    assert (code, err) == (0, "")
    is_shown_safely(out)
    assert given(begun) == []


def test_one_order(begun: Path, guard: Any, attempt: str, typed: Any) -> None:
    for line in lines_with(attempt):
        code, out, err = typed("steer", begun.name, line, "--output", str(begun.parent))
        assert (code, out, err.count("\n")) == (2, "", 1), (line, out, err)
        is_shown_safely(err)
    assert given(begun) == []


def test_names(begun: Path, guard: Any, attempt: str, typed: Any) -> None:
    """No attempt names a run, a candidate or a call."""
    output = ("--output", str(begun.parent))
    for arguments in (
        ("steer", attempt, "/pause", *output),
        ("chat", attempt, *output),
        ("front", attempt, *output),
        ("explain", begun.name, attempt, *output),
        ("explain", attempt, "1", *output),
        ("trace", attempt, *output),
        ("resume", attempt, *output),
        ("replay", attempt, *output),
        ("fork", attempt, "--round", "0", *output),
        ("diff", attempt, begun.name, *output),
    ):
        code, out, err = typed(*arguments)
        assert (code, out, err.count("\n")) == (2, "", 1), (arguments[0], out, err)
        is_shown_safely(err)
    assert given(begun) == []


def test_a_served_conversation(begun: Path, guard: Any, attempt: str) -> None:
    chat = build_chat(begun.parent, InMemorySaver())
    config: Any = {"configurable": {"thread_id": "1", "author": attempt}}
    for line in lines_with(attempt):
        state = chat.invoke({"messages": [HumanMessage(line)], "run": begun.name}, config)
        assert str(7 * 6131) not in state["messages"][-1].text
    for name in ("run", "model"):
        said: Any = {"messages": [HumanMessage("/status")], name: attempt}
        assert chat.invoke(said, {"configurable": {"thread_id": name}})["messages"][-1].text
    assert given(begun) == []


def test_the_page(begun: Path, guard: Any, attempt: str) -> None:
    pytest.importorskip("starlette", reason="the extra 'ui' is not installed")
    from starlette.testclient import TestClient

    from pelnas.app.web.server import make_app

    app = make_app(begun.parent, "an-open-secret")
    browser = TestClient(app, base_url="http://127.0.0.1:8123", raise_server_exceptions=False)
    browser.headers["Authorization"] = "Bearer an-open-secret"
    address = f"/api/runs/{begun.name}/talk"

    def post(url: str, body: dict[str, Any]) -> Any:
        return browser.post(
            url, content=json.dumps(body), headers={"content-type": "application/json"}
        )

    for line in lines_with(attempt):
        answered = post(address, {"talk": "t", "line": line})
        assert answered.status_code in (200, 400, 413), (line[:80], answered.text)
        assert str(7 * 6131) not in answered.text
    for field in ("name", "space", "device", "dataset", "accuracy", "model", "rounds", attempt):
        begins = post("/api/runs", {"rounds": 0, field: attempt})
        assert begins.status_code in (400, 413), (field[:80], begins.text)
    assert given(begun) == []


def test_a_host(begun: Path, guard: Any, attempt: str) -> None:
    pytest.importorskip("mcp", reason="the extra 'mcp' is not installed")
    from mcp import Client

    from pelnas.app.mcp.searches import FIELDS, Allowed
    from pelnas.app.mcp.tools import server

    async def ask() -> None:
        allowed = Allowed.of("trust", [], None, {}, 3)
        async with Client(server(begun.parent, allowed=allowed)) as client:
            for name in FIELDS:
                settings = {"max_evaluations": 0, name: attempt}
                result = await client.call_tool("start_search", {"settings": settings})
                assert result.is_error, (name, attempt)
                assert len(result.content[0].text) < OUTPUT
            for line in lines_with(attempt):
                order = {"run": begun.name, "command": line}
                assert (await client.call_tool("steer", order)).is_error
            for tool, part in (
                ("explain", "architecture"), ("score", "architecture"), ("call", "id"),
                ("tried", "niche"), ("afford", "latency_ms"), ("status", "run"), ("front", "run"),
                ("follow_search", "run"), ("stop_search", "run"), ("start_search", "settings"),
            ):  # fmt: skip
                result = await client.call_tool(tool, {part: attempt})
                assert result.is_error, tool
                assert len(result.content[0].text) < OUTPUT

    asyncio.run(ask())
    assert given(begun) == []


def test_a_model_that_reads_free_words(begun: Path, guard: Any, attempt: str) -> None:
    """It chooses among what the words leave; whatever else it says is asked back."""
    talk = Talk(begun.parent, begun.name, "ann", ScriptedModel(lambda _messages, _schema: attempt))
    (reply,) = talk.say("concentrate on networks below 4 ms")
    assert reply.startswith("which do you mean: /limit latency<=4 (")
    for said in (attempt, f"why is r0n0c0 {attempt}", f"{attempt} below 4 ms"):
        for answer in talk.say(said):
            assert str(7 * 6131) not in answer
        if talk.waiting:
            assert talk.say("no") == ["Nothing was changed."]
    assert given(begun) == []


@pytest.mark.parametrize("folder", ["/OWNED", "../OWNED", "a/../../OWNED", "~/OWNED"])
def test_a_model_by_hand_gets_no_folder_elsewhere(begun: Path, guard: Any, folder: str) -> None:
    talk = Talk(begun.parent, begun.name, "ann")
    (reply,) = talk.say(f"/model designer hand:{folder}")
    assert "a folder below the search's own" in reply
    assert not talk.waiting


def test_the_guard_sees_what_acts(begun: Path, guard: Any) -> None:
    with suppress(FileNotFoundError):
        subprocess.run(["no-such-program-anywhere"], check=False, timeout=120)
    (begun / "inside").touch()
    (begun.parent / "outside").write_text("")
    assert len(guard.started) == 1
    assert [Path(each).name for each in guard.outside()] == ["outside"]
    guard.started.clear()
    guard.touched.clear()
