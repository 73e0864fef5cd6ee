"""A loopback server that speaks OpenAI's chat protocol and answers by calling a function.

It gives the whole path over HTTP without a key, an account or weights: for tests,
demonstrations and for trying what a search does when a provider misbehaves.
"""

import json
import threading
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any, Literal, Self, cast

from pelnas.calls import tokens
from pelnas.calls.call import Message


@dataclass(frozen=True, slots=True)
class Fault:
    """How one request goes wrong: after ``stall`` seconds, ``status`` with ``body``.

    ``drop`` closes the connection without a word. A ``body`` of ``None`` is an
    error in OpenAI's form. ``Fault(stall=2)`` is a slow answer that then is right.
    """

    status: int = 200
    headers: Mapping[str, str] = field(default_factory=dict)
    body: bytes | None = None
    stall: float = 0.0
    drop: bool = False

    @property
    def answers(self) -> bool:
        """Whether the right answer follows after all."""
        return self.status == 200 and self.body is None and not self.drop


@dataclass(frozen=True, slots=True)
class ToolCalls:
    """An answer that calls tools: (name, arguments as text) for each, beside some ``text``."""

    calls: Sequence[tuple[str, str]]
    text: str = ""


#: What answers a request: its messages and the JSON schema that the answer should fit.
ToolAnswerer = Callable[[Sequence[Message], dict[str, Any]], str | ToolCalls]


class LoopbackServer:
    """Answers ``/v1/chat/completions`` by ``answer(messages, json_schema)`` while entered.

    ``faults`` are taken in order, one for each chat request, ``None`` for none; an
    endless generator makes a faulty server. ``formats=False`` refuses
    ``response_format`` as simple servers do. ``tools``: whether the one tool of a
    request is called with the answer, refused, or taken and met with an ``empty``
    answer, as some servers do; ``free``: the answer decides, by being ``ToolCalls``
    or a text. ``key`` is demanded if given.
    ``requests`` keeps the bodies, in order of arrival; ``url`` is the base URL.
    """

    def __init__(
        self,
        answer: ToolAnswerer,
        *,
        faults: Iterable[Fault | None] = (),
        formats: bool = True,
        tools: Literal["called", "refused", "empty", "free"] = "called",
        key: str | None = None,
    ) -> None:
        self.requests: list[dict[str, Any]] = []
        self.formats = formats
        self.tools = tools
        self.key = key
        self.closing = threading.Event()  # ends stalls
        self._answer = answer
        self._faults: Iterator[Fault | None] = iter(faults)
        self._lock = threading.Lock()
        self._http = _Server(("127.0.0.1", 0), _Handler)
        self._http.owner = self
        self._thread = threading.Thread(target=self._http.serve_forever, args=(0.05,), daemon=True)

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self._http.server_port}/v1"

    def __enter__(self) -> Self:
        self._thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        self.closing.set()
        self._http.shutdown()
        self._http.server_close()
        self._thread.join()

    def take(self, body: dict[str, Any]) -> Fault:
        """Note a request and say how it is to go wrong."""
        with self._lock:
            self.requests.append(body)
            return next(self._faults, None) or Fault()

    def complete(self, body: dict[str, Any]) -> dict[str, Any]:
        """The answer to a chat request, in OpenAI's form."""
        messages = [Message(m["role"], str(m["content"])) for m in body["messages"]]
        form = body.get("response_format") or {}
        tools = () if self.tools == "free" else body.get("tools") or ()
        tool = next((entry["function"] for entry in tools), None)
        schema = tool["parameters"] if tool else form.get("json_schema", {}).get("schema", {})
        answer = "" if tool and self.tools == "empty" else self._answer(messages, schema)
        if tool and isinstance(answer, str) and answer:
            answer = ToolCalls([(tool["name"], answer)])
        said = _said(answer)
        spent = {
            "prompt_tokens": tokens.estimate(messages),
            "completion_tokens": tokens.count(json.dumps(said["message"]))
            if isinstance(answer, ToolCalls)
            else tokens.count(answer),
        }
        return {
            "id": f"chatcmpl-{len(self.requests)}",
            "object": "chat.completion",
            "created": 0,
            "model": body.get("model", ""),
            "choices": [{"index": 0, **said}],
            "usage": {**spent, "total_tokens": sum(spent.values())},
        }


class _Server(ThreadingHTTPServer):
    owner: LoopbackServer


class _Handler(BaseHTTPRequestHandler):
    def do_POST(self) -> None:
        owner = cast(_Server, self.server).owner
        body = json.loads(self.rfile.read(int(self.headers.get("Content-Length", 0))))
        refusal = self._refusal(owner, body)
        if refusal:
            status, reason = refusal
            self._send(status, _error(reason))
            return
        fault = owner.take(body)
        owner.closing.wait(fault.stall)
        if fault.drop:
            return
        if fault.answers:
            self._send(200, json.dumps(owner.complete(body)).encode(), fault.headers)
        else:
            wrong = _error("out of order on purpose") if fault.body is None else fault.body
            self._send(fault.status, wrong, fault.headers)

    def _refusal(self, owner: LoopbackServer, body: dict[str, Any]) -> tuple[int, str] | None:
        """The status and reason for a request that a sound server would refuse too."""
        if self.path != "/v1/chat/completions":
            return 404, f"no such path: {self.path}"
        if owner.key and self.headers.get("Authorization") != f"Bearer {owner.key}":
            return 401, f"incorrect API key: {self.headers.get('Authorization')}"
        if body.get("stream"):
            return 400, "streaming is not offered"
        if body.get("response_format") and not owner.formats:
            return 400, "response_format is not supported"
        if body.get("tools") and owner.tools == "refused":
            return 400, "tools are not supported"
        return None

    def _send(self, status: int, body: bytes, headers: Mapping[str, str] | None = None) -> None:
        try:
            self.send_response(status)
            for name, value in {"Content-Type": "application/json", **(headers or {})}.items():
                self.send_header(name, value)
            self.send_header("Content-Length", str(len(body)))
            self.end_headers()
            self.wfile.write(body)
        except ConnectionError:
            self.close_connection = True  # the client did not wait

    def log_message(self, format: str, *args: object) -> None:  # noqa: A002 - as in the base
        """Say nothing on the terminal."""


def _error(reason: str) -> bytes:
    return json.dumps({"error": {"message": reason, "type": "error", "code": None}}).encode()


def _said(answer: str | ToolCalls) -> dict[str, Any]:
    """A message, or calls of tools, and why it ends."""
    if isinstance(answer, str):
        return {"message": {"role": "assistant", "content": answer}, "finish_reason": "stop"}
    calls = [
        {"id": f"call-{i}", "type": "function", "function": {"name": name, "arguments": arguments}}
        for i, (name, arguments) in enumerate(answer.calls, 1)
    ]
    message = {"role": "assistant", "content": answer.text or None, "tool_calls": calls}
    return {"message": message, "finish_reason": "tool_calls"}
