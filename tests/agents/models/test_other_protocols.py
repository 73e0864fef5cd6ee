"""Anthropic's and Google's own clients over real HTTP: answers, costs, faults, keys.

The server answers from a list, in the words of each protocol as its provider documents them.
"""

import json
import threading
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any

import pytest
from pydantic import BaseModel, Field

from pelnas.agents.models.base import LanguageModel, RetryPolicy
from pelnas.agents.models.connection import connect
from pelnas.calls.call import Message
from pelnas.errors import ModelCallError

KEY = "AIza-very-secret-0123456789abcdef"
ASKED = [Message("system", "be brief"), Message("user", "a word?")]
TEXT = '{"word": "yes"}'
QUICK = RetryPolicy(timeout=5.0, attempts=3, total=60.0, first_wait=0.01)
Document = dict[str, Any]


class Answer(BaseModel):
    word: str = Field(max_length=9)


@dataclass(frozen=True)
class Protocol:
    """What a provider's client reads from the environment, sends, and gets in answer."""

    model: str
    address: str  # variable
    key: str  # variable
    answered_by: str
    overloaded: int
    native: Callable[[Document], Any]  # the schema that a request is held to
    tool: Callable[[Document], Any]  # the name of the tool that a request is forced to call
    says: Callable[[str], Document]
    calls: Callable[[Document], Document]
    tokens: tuple[int, int, int, int | None]  # in, out, cached, reasoning


def _anthropic(*content: Document) -> Document:
    usage = {"input_tokens": 10, "output_tokens": 5, "cache_read_input_tokens": 7}
    return {
        "id": "msg_1",
        "type": "message",
        "role": "assistant",
        "model": "claude-sonnet-4-5-20250929",
        "content": list(content),
        "stop_reason": "end_turn",
        "usage": usage,
    }


def _google(*parts: Document) -> Document:
    usage = {"promptTokenCount": 17, "candidatesTokenCount": 5, "totalTokenCount": 25}
    content = {"role": "model", "parts": list(parts)}
    return {
        "candidates": [{"content": content, "finishReason": "STOP", "index": 0}],
        "usageMetadata": usage | {"cachedContentTokenCount": 7, "thoughtsTokenCount": 3},
        "modelVersion": "gemini-2.5-flash-001",
    }


PROTOCOLS = [
    Protocol(
        model="anthropic:claude-sonnet-4-5",
        address="ANTHROPIC_BASE_URL",
        key="ANTHROPIC_API_KEY",
        answered_by="claude-sonnet-4-5-20250929",
        overloaded=529,
        native=lambda body: body.get("output_config", {}).get("format", {}).get("schema"),
        tool=lambda body: body.get("tool_choice", {}).get("name"),
        says=lambda text: _anthropic({"type": "text", "text": text}),
        calls=lambda args: _anthropic(
            {"type": "tool_use", "id": "toolu_1", "name": "Answer", "input": args}
        ),
        tokens=(17, 5, 7, None),
    ),
    Protocol(
        model="google_genai:gemini-2.5-flash",
        address="GOOGLE_GEMINI_BASE_URL",
        key="GOOGLE_API_KEY",
        answered_by="gemini-2.5-flash-001",
        overloaded=503,
        native=lambda body: body["generationConfig"].get("responseJsonSchema"),
        tool=lambda body: (
            body.get("toolConfig", {})
            .get("functionCallingConfig", {})
            .get("allowedFunctionNames", [None])[0]
        ),
        says=lambda text: _google({"text": text}),
        calls=lambda args: _google({"functionCall": {"name": "Answer", "args": args}}),
        tokens=(17, 8, 7, 3),
    ),
]


class Server(ThreadingHTTPServer):
    """Gives the answers of a list in order: (status, headers, document), or ``None`` to hang up."""

    def __init__(self) -> None:
        super().__init__(("127.0.0.1", 0), _Handler)
        self.answers: list[tuple[int, dict[str, str], Document] | None] = []
        self.bodies: list[Document] = []
        self.headers: list[list[str]] = []

    def will(self, *answers: Document | tuple[int, dict[str, str], Document] | None) -> None:
        self.answers += [(200, {}, a) if isinstance(a, dict) else a for a in answers]


class _Handler(BaseHTTPRequestHandler):
    def do_POST(self) -> None:
        server: Any = self.server
        server.bodies.append(json.loads(self.rfile.read(int(self.headers["Content-Length"]))))
        server.headers.append(list(self.headers.values()))
        answer = server.answers.pop(0)
        if answer is None:
            return
        status, headers, document = answer
        body = json.dumps(document).encode()
        self.send_response(status)
        for name, value in {**headers, "Content-Type": "application/json"}.items():
            self.send_header(name, value)
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    def log_message(self, *_: object) -> None:
        """Quiet."""


def wrong(status: int, words: str, **headers: str) -> tuple[int, dict[str, str], Document]:
    """An error of either protocol, which differ in names that nobody here reads."""
    error = {"code": status, "status": "FAILED", "type": "api_error", "message": words}
    return status, headers, {"type": "error", "error": error}


@pytest.fixture
def server() -> Iterator[Server]:
    with Server() as server:
        thread = threading.Thread(target=server.serve_forever, args=(0.05,))
        thread.start()
        yield server
        server.shutdown()
        thread.join(60)


@pytest.fixture(params=PROTOCOLS, ids=lambda protocol: protocol.model.partition(":")[0])
def spoken(
    request: pytest.FixtureRequest, server: Server, monkeypatch: pytest.MonkeyPatch
) -> Protocol:
    protocol: Protocol = request.param
    package = f"langchain_{protocol.model.partition(':')[0]}"
    pytest.importorskip(package, reason="the provider's extra is not installed")
    for variable in ("ANTHROPIC_API_URL", "GEMINI_API_KEY", "GOOGLE_GENAI_USE_VERTEXAI"):
        monkeypatch.delenv(variable, raising=False)
    monkeypatch.setenv(protocol.key, KEY)
    monkeypatch.setenv(protocol.address, f"http://127.0.0.1:{server.server_port}")
    return protocol


@pytest.fixture
def model(spoken: Protocol) -> LanguageModel:
    return connect(spoken.model, retry=QUICK)


def test_an_answer_is_held_to_the_schema_and_counted(
    spoken: Protocol, model: LanguageModel, server: Server
) -> None:
    server.will(spoken.says(TEXT))
    reply = model.ask(ASKED, Answer)
    used = reply.usage
    counted = (used.tokens_in, used.tokens_out, used.tokens_cached, used.tokens_reasoning)
    assert (reply.text, reply.rung) == (TEXT, "the provider's own schema")
    assert counted == spoken.tokens
    assert reply.model == spoken.answered_by
    assert reply.usage.price is None  # a server of one's own may bill what it likes
    assert not model.priced
    (body,) = server.bodies
    assert list(spoken.native(body)["properties"]) == ["word"]
    assert any(KEY in value for value in server.headers[0])
    assert "temperature" not in json.dumps(body)


def test_a_model_without_formats_is_asked_by_a_tool_call(
    spoken: Protocol, model: LanguageModel, server: Server
) -> None:
    called = spoken.calls({"word": "yes"})
    server.will(wrong(400, "no such format"), called, called)
    replies = [model.ask(ASKED, Answer) for _ in range(2)]
    assert {(reply.text, reply.rung) for reply in replies} == {(TEXT, "a tool call")}
    assert [spoken.native(body) is not None for body in server.bodies] == [True, False, False]
    assert [spoken.tool(body) for body in server.bodies[1:]] == ["Answer", "Answer"]


def test_passing_faults_are_asked_again_after_the_wait_that_is_asked_for(
    spoken: Protocol, model: LanguageModel, server: Server
) -> None:
    server.will(
        wrong(429, "slow down", **{"Retry-After": "1"}),
        wrong(spoken.overloaded, "overloaded"),
        spoken.says(TEXT),
    )
    started = time.monotonic()
    assert model.ask(ASKED, Answer).text == TEXT
    assert time.monotonic() - started >= 1
    assert len(server.bodies) == 3  # the client adds no attempts of its own


@pytest.mark.parametrize(
    "spoken", [p for p in PROTOCOLS if p.model.startswith("google")], indirect=True
)
def test_a_wait_that_the_body_asks_for_is_kept_as_well(
    spoken: Protocol, model: LanguageModel, server: Server
) -> None:
    status, headers, document = wrong(429, "slow down")
    info = {"@type": "type.googleapis.com/google.rpc.RetryInfo", "retryDelay": "1.2s"}
    document["error"] |= {"details": [{"@type": "type.googleapis.com/google.rpc.Help"}, info]}
    server.will((status, headers, document), spoken.says(TEXT))
    started = time.monotonic()
    assert model.ask(ASKED, Answer).text == TEXT
    assert time.monotonic() - started >= 1.2


def test_a_broken_connection_is_asked_again(
    spoken: Protocol, model: LanguageModel, server: Server
) -> None:
    server.will(None, spoken.says(TEXT))
    assert model.ask(ASKED, Answer).text == TEXT


def test_lasting_faults_end_after_the_attempts(
    spoken: Protocol, model: LanguageModel, server: Server
) -> None:
    server.will(*[wrong(spoken.overloaded, "overloaded")] * 3)
    with pytest.raises(ModelCallError, match=f"after 3 attempts: it said HTTP {spoken.overloaded}"):
        model.ask(ASKED, Answer)


@pytest.mark.parametrize("status", [401, 403])
def test_a_key_is_never_told(
    spoken: Protocol, model: LanguageModel, server: Server, status: int
) -> None:
    server.will(wrong(status, f"invalid key {KEY}"))
    with pytest.raises(ModelCallError, match="does not accept the key") as caught:
        model.ask(ASKED, Answer)
    assert "***" in str(caught.value)
    assert KEY not in repr(caught.value)
    assert len(server.bodies) == 1
