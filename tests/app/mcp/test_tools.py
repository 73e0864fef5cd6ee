"""``pelnas mcp`` with the official client, over standard input and output and over HTTP."""

from collections.abc import Callable
from pathlib import Path
from typing import Any

import httpx
import pytest
import warm
from mcp_talks import COMMAND, both, hold, http, talk_by_stdio

from pelnas.directives import parse
from pelnas.report import front_points
from pelnas.spaces import get_space
from pelnas.store import RunStore

pytest.importorskip("mcp", reason="the extra 'mcp' is not installed")
TINY = get_space("tiny")
Talk = Callable[..., None]
Command = Callable[..., Any]


@pytest.fixture
def begun(begin: Callable[..., Path]) -> Path:
    return begin(name="begun")


@both
def test_questions_are_marked_as_such_and_answered(talkative_run: Path, talk: Talk) -> None:
    with RunStore.read(talkative_run) as store:
        best = front_points(store)[-1]
        call = store.calls()[0]
        tried = {candidate.architecture for candidate in store.candidates()}

    async def ask(client: Any) -> None:
        tools = {tool.name: tool for tool in (await client.list_tools()).tools}
        reading = {name for name, tool in tools.items() if tool.annotations.read_only_hint}
        assert set(tools) - reading == {"steer"}
        assert {"estimate_search", "follow_search"} <= reading
        assert {"status", "front", "explain", "compare", "afford", "tried", "rules"} <= reading
        assert {"score", "latency", "directives", "call"} <= reading
        assert "run" in tools["steer"].input_schema["required"]
        result = await client.call_tool("explain", {"architecture": best.id})
        assert result.structured_content["on_front"] is True
        front = await client.call_tool("front", {})
        assert front.structured_content["result"][-1]["id"] == best.id
        answered = await client.call_tool("call", {"id": call.id})
        assert answered.structured_content["answer"] == call.answer
        fresh = next(i for i in range(125) if TINY.format(TINY.at(i)) not in tried)
        scored = await client.call_tool("score", {"architecture": str(fresh)})
        assert scored.structured_content["how"] == "from the table"
        wrong = await client.call_tool("explain", {"architecture": "../../etc/passwd"})
        assert wrong.is_error
        assert "expects a cell" in wrong.content[0].text
        outside = await client.call_tool("status", {"run": str(talkative_run)})
        assert outside.is_error
        assert "there is no run" in outside.content[0].text

    talk(talkative_run.parent, ask)


ORDER = {"command": "/ban none"}


@both
def test_an_order_waits_for_a_person_where_the_host_cannot_ask_one(
    begun: Path, talk: Talk, pelnas: Command
) -> None:
    async def ask(client: Any) -> None:
        assert (await client.call_tool("steer", ORDER | {"run": "last"})).is_error
        wrong = await client.call_tool("steer", {"run": begun.name, "command": "rm -rf /"})
        assert wrong.is_error
        for _ in range(2):  # whatever a model adds, it cannot say yes itself
            order = ORDER | {"run": begun.name, "confirmed": True, "answer": {"give": True}}
            answer = (await client.call_tool("steer", order)).structured_content
            assert answer["says"] == "design nothing with none"
            assert answer["given"] is None
        assert answer["waits"] == "w2"

    talk(begun.parent, ask)
    assert given(begun) == []
    seen = pelnas("directives", begun.name, "--output", begun.parent)
    assert "w1 waits for a yes: design nothing with none" in seen.out
    done = pelnas(
        "steer", begun.name, "--confirm", "w1", "--author", "ann", "--output", begun.parent
    )
    assert (done.code, done.err) == (0, "")
    again = pelnas("steer", begun.name, "--confirm", "w1", "--output", begun.parent)
    assert (again.code, again.err.count("\n")) == (2, 1)
    assert "an order that waits (w2)" in again.err
    assert given(begun) == [("ann", "/ban none")]


@both
@pytest.mark.parametrize("says", ["yes", "no", "decline", "cancel"])
def test_a_host_that_can_ask_asks_its_person(begun: Path, talk: Talk, says: str) -> None:
    asked: list[str] = []

    async def person(_: Any, question: Any) -> Any:
        from mcp.types import ElicitResult

        asked.append(question.message)
        if says in ("decline", "cancel"):
            return ElicitResult(action=says)
        return ElicitResult(action="accept", content={"give": says == "yes"})

    async def ask(client: Any) -> None:
        result = await client.call_tool("steer", ORDER | {"run": begun.name})
        assert (result.structured_content["given"] == "d1") is (says == "yes")
        assert result.structured_content["waits"] is None
        wrong = await client.call_tool("steer", {"run": begun.name, "command": "/ban nothing"})
        assert wrong.is_error

    talk(begun.parent, ask, person=person)
    assert given(begun) == ([("mcp", "/ban none")] if says == "yes" else [])
    (question,) = asked
    assert begun.name in question
    assert "design nothing with none" in question


def test_steering_is_off_or_trusted_where_the_owner_says_so(begun: Path) -> None:
    async def none(client: Any) -> None:
        assert "steer" not in {tool.name for tool in (await client.list_tools()).tools}

    async def all_(client: Any) -> None:
        result = await client.call_tool("steer", ORDER | {"run": begun.name})
        assert result.structured_content["given"] == "d1"

    talk_by_stdio(begun.parent, none, "--steer", "off")
    assert given(begun) == []
    talk_by_stdio(begun.parent, all_, "--steer", "trust")
    assert given(begun) == [("mcp", "/ban none")]


def test_what_waits_is_confirmed_or_declined_in_a_conversation(begun: Path) -> None:
    from pelnas.graph.chat.console import Talk as Conversation
    from pelnas.graph.session.steering_client import SteeringClient

    with SteeringClient.open(begun) as steering:
        for text in ("/ban none", "/pause", "/rounds 9"):
            steering.ask(parse(text), "mcp", text)
    talk = Conversation(begun.parent, begun.name, "ann")
    assert talk.say("/waiting")[0].splitlines()[0] == (
        "w1: design nothing with none (asked for by mcp)"
    )
    talk.say("/confirm w1")
    assert talk.waiting
    talk.say("yes")
    talk.say("/confirm w2")
    talk.say("no")
    assert "an order that waits (w3)" in talk.say("/confirm w2")[0]
    assert given(begun) == [("ann", "/ban none")]


def test_a_model_cannot_bury_a_person_in_orders(begun: Path) -> None:
    from pelnas.errors import DirectiveError
    from pelnas.graph.session.steering_client import WAITING_LIMIT, SteeringClient

    with SteeringClient.open(begun) as steering:
        for _ in range(WAITING_LIMIT):
            steering.ask(parse("/pause"), "mcp", "/pause")
        with pytest.raises(DirectiveError, match="confirm or decline them first"):
            steering.ask(parse("/pause"), "mcp", "/pause")


@pytest.mark.parametrize(
    ("tool", "arguments", "sentence"),
    [
        ("explain", {"architecture": 83}, None),
        ("explain", {"architecture": "83", "run": None}, None),
        ("front", {"run": None}, None),
        ("rules", {"every": None}, None),
        ("tried", {"niche": "2"}, None),
        ("compare", {"first": 1, "second": 2}, None),
        ("afford", {"latency_ms": "4.0"}, None),
        ("tried", {"niche": "x"}, "niche has to be a valid integer"),
        ("tried", {}, "niche is missing"),
        ("explain", {"architecture": None}, "architecture has to be a valid string, found None"),
        ("explain", {"architecture": True}, "architecture has to be a valid string, found True"),
        ("afford", {"latency_ms": [1]}, "latency_ms has to be a valid number"),
        ("status", {"run": {"name": "x" * 500}}, "run has to be a valid string"),
    ],
)
def test_arguments_are_taken_as_models_give_them_or_refused_in_a_sentence(
    talkative_run: Path, tool: str, arguments: dict[str, Any], sentence: str | None
) -> None:
    from pelnas.app.mcp.tools import server

    async def ask(client: Any) -> None:
        answered = await client.call_tool(tool, arguments)
        text = answered.content[0].text if answered.content else ""
        assert answered.is_error is (sentence is not None), text
        if sentence is not None:
            assert sentence in text
            assert "validation error" not in text
            assert text.count("\n") == 0
            assert len(text) < 300

    hold(server(talkative_run.parent), ask)


HELLO = {"jsonrpc": "2.0", "id": 1, "method": "tools/list"}
ACCEPT = {"Accept": "application/json, text/event-stream"}


def test_http_is_closed_without_the_token_and_to_other_names(begun: Path) -> None:
    with http(begun.parent) as (address, log):
        name, _, value = log.partition(": ")
        assert address.startswith("http://127.0.0.1:")
        known = ACCEPT | {name: value}

        def post(**headers: Any) -> httpx.Response:
            return httpx.post(address, json=HELLO, headers=headers, timeout=20)

        assert post(**ACCEPT).status_code == 401
        assert post(**ACCEPT, Authorization="Bearer wrong").status_code == 401
        assert post(**ACCEPT, Authorization=b"Bearer \xe9").status_code == 401
        assert post(**known, Host="evil.example").status_code == 421
        assert post(**known, Origin="http://evil.example").status_code == 403
        assert post(**known, Origin="http://localhost:1").status_code == 403
        assert post(**known).status_code not in (401, 403, 421)
    assert given(begun) == []


def test_the_token_is_chosen_or_switched_off_in_words(
    begun: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    async def ask(client: Any) -> None:
        status = await client.call_tool("status", {"run": begun.name})
        assert status.structured_content["run"] == begun.name

    with http(begun.parent, "--no-token") as (address, log):
        assert log == "no token is asked for"
        hold(address, ask)
    monkeypatch.setenv("PELNAS_MCP_TOKEN", "a-token-of-my-own")
    with http(begun.parent) as (address, log):
        assert "a-token-of-my-own" not in log
        own = ACCEPT | {"Authorization": "Bearer a-token-of-my-own"}
        assert httpx.post(address, json=HELLO, headers=own, timeout=20).status_code != 401
    monkeypatch.setenv("PELNAS_MCP_TOKEN", "short")
    command = [COMMAND, "mcp", "--http", "--port", "0"]
    done = warm.run(
        command, kind=warm.Full, capture_output=True, text=True, check=False, timeout=60
    )
    assert (done.returncode, done.stderr.count("\n")) == (2, 1)
    assert "choose a longer token" in done.stderr


def given(folder: Path) -> list[tuple[str, str]]:
    with RunStore.read(folder) as store:
        return [(directive.author, directive.words) for directive in store.directives()]
