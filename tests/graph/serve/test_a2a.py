"""The conversation as an A2A agent: what another agent asks of it by JSON-RPC, and what it may not."""

import json
from pathlib import Path
from typing import Any
from uuid import uuid4

import httpx
import pytest
from served import JSON, KNOWN, SETTINGS, begin, client_of, directives

CARD = "/.well-known/agent-card.json"


class Caller:
    """Another agent, which speaks JSON-RPC to one assistant of a server."""

    def __init__(self, server: str, graph: str = "chat") -> None:
        with client_of(server) as client:
            (found,) = client.assistants.search(graph_id=graph)
        self.assistant = found["assistant_id"]
        self.address = f"{server}/a2a/{self.assistant}"

    def call(self, method: str, **params: Any) -> Any:
        """The result; the error, where there is one."""
        answered = httpx.post(
            self.address, json=self._request(method, params), headers=JSON | KNOWN, timeout=120
        ).json()
        return answered.get("result") or answered["error"]

    def say(self, *texts: str, data: dict[str, Any] | None = None, **place: Any) -> Any:
        return self.call("message/send", message=message(*texts, data=data, **place))

    def stream(self, *texts: str, **place: Any) -> list[Any]:
        """The results of all events."""
        params = {"message": message(*texts, **place)}
        headers = JSON | KNOWN | {"Accept": "text/event-stream"}
        with httpx.stream(
            "POST", self.address, json=self._request("message/stream", params), headers=headers,
            timeout=120,
        ) as answered:  # fmt: skip
            lines = [line for line in answered.iter_lines() if line.startswith("data:")]
        return [json.loads(line.removeprefix("data:"))["result"] for line in lines]

    def _request(self, method: str, params: dict[str, Any]) -> dict[str, Any]:
        return {"jsonrpc": "2.0", "id": 1, "method": method, "params": params}


def message(*texts: str, data: dict[str, Any] | None = None, **place: Any) -> dict[str, Any]:
    parts: list[dict[str, Any]] = [{"kind": "text", "text": text} for text in texts]
    parts += [{"kind": "data", "data": data}] if data else []
    return {"role": "user", "messageId": str(uuid4()), "parts": parts, **place}


def state(task: Any) -> str:
    return str(task["status"]["state"])


def said(task: Any) -> str:
    """The last words of the agent."""
    words = [m["parts"][0]["text"] for m in task["history"] if m["role"] == "agent"]
    return str(words[-1])


def place_of(task: Any) -> dict[str, str]:
    return {"contextId": task["contextId"], "taskId": task["id"]}


@pytest.fixture(scope="module")
def caller(server: str) -> Caller:
    return Caller(server)


@pytest.fixture
def steered(folder: Path, tiny_tables: Path) -> Path:
    """A run beside the server that nobody works on."""
    return begin(folder / "runs", SETTINGS | {"data": tiny_tables})


def test_the_agent_card_tells_where_the_conversation_is(server: str, caller: Caller) -> None:
    asked = {"assistant_id": caller.assistant}
    card = httpx.get(f"{server}{CARD}", params=asked, headers=KNOWN, timeout=60).json()
    assert card["name"] == "chat"
    assert card["url"] == caller.address
    assert card["capabilities"]["streaming"]
    assert card["skills"][0]["metadata"]["inputSchema"]["supportsA2A"]
    assert httpx.get(f"{server}{CARD}", params=asked, timeout=60).status_code == 401


def test_questions_are_answered_and_found_again(caller: Caller, steered: Path) -> None:
    first = caller.say("/status", data={"run": steered.name})
    assert state(first) == "completed"
    assert steered.name in said(first)
    events = caller.stream("/front", contextId=first["contextId"])  # the conversation knows the run
    assert events[-1]["status"]["state"] == "completed"
    found = caller.call("tasks/get", id=first["id"], contextId=first["contextId"])
    assert (found["id"], state(found)) == (first["id"], "completed")


@pytest.mark.parametrize("answer", ["yes", "no"])
def test_an_order_waits_for_a_yes(caller: Caller, steered: Path, answer: str) -> None:
    asked = caller.say("/ban none", data={"run": steered.name})
    assert state(asked) == "input-required"
    question = json.dumps(asked["artifacts"])
    assert "design nothing with none" in question
    assert "/ban none" in question
    assert directives(steered) == []
    found = caller.call("tasks/get", id=asked["id"], contextId=asked["contextId"])
    assert state(found) == "input-required"
    vague = caller.say("go ahead as you like", **place_of(asked))
    assert state(vague) == "input-required"
    assert directives(steered) == []
    reply = caller.say(answer, **place_of(asked))
    assert state(reply) == "completed"
    assert len(directives(steered)) == (answer == "yes")


def test_a_stream_ends_where_a_yes_is_needed(caller: Caller, steered: Path) -> None:
    context = caller.say(f"/use {steered.name}")["contextId"]
    events = caller.stream("/pause", contextId=context)
    assert events[-1]["status"]["state"] == "input-required"
    assert directives(steered) == []


def test_another_task_does_not_answer_for_the_person(caller: Caller, steered: Path) -> None:
    caller.say("/ban none", data={"run": steered.name})
    reply = caller.say("yes", data={"run": steered.name})  # in another conversation
    assert state(reply) == "completed"
    assert directives(steered) == []


def test_what_it_may_not_is_said(server: str, caller: Caller, steered: Path) -> None:
    reply = said(
        caller.say("wait, please", data={"run": steered.name, "model": "local:/etc/passwd"})
    )
    assert "is not offered in this conversation" in reply
    reply = said(caller.say("/model designer openai:other", data={"run": steered.name}))
    assert "is not offered to searches" in reply
    for run in ("../runs", str(steered), "/etc"):
        assert "there is no run" in said(caller.say("/status", data={"run": run}))
    assert caller.call("tasks/get", id=f"{uuid4()}:{uuid4()}")["code"] == -32001
    assert caller.call("message/send", message={})["code"] == -32602
    assert caller.call("message/none")["code"] == -32601
    refused = Caller(server, "search").say("/status")
    assert refused["code"] == -32602
    assert "does not support A2A conversational messages" in refused["message"]
    assert directives(steered) == []


@pytest.mark.parametrize(
    ("headers", "status"),
    [
        ({"Origin": "http://evil.example"}, 403),
        ({"Host": "evil.example"}, 421),
        ({"Content-Type": "text/plain"}, 415),
        ({"Authorization": "Bearer wrong"}, 401),
    ],
)
def test_the_guard_stands_before_it(caller: Caller, headers: dict[str, str], status: int) -> None:
    body = json.dumps({"jsonrpc": "2.0", "id": 1, "method": "message/send", "params": {}})
    sent = JSON | KNOWN | headers
    assert httpx.post(caller.address, content=body, headers=sent).status_code == status


def test_no_path_is_taken_for_a_call_from_inside(server: str) -> None:
    for path in ("/noauth", "/noauth/threads", "//noauth/threads", "/%6eoauth/threads"):
        assert httpx.post(f"{server}{path}", json={}).status_code == 401
