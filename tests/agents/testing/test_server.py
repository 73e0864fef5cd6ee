"""The loopback server answers as OpenAI's protocol says, seen by a client that knows nothing of us."""

import json

import httpx
import pytest

from pelnas.agents.testing.server import Fault, LoopbackServer

CHAT = {
    "model": "m",
    "messages": [{"role": "user", "content": "hello world"}],
    "response_format": {"type": "json_schema", "json_schema": {"schema": {"title": "T"}}},
}


def post(server: LoopbackServer, body: object = CHAT, key: str = "none") -> httpx.Response:
    headers = {"Authorization": f"Bearer {key}"}
    return httpx.post(f"{server.url}/chat/completions", json=body, headers=headers, timeout=5)


def test_it_answers_by_the_function_of_messages_and_schema() -> None:
    with LoopbackServer(lambda messages, schema: messages[-1].content + schema["title"]) as server:
        answer = post(server).json()
    assert answer["choices"][0]["message"] == {"role": "assistant", "content": "hello worldT"}
    assert answer["usage"] == {"prompt_tokens": 6, "completion_tokens": 3, "total_tokens": 9}
    assert server.requests == [CHAT]


def test_faults_come_in_order_and_then_none() -> None:
    faults = [Fault(429, {"Retry-After": "7"}), Fault(body=b"?!"), Fault(drop=True), None]
    with LoopbackServer(lambda *_: "ok", faults=faults) as server:
        limited = post(server)
        assert (limited.status_code, limited.headers["Retry-After"]) == (429, "7")
        assert "on purpose" in limited.json()["error"]["message"]
        assert post(server).content == b"?!"
        with pytest.raises(httpx.RemoteProtocolError):
            post(server)
        assert post(server).json()["choices"][0]["message"]["content"] == "ok"
        assert post(server).status_code == 200


def test_it_refuses_what_a_sound_server_would() -> None:
    with LoopbackServer(lambda *_: "ok", key="right", formats=False) as server:
        assert post(server, key="wrong").status_code == 401
        assert post(server, key="right").status_code == 400
        assert httpx.post(f"{server.url}/embeddings", json={}, timeout=5).status_code == 404
    assert server.requests == []


def test_a_tool_is_called_refused_or_met_with_nothing() -> None:
    tool = {"type": "function", "function": {"name": "give", "parameters": {"title": "T"}}}
    asked = {"model": "m", "messages": CHAT["messages"], "tools": [tool]}
    with LoopbackServer(lambda _, schema: json.dumps(schema)) as server:
        choice = post(server, asked).json()["choices"][0]
        server.tools = "empty"
        nothing = post(server, asked).json()["choices"][0]["message"]
        server.tools = "refused"
        assert post(server, asked).status_code == 400
    (call,) = choice["message"]["tool_calls"]
    assert call["function"] == {"name": "give", "arguments": '{"title": "T"}'}
    assert choice["finish_reason"] == "tool_calls"
    assert nothing == {"role": "assistant", "content": ""}


def test_leaving_ends_a_stall() -> None:
    with LoopbackServer(lambda *_: "ok", faults=[Fault(stall=600)]) as server:
        url = f"{server.url}/chat/completions"
        with pytest.raises(httpx.ReadTimeout):
            httpx.post(url, json=CHAT, timeout=0.2)
