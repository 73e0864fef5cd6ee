"""Servers that err in a 200, drip, pack bombs, echo keys or send streams: one sentence, soon."""

import gzip
import json
import re
import sys
import threading
import time
import zlib
from collections.abc import Callable, Sequence
from typing import Any

import pytest
from dripping import dripping
from pydantic import BaseModel

from pelnas.agents.models.base import LanguageModel, RetryPolicy
from pelnas.agents.models.connection import connect
from pelnas.agents.testing.server import Fault, LoopbackServer
from pelnas.calls.call import Message
from pelnas.errors import BudgetExhausted, ModelCallError, ModelError, Stopped

QUICK = RetryPolicy(timeout=20.0, attempts=3, total=60.0, first_wait=0.01)
KEY = "planted-4f1d9c2b7a"
TEXT = '{"word": "yes"}'
ASKED = [Message("system", "be brief"), Message("user", "a word?")]


class Answer(BaseModel):
    word: str


@pytest.fixture(autouse=True)
def _key(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("OPENAI_API_KEY", KEY)


def say_yes(_messages: Sequence[Message], _schema: dict[str, Any]) -> str:
    return TEXT


def completion(text: str = TEXT, **more: Any) -> dict[str, Any]:
    message = {"role": "assistant", "content": text}
    choice = {"index": 0, "finish_reason": "stop", "message": message}
    return {"model": "other", "choices": [choice], **more}


def client(url: str, retry: RetryPolicy = QUICK) -> LanguageModel:
    return connect("openai:toy", base_url=url, retry=retry)


def failed(body: Any, times: int = 9, url: str = "/v1") -> tuple[str, int]:
    """What is told of a server that sends this with status 200, and how often it was asked."""
    sent = body if isinstance(body, bytes) else json.dumps(body).encode()
    with LoopbackServer(say_yes, faults=[Fault(body=sent)] * times) as server:
        model = client(server.url.removesuffix("/v1") + url)
        with pytest.raises(ModelCallError) as caught:
            model.ask(ASKED, Answer)
        return str(caught.value), len(server.requests)


@pytest.mark.parametrize(
    ("body", "words", "asked"),
    [
        ({"error": {"message": "no credit", "code": 402}}, "to be paid.*no credit", 1),
        ({"error": {"message": "no credit", "code": "402"}}, "to be paid.*no credit", 1),
        ({"error": {"message": "broke", "type": "insufficient_quota"}}, "to be paid.*broke", 1),
        ({"error": {"message": "busy", "code": 429}}, "limits the rate.*busy", 3),
        ({"error": {"message": "busy", "code": "rate_limit_exceeded"}}, "limits.*busy", 3),
        ({"type": "error", "error": {"type": "overloaded_error", "message": "b"}}, "529", 3),
        ({"error": "unexpected endpoint"}, "sent no answer .unexpected endpoint", 1),
        ({"detail": "who are you"}, "sent no answer .who are you", 1),
        ({"object": "error", "message": "too hot", "code": 40303}, "sent no answer .too hot", 1),
        (completion() | {"choices": [], "error": {"message": "m", "code": 403}}, "the key", 1),
        ({"choices": []}, "after 3 attempts: what it sent cannot be read .a reply without", 3),
        ({"choices": None}, "cannot be read .a reply without an answer", 3),
        ([1, 2], "cannot be read .a list in place of a reply", 3),
        (b"", "cannot be read .an empty body", 3),
        (b"<html><script>x</script><b>Sign in</b>", "a web page in place of JSON: Sign in", 3),
        (b"data: {}\n\ndata: [DONE]\n\n", "sent no answer .a stream that nobody asked for", 1),
        (b'data: {"error": {"message": "no credit", "code": 402}}\n\n', "to be paid", 1),
        (b"[" * 100_000, "cannot be read .no JSON", 3),
        (b'{"usage": 1' + b"0" * 5000 + b"}", "cannot be read .no JSON", 3),
    ],
    ids=str,
)
def test_an_error_in_a_200_is_told_in_its_own_words(body: Any, words: str, asked: int) -> None:
    problem, requests = failed(body)
    assert re.search(words, problem), problem
    assert requests == asked


def test_an_error_in_the_choice_is_asked_again() -> None:
    body = completion("")
    body["choices"][0] |= {"error": {"code": 502, "message": "gone"}, "finish_reason": "error"}
    with LoopbackServer(say_yes, faults=[Fault(body=json.dumps(body).encode())]) as server:
        assert client(server.url).ask(ASKED, Answer).text == TEXT
    assert len(server.requests) == 2


def test_a_missing_v1_is_hinted_at_where_it_may_be_missing() -> None:
    with LoopbackServer(say_yes) as server:
        root = client(server.url.removesuffix("/v1"))
        with pytest.raises(ModelCallError, match=r"no such path.*does its address lack /v1\?"):
            root.ask(ASKED, Answer)
    assert "lack /v1" not in failed({"error": "unexpected endpoint"})[0]


def test_a_stream_that_nobody_asked_for_is_read() -> None:
    usage = {"prompt_tokens": 7, "completion_tokens": 5, "total_tokens": 12}
    pieces = [{"content": part} for part in (TEXT[:5], TEXT[5:])] + [{}]
    events = [{"model": "other", "choices": [{"index": 0, "delta": delta}]} for delta in pieces]
    events[-1] |= {"usage": usage}
    body = "".join(f"data: {json.dumps(event)}\n\n" for event in events) + "data: [DONE]\n\n"
    with LoopbackServer(say_yes, faults=[Fault(body=body.encode())]) as server:
        reply = client(server.url).ask(ASKED, Answer)
    assert (reply.text, reply.usage.tokens_in, reply.usage.tokens_out) == (TEXT, 7, 5)


@pytest.mark.parametrize(
    "value", [2**63, -350, "20", [1], {"a": 2}, 1e400, None, True, 0.5], ids=repr
)
def test_whatever_is_told_of_tokens_the_answer_is_read_and_counted(value: Any) -> None:
    usage = {"prompt_tokens": value, "completion_tokens": value, "total_tokens": value}
    usage |= {"completion_tokens_details": {"reasoning_tokens": value}, "cost": value}
    body = json.dumps(completion(usage=usage, model="\ud800x", id=value)).encode()
    with LoopbackServer(say_yes, faults=[Fault(body=body)]) as server:
        reply = client(server.url).ask(ASKED, Answer)
    assert (reply.text, reply.model) == (TEXT, "?x")
    assert 0 < reply.usage.tokens_in < 1000
    assert 0 < reply.usage.tokens_out < 1000
    assert reply.usage.tokens_reasoning in (None, 0, 1)


@pytest.mark.parametrize("escaped", [False, True])
def test_a_key_that_comes_back_is_hidden_also_where_its_letters_are_escaped(escaped: bool) -> None:
    key = "".join(f"\\u{ord(letter):04x}" for letter in KEY) if escaped else KEY
    inner = f'{{"word": "{key}"}}'
    body = json.dumps(completion("TEXT", model="MODEL")).encode()
    body = body.replace(b'"TEXT"', json.dumps(inner).encode()).replace(b"MODEL", key.encode())
    with LoopbackServer(say_yes, faults=[Fault(body=body)]) as server:
        reply = client(server.url).ask(ASKED, Answer)
    assert json.loads(reply.text) == {"word": "***"}
    assert reply.model == "***"
    error = f'{{"error": {{"message": "no {key}", "code": 401}}}}'.encode()
    assert failed(error)[0].endswith("no ***)")


def test_a_body_that_unpacks_without_end_is_given_up() -> None:
    bomb = gzip.compress(b" " * 30_000_000)
    headers = {"Content-Encoding": "gzip"}
    with LoopbackServer(say_yes, faults=[Fault(headers=headers, body=bomb)] * 3) as server:
        model = client(server.url)
        with pytest.raises(ModelCallError, match=r"sent no answer .more than 8 MB"):
            model.ask(ASKED, Answer)
    assert len(server.requests) == 1


@pytest.mark.parametrize("encoding", ["gzip", "deflate"])
def test_a_packed_body_is_read(encoding: str) -> None:
    pack = gzip.compress if encoding == "gzip" else zlib.compress
    body = pack(json.dumps(completion()).encode())
    fault = Fault(headers={"Content-Encoding": encoding}, body=body)
    with LoopbackServer(say_yes, faults=[fault]) as server:
        assert client(server.url).ask(ASKED, Answer).text == TEXT
    assert len(server.requests) == 1


def test_a_request_does_not_follow_to_another_server() -> None:
    with LoopbackServer(say_yes) as other, LoopbackServer(say_yes) as server:
        there = Fault(307, {"Location": f"{other.url}/chat/completions"})
        server._faults = iter([there])
        model = client(server.url)
        with pytest.raises(ModelCallError, match=r"sends to another server, 127.0.0.1"):
            model.ask(ASKED, Answer)
    assert other.requests == []


# -- servers that drip ------------------------------------------------------------------


@pytest.mark.parametrize(
    "head", [b"HTTP/1.1 200 OK\r\nContent-Length: 99999\r\n\r\n", b"HTTP/1.1 "]
)
def test_a_call_has_one_deadline_however_a_server_drips(head: bytes) -> None:
    with dripping(head) as url:
        model = client(url, RetryPolicy(timeout=0.7, attempts=5, total=0.3, first_wait=0.01))
        began = time.monotonic()
        with pytest.raises(ModelCallError, match="did not answer in time"):
            model.ask(ASKED, Answer)
    assert time.monotonic() - began < 20


def _stop(model: LanguageModel) -> None:
    threading.Timer(0.3, model.stop).start()


def _time_is_up(model: LanguageModel) -> None:
    end = time.monotonic() + 0.3
    model.set_deadline(lambda: max(0.0, end - time.monotonic()))


@pytest.mark.parametrize(("end", "error"), [(_stop, Stopped), (_time_is_up, BudgetExhausted)])
def test_nobody_waits_for_a_dripping_server_when_the_search_ends(
    end: Callable[[LanguageModel], None], error: type[Exception]
) -> None:
    with dripping() as url:
        model = client(url, RetryPolicy(timeout=300.0))
        end(model)
        began = time.monotonic()
        with pytest.raises(error):
            model.ask(ASKED, Answer)
    assert time.monotonic() - began < 20


def test_nobody_waits_for_another_attempt_when_the_search_ends() -> None:
    fault = Fault(429, {"Retry-After": "200"})
    with LoopbackServer(say_yes, faults=[fault]) as server:
        model = client(server.url, RetryPolicy(timeout=300.0))
        _stop(model)
        began = time.monotonic()
        with pytest.raises(Stopped):
            model.ask(ASKED, Answer)
    assert time.monotonic() - began < 20


def test_another_search_may_use_a_model_that_was_stopped() -> None:
    with LoopbackServer(say_yes) as server:
        model = client(server.url)
        model.set_deadline(lambda: None)
        model.stop()
        model.set_deadline(lambda: 5.0)
        assert model.ask(ASKED, Answer).text == TEXT


# -- keys that cannot be sent, and servers without a system role ----------------------------


@pytest.mark.parametrize("around", ["{}\r\n", "{}\n", " {}\t", "\n{} "])
def test_white_space_around_a_key_is_not_sent(monkeypatch: pytest.MonkeyPatch, around: str) -> None:
    monkeypatch.setenv("OPENAI_API_KEY", around.format(KEY))
    with LoopbackServer(say_yes, key=KEY) as server:
        assert client(server.url).ask(ASKED, Answer).text == TEXT


@pytest.mark.parametrize("name", ["openai:x", "anthropic:x", "google_genai:x"])
@pytest.mark.parametrize("key", [f'"{KEY}"', f"'{KEY}'", f"sk\n{KEY}", f"Bearer {KEY}", f"“{KEY}”"])
def test_a_key_that_cannot_be_sent_is_told_at_once(
    monkeypatch: pytest.MonkeyPatch, name: str, key: str
) -> None:
    for variable in ("OPENAI_API_KEY", "ANTHROPIC_API_KEY", "GOOGLE_API_KEY"):
        monkeypatch.setenv(variable, key)
    with pytest.raises(
        ModelError, match=r"expected a key in the variable .*_API_KEY, found"
    ) as said:
        connect(name)
    assert KEY not in str(said.value)


class NoSystem(LoopbackServer):
    """A server whose template has no place for a system message, and says so as it likes."""

    status, words = 400, "System role not supported"

    def take(self, body: dict[str, Any]) -> Fault:
        fault = super().take(body)
        if any(message["role"] == "system" for message in body["messages"]):
            return Fault(self.status, body=json.dumps({"error": {"message": self.words}}).encode())
        return fault


@pytest.mark.parametrize(
    ("status", "words"),
    [
        (400, "System role not supported"),
        (500, "Jinja Exception: Conversation roles must alternate user/assistant/user/assistant"),
        (422, "messages.0.role: system is not one of the roles"),
    ],
)
def test_the_words_of_the_system_go_to_the_user_where_the_server_wants_that(
    status: int, words: str
) -> None:
    with NoSystem(say_yes, formats=False) as server:
        server.status, server.words = status, words
        model = client(server.url)
        replies = [model.ask(ASKED, Answer) for _ in range(2)]
    assert [reply.rung for reply in replies] == ["a tool call"] * 2
    last = server.requests[-1]["messages"]
    assert [(m["role"], m["content"]) for m in last] == [("user", "be brief\n\na word?")]
    refused = [r for r in server.requests if r["messages"][0]["role"] == "system"]
    assert len(refused) <= 1  # what was learnt is kept


def test_tools_go_without_a_system_message_as_well() -> None:
    from langchain_core.messages import HumanMessage, SystemMessage

    with NoSystem(say_yes, tools="free") as server:
        model = client(server.url)
        step = model.step([SystemMessage("be brief"), HumanMessage("a word?")], [])
    assert step.reply.text == TEXT
    assert [m["role"] for m in server.requests[-1]["messages"]] == ["user"]


# -- packages in the way -------------------------------------------------------------------


def test_a_broken_dependency_is_told_as_what_it_is(monkeypatch: pytest.MonkeyPatch) -> None:
    from langchain.chat_models import base

    base._get_chat_model_creator.cache_clear()
    monkeypatch.setitem(sys.modules, "openai", None)
    for name in [name for name in sys.modules if name.startswith("langchain_openai")]:
        monkeypatch.delitem(sys.modules, name)
    with pytest.raises(ModelError, match=r"is installed and cannot be imported .*openai") as said:
        connect("openai:x")
    base._get_chat_model_creator.cache_clear()
    assert "pelnas[" not in str(said.value)


def test_a_proxy_whose_package_is_missing_is_named(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "socksio", None)
    monkeypatch.setenv("ALL_PROXY", "socks5://me:word@127.0.0.1:9")
    with pytest.raises(
        ModelError, match=r"proxy that ALL_PROXY names.*pip install socksio"
    ) as said:
        connect("openai:x", base_url="http://127.0.0.1:1/v1", retry=RetryPolicy(timeout=77.0))
    assert "word" not in str(said.value)
