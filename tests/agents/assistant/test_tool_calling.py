"""A model that calls tools, over real HTTP: bounded, corrected, and telling what its words rest on."""

import json
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

import pytest
from langchain_core.messages import AIMessage, BaseMessage, HumanMessage

from pelnas.agents.assistant import tool_calling
from pelnas.agents.assistant.commands import answer
from pelnas.agents.assistant.tool_calling import CALLS, ToolCaller, Turn
from pelnas.agents.models.base import RetryPolicy
from pelnas.agents.models.connection import connect
from pelnas.agents.testing.server import Fault, LoopbackServer, ToolCalls
from pelnas.calls.call import Message
from pelnas.directives import Ban, parse
from pelnas.errors import AnswerError, DirectiveError, ModelCallError, ToolsRefusedError
from pelnas.report import front_points
from pelnas.spaces import get_space
from pelnas.store import RunStore

pytest.importorskip("langchain_openai", reason="the extra 'openai' is not installed")
TINY = get_space("tiny")
QUICK = RetryPolicy(timeout=20.0, attempts=2, total=20.0, first_wait=0.01)
Step = str | ToolCalls


@pytest.fixture
def store(talkative_run: Path) -> Iterator[RunStore]:
    with RunStore.read(talkative_run) as opened:
        yield opened


def serving(*steps: Step) -> LoopbackServer:
    left = iter(steps)
    return LoopbackServer(lambda *_: next(left), tools="free")


def take_turn(
    server: LoopbackServer,
    store: RunStore,
    words: str = "well?",
    before: Sequence[BaseMessage] = (),
) -> Turn:
    model = connect("openai:toy", base_url=server.url, retry=QUICK)

    def check(order: Any) -> Any:
        if isinstance(order, Ban) and order.feature not in TINY.operations:
            raise DirectiveError("there is no such operation: name one of the space")
        return order

    caller = ToolCaller(model, lambda question: answer(store, question), check)
    return caller.turn(words, before, TINY, store.name)


def calls(*named: tuple[str, Any]) -> ToolCalls:
    return ToolCalls([(n, a if isinstance(a, str) else json.dumps(a)) for n, a in named])


def told_to_model(server: LoopbackServer) -> list[str]:
    """What the tools answered, as the last request carries it."""
    return [m["content"] for m in server.requests[-1]["messages"] if m["role"] == "tool"]


def test_it_looks_up_and_its_words_carry_what_they_rest_on(store: RunStore) -> None:
    best = front_points(store)[-1]
    said = f"The best is {best.id}."
    with serving(calls(("front", {}), ("explain", {"architecture": best.id})), said) as server:
        turn = take_turn(server, store, "which is best?")
    assert [found.command for found in turn.looked_up] == ["/front", f"/why {best.id}"]
    header, words, source = turn.tell().splitlines()
    assert header == "in the words of openai:toy:"
    assert words == f"| {said}"
    assert source.startswith(f"from: /front ({best.id}, ")
    assert f"/why {best.id} ({best.id}" in source
    known = {candidate.id for candidate in store.candidates()}
    assert {i for i in tool_calling._ids(source) if "n" in i and "." not in i} <= known
    first, second = server.requests
    names = {tool["function"]["name"] for tool in first["tools"]}
    assert {"status", "explain", "score", "latency", "call", "steer"} <= names
    assert not first.get("stream")
    assert [m["tool_call_id"] for m in second["messages"] if m["role"] == "tool"] == [
        "call-1",
        "call-2",
    ]


def test_what_tools_answer_reaches_the_model_as_quoted_data(store: RunStore) -> None:
    with serving(calls(("rules", {"all": True})), "ok") as server:
        turn = take_turn(server, store)
    (content,) = told_to_model(server)
    assert json.loads(content) == {"data": turn.looked_up[0].answer}
    assert turn.looked_up[0].command == "/rules all"
    assert "\n" not in content


@pytest.mark.parametrize(
    ("call", "sentence"),
    [
        (("sudo", {}), "there is no tool 'sudo': use one of status, front"),
        (("explain", {}), "the argument architecture cannot be used (Field required)"),
        (("front", {"run": "other"}), "the argument run is not known"),
        (("tried", {"niche": "three"}), "the argument niche cannot be used"),
        (("tried", {"niche": 9}), "has niches 0 to 2"),
        (("afford", {"latency_ms": -1}), "give milliseconds"),
        (("explain", {"architecture": "../../etc/passwd"}), "expects a cell"),
        (("explain", '{"architecture": '), "expected arguments in JSON"),
        (("steer", {"command": "rm -rf /"}), "expected"),
        (("steer", {"command": "/why r0n0c0"}), "expected"),
        (("steer", {"command": "/ban conv_9x9"}), "there is no such operation"),
    ],
)
def test_a_wrong_call_is_told_to_the_model_which_goes_on(
    store: RunStore, call: tuple[str, Any], sentence: str
) -> None:
    with serving(calls(call), "I do not know.") as server:
        turn = take_turn(server, store)
    (said,) = told_to_model(server)
    assert sentence in said
    assert turn.order is None
    assert "from: nothing that was looked up" in turn.tell()


def test_a_proposal_ends_the_turn_and_gives_nothing(store: RunStore) -> None:
    before = store.directives()
    two = calls(("steer", {"command": "/ban none"}), ("steer", {"command": "/pause"}))
    with serving(ToolCalls(two.calls, "Done, it is banned.")) as server:
        turn = take_turn(server, store, "ban none and wait")
    assert len(server.requests) == 1
    assert turn.order == parse("/ban none")
    assert "one order at a time, left out: /pause" in turn.tell()
    assert store.directives() == before


def test_calling_without_end_ends(store: RunStore) -> None:
    with (
        LoopbackServer(lambda *_: calls(("status", {})), tools="free") as server,
        pytest.raises(AnswerError, match="called tools without end"),
    ):
        take_turn(server, store)
    assert len(server.requests) == CALLS + 2
    assert "answer now" in told_to_model(server)[-1]


def test_many_calls_at_once_are_counted_one_by_one(store: RunStore) -> None:
    with serving(calls(*[("status", {})] * 50), "enough") as server:
        turn = take_turn(server, store)
    assert len(turn.looked_up) == CALLS
    assert len(told_to_model(server)) == 50
    assert turn.tell().count("/status") == 1


@pytest.mark.parametrize("bound", ["TOKENS", "SECONDS"])
def test_tokens_and_time_are_bounded(
    store: RunStore, monkeypatch: pytest.MonkeyPatch, bound: str
) -> None:
    monkeypatch.setattr(tool_calling, bound, 0)
    with (
        LoopbackServer(lambda *_: calls(("status", {})), tools="free") as server,
        pytest.raises(AnswerError, match="gave no answer within"),
    ):
        take_turn(server, store)
    assert len(server.requests) == 1


def test_saying_nothing_is_no_answer(store: RunStore) -> None:
    with serving(" ") as server, pytest.raises(AnswerError, match="said nothing"):
        take_turn(server, store)


def test_ids_that_nobody_looked_up_are_named_as_such(store: RunStore) -> None:
    with serving("It is r9n9c9, by d7.\n\x1b[31mI understand: /stop. Yes or no?") as server:
        text = take_turn(server, store).tell()
    assert "named without being looked up: r9n9c9, d7" in text
    assert "\x1b" not in text
    assert all(line[:2] in ("in", "| ", "fr", "na") for line in text.splitlines())


def test_a_server_without_tools_says_so(store: RunStore) -> None:
    with (
        LoopbackServer(lambda *_: "{}", tools="refused") as server,
        pytest.raises(ToolsRefusedError, match="openai:toy called no tools"),
    ):
        take_turn(server, store)
    with LoopbackServer(lambda *_: "{}") as gone:
        pass
    with pytest.raises(ModelCallError, match="cannot be reached"):
        take_turn(gone, store)


def test_a_key_that_comes_back_is_not_told(
    store: RunStore, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("OPENAI_API_KEY", "sk-very-secret-0123456789")
    with serving("your key is sk-very-secret-0123456789") as server:
        assert "your key is ***" in take_turn(server, store).tell()


def test_what_was_said_before_is_shown_cut_and_from_a_person_on(store: RunStore) -> None:
    before = [AIMessage("left out"), HumanMessage("x" * 5_000), AIMessage("y"), HumanMessage("z")]
    with serving("fine") as server:
        take_turn(server, store, "a" * 5_000, before)
    system, *rest = server.requests[0]["messages"]
    assert [m["role"] for m in rest] == ["user", "assistant", "user", "user"]
    assert len(rest[0]["content"]) == tool_calling.BEFORE_LIMIT
    assert len(rest[-1]["content"]) == tool_calling.WORDS_LIMIT
    assert store.name in system["content"]
    assert "/focus niche 3" in system["content"]


def test_messages_of_the_wire_are_what_the_server_expects(store: RunStore) -> None:
    seen: list[list[str]] = []

    def step(messages: Sequence[Message], _: dict[str, Any]) -> Step:
        seen.append([message.role for message in messages])
        return calls(("niches", {})) if len(seen) == 1 else "done"

    with LoopbackServer(step, tools="free") as server:
        take_turn(server, store)
    assert seen == [["system", "user"], ["system", "user", "assistant", "tool"]]


def raw(*calls: dict[str, Any], content: str | None = None) -> Fault:
    """A whole answer as a server may send it, whatever its tool calls look like."""
    message = {"role": "assistant", "content": content, "tool_calls": list(calls)}
    choice = {"index": 0, "message": message, "finish_reason": "tool_calls"}
    body = {"id": "1", "object": "chat.completion", "created": 1, "model": "x", "choices": [choice]}
    return Fault(200, {"Content-Type": "application/json"}, json.dumps(body).encode())


def one(
    id_: Any = "c1", name: Any = "status", arguments: Any = "{}", **more: Any
) -> dict[str, Any]:
    function = {"name": name, "arguments": arguments}
    return {"id": id_, "type": "function", "function": function} | more


@pytest.mark.parametrize(
    "asked",
    [
        [one(None)],
        [one("")],
        [{"type": "function", "function": {"name": "status", "arguments": "{}"}}],
        [one("0"), one("0", "front")],
        [one(None), one(None, "front"), one("call_0_0")],
        [one(arguments="")],
        [one(arguments=" ")],
        [one(arguments="null")],
    ],
)
def test_calls_without_an_id_of_their_own_are_answered(
    store: RunStore, asked: list[dict[str, Any]]
) -> None:
    with LoopbackServer(lambda *_: "Found.", faults=[raw(*asked)], tools="free") as server:
        turn = take_turn(server, store)
    assert turn.words == "Found."
    assert len(turn.looked_up) == len(asked)
    *_, back = (m for m in server.requests[-1]["messages"] if m["role"] == "assistant")
    ids = [call["id"] for call in back["tool_calls"]]
    numbers = [m["tool_call_id"] for m in server.requests[-1]["messages"] if m["role"] == "tool"]
    assert ids == numbers
    assert len(set(ids)) == len(asked)
    assert all(ids)


@pytest.mark.parametrize(
    ("asked", "sentence"),
    [
        (one(name=""), "there is no tool 'unnamed'"),
        (one(name=None), "there is no tool 'unnamed'"),
        (one(arguments="not JSON"), "expected arguments in JSON"),
        (one(None, arguments="{"), "expected arguments in JSON"),
        (one(arguments=json.dumps({"x": "y" * 1_000_000})), "expected at most 6000 characters"),
        (one(arguments="z" * 1_000_000), "expected arguments in JSON"),
    ],
)
def test_a_call_that_cannot_be_run_is_told_to_the_model(
    store: RunStore, asked: dict[str, Any], sentence: str
) -> None:
    with LoopbackServer(lambda *_: "Well.", faults=[raw(asked)], tools="free") as server:
        turn = take_turn(server, store)
    assert turn.words == "Well."
    assert sentence in told_to_model(server)[-1]
    assert len(json.dumps(server.requests[-1]["messages"])) < 20_000


@pytest.mark.parametrize(
    "asked",
    [
        *(one(arguments='"text"'), one(arguments="[1, 2]"), one(7), one(["a"])),
        *({"id": "a"}, one(function=None), one({})),
    ],
)
def test_a_call_that_fits_into_no_message_ends_in_one_sentence(
    store: RunStore, asked: dict[str, Any]
) -> None:
    faults = [raw(asked)] * 2
    with (
        LoopbackServer(lambda *_: "Well.", faults=faults, tools="free") as server,
        pytest.raises(ModelCallError) as failure,
    ):
        take_turn(server, store)
    assert "\n" not in str(failure.value)
    assert len(str(failure.value)) < 300


def test_reasoning_is_not_told_as_the_models_words(store: RunStore) -> None:
    long = "<think>\n" + "I wonder what is asked of me. " * 200 + "</think>\n\nFORTY-TWO."
    with serving(ToolCalls([("status", "{}")], "<think>let me look</think>"), long) as server:
        turn = take_turn(server, store)
    assert turn.words == "FORTY-TWO."


def test_reasoning_alone_is_no_answer(store: RunStore) -> None:
    with serving("<think>and so on") as server, pytest.raises(AnswerError, match="said nothing"):
        take_turn(server, store)
