"""Replies over HTTP on their way in: one size limit, one deadline, and an error reported as an error.

The clients of the providers have their HTTP from ``httpx`` or from ``httpx2``, which differ
in name only. What stands around their transports here imports neither: whatever client a
provider has, its replies come through one place before anything parses them.
"""

import json
import re
import threading
import time
import zlib
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager, suppress
from contextvars import ContextVar
from dataclasses import dataclass, field
from typing import Any
from urllib.parse import urljoin, urlsplit

from pelnas.agents.models.reply_checks import ReplyError, tidy

LARGEST = 8 * 2**20  # bytes of a reply, unpacked: answers are read up to a hundredth of that
_UNPACKED = ("content-encoding", "content-length", "transfer-encoding")  # no longer true
_CODES = {
    "insufficient_quota": 402,
    "payment": 402,
    "credit": 402,
    "rate_limit": 429,
    "rate limit": 429,
    "too_many": 429,
    "resource_exhausted": 429,
    "authentication": 401,
    "unauthorized": 401,
    "invalid_api_key": 401,
    "permission": 403,
    "not_found": 404,
    "overloaded": 529,
    "unavailable": 503,
    "timeout": 504,
    "server_error": 500,
    "invalid_request": 400,
    "badrequest": 400,
}  # words for errors, where a server has no number for them
_ANSWERS = ("candidates", "content", "message")  # of protocols that are not OpenAI's
_TAGS = re.compile(r"(?is)<(script|style).*?</\1>|<[^>]*>")


@dataclass(frozen=True)
class Request:
    """One request of a call. ``until``: by ``time.monotonic``; ``redact``: takes keys out of text."""

    until: float
    redact: Callable[[str], str]
    over: threading.Event = field(default_factory=threading.Event)  # nobody waits any longer

    def left(self) -> float:
        """Seconds. TimeoutError: none, or nobody waits any longer."""
        seconds = self.until - time.monotonic()
        if seconds <= 0 or self.over.is_set():
            raise TimeoutError("no whole reply in time")
        return seconds


_CURRENT: ContextVar[Request | None] = ContextVar("request", default=None)  # of this thread


@contextmanager
def under(request: Request) -> Iterator[None]:
    """What is sent within the block, by this thread, is sent for this request."""
    before = _CURRENT.set(request)
    try:
        yield
    finally:
        _CURRENT.reset(before)


class Border:
    """A client's transport, with the border around it."""

    def __init__(self, inner: Any) -> None:
        self._inner = inner

    def handle_request(self, request: Any) -> Any:
        """The reply, read whole. ReplyError: it is none. TimeoutError: it did not come in time."""
        current = _CURRENT.get()
        if current is None:  # not sent for one of our calls
            return self._inner.handle_request(request)
        _hasten(request, current.left())
        request.headers["accept-encoding"] = "gzip, deflate"  # what is unpacked here, with a limit
        response = self._inner.handle_request(request)
        try:
            body = _body(response, current)
        finally:
            response.close()
        _refuse_detour(request, response)
        status, content = _told(response.status_code, body, _streams(request), current.redact)
        headers = [(k, v) for k, v in response.headers.multi_items() if k.lower() not in _UNPACKED]
        return type(response)(status, headers=headers, content=content)

    def close(self) -> None:
        """Close the connections."""
        self._inner.close()

    def __enter__(self) -> "Border":
        self._inner.__enter__()
        return self

    def __exit__(self, *error: Any) -> None:
        self._inner.__exit__(*error)


def guard(chat: object) -> bool:
    """Put the border around every HTTP client within a chat model; whether there was one."""
    clients = list(_clients(chat))
    for client in clients:
        client._transport = _bordered(client._transport)
        for pattern, transport in client._mounts.items():
            client._mounts[pattern] = _bordered(transport)
    return bool(clients)


def _bordered(transport: Any) -> Any:
    return transport if transport is None or isinstance(transport, Border) else Border(transport)


def _clients(holder: object, depth: int = 5, seen: set[int] | None = None) -> Iterator[Any]:
    """The HTTP clients that a client of a provider holds, wherever it keeps them."""
    seen = set() if seen is None else seen
    if depth == 0 or id(holder) in seen:
        return
    seen.add(id(holder))
    if hasattr(holder, "_transport") and hasattr(holder, "_mounts"):
        if hasattr(holder._transport, "handle_request"):
            yield holder
        return
    for value in _parts(holder):
        yield from _clients(value, depth - 1, seen)


def _parts(holder: object) -> Iterator[object]:
    """What an object of a provider's package holds; other objects hold no client of it."""
    lazy = getattr(type(holder), "_client", None)
    if lazy is not None:  # made at its first use
        with suppress(AttributeError):
            yield holder._client  # type: ignore[attr-defined]
    for value in list(getattr(holder, "__dict__", {}).values()):
        if type(value).__module__.partition(".")[0] not in ("builtins", "pydantic", "threading"):
            yield value


def _hasten(request: Any, seconds: float) -> None:
    """No wait of this request is longer than what is left of its time."""
    given = request.extensions.get("timeout") or {}
    waits = {name: given.get(name) for name in ("connect", "read", "write", "pool")}
    request.extensions["timeout"] = {
        name: seconds if wait is None else min(wait, seconds) for name, wait in waits.items()
    }


def _body(response: Any, request: Request) -> bytes:
    """The unpacked body. ReplyError: packed in a way that was not asked for, torn, or too large."""
    unpack = _unpacker(response.headers.get("content-encoding", ""))
    whole = bytearray()
    for piece in response.stream:
        request.left()
        room = LARGEST + 1 - len(whole)
        try:
            whole += unpack(piece, room)
        except zlib.error:
            raise ReplyError("a body that cannot be unpacked", passing=True) from None
        if len(whole) > LARGEST:
            raise ReplyError(f"more than {LARGEST // 2**20} MB", passing=False)
    return bytes(whole)


def _unpacker(encoding: str) -> Callable[[bytes, int], bytes]:
    match encoding.strip().lower():
        case "" | "identity":
            return lambda piece, room: piece[:room]
        case "gzip" | "x-gzip":
            return zlib.decompressobj(wbits=31).decompress
        case "deflate":
            return zlib.decompressobj().decompress
    raise ReplyError(f"a body packed as {encoding[:40]!r}, which was not asked for", passing=False)


def _refuse_detour(request: Any, response: Any) -> None:
    """A request carries a key, which is for this server alone."""
    place = response.headers.get("location")
    if response.status_code in (301, 302, 303, 307, 308) and place:
        here = str(request.url)
        there = urlsplit(urljoin(here, place))
        if (there.scheme, there.netloc) != tuple(urlsplit(here)[:2]):
            host = there.hostname or "another one"
            raise ReplyError(
                f"it sends to another server, {host}: give that address", passing=False
            )


def _streams(request: Any) -> bool:
    """Whether the client has asked for a stream, as Ollama's does."""
    try:
        asked = json.loads(request.content)
    except (ValueError, RecursionError):
        return False
    return isinstance(asked, dict) and bool(asked.get("stream"))


# -- what a body says ---------------------------------------------------------------


def _told(
    status: int, body: bytes, streams: bool, redact: Callable[[str], str]
) -> tuple[int, bytes]:
    """Status and body as an honest server would have sent them, without keys."""
    text = body.decode("utf-8", "replace")
    if streams and status < 300:
        return status, "\n".join(_lines(text, redact)).encode()
    document = _parsed(text)
    if document is None or not isinstance(document, dict | list):
        if status < 300:
            raise ReplyError(_described(text, redact), passing=not _is_stream(text))
        return status, redact(text).encode("utf-8", "replace")
    try:
        clean = tidy(document, redact)
    except ReplyError:
        if status < 300:
            raise
        clean = {"error": {"message": "an error nested without end"}}
    return (_judged(clean) if status < 300 else status), _dumped(clean)


def _lines(text: str, redact: Callable[[str], str]) -> Iterator[str]:
    """A stream of JSON, line by line; other lines are passed on without keys."""
    for line in text.splitlines():
        try:
            yield _dumped(tidy(json.loads(line), redact)).decode()
        except (ValueError, RecursionError):
            yield redact(line)


def _parsed(text: str) -> Any:
    """The JSON of a body, also where it came as a stream of events; ``None``: it is none."""
    try:
        return json.loads(text)
    except (ValueError, RecursionError):
        return joined(text) if _is_stream(text) else None


def _dumped(document: Any) -> bytes:
    return json.dumps(document).encode()


def _judged(document: Any) -> int:
    """The status that a reply of status 200 should have had.

    ReplyError: it holds an error without a status, or no answer.
    """
    if not isinstance(document, dict):
        raise ReplyError("a list in place of a reply", passing=True)
    choices = document.get("choices")
    error = _error_in(document)
    if error:
        status = _status_of(error, document)
        if status is not None:
            return status
        raise ReplyError(_words(error), passing=False)
    if "choices" in document or str(document.get("object", "")).startswith("chat"):
        first = choices[0] if isinstance(choices, list) and choices else None
        if not isinstance(first, dict) or not isinstance(first.get("message"), dict):
            raise ReplyError("a reply without an answer in it", passing=True)
    return 200


def _error_in(document: dict[str, Any]) -> Any:
    """What a reply says went wrong; nothing where it has an answer."""
    choices = document.get("choices")
    first = choices[0] if isinstance(choices, list) and choices else None
    if isinstance(first, dict):
        answered = first.get("message") and first.get("finish_reason") != "error"
        return first.get("error") or (None if answered else document.get("error"))
    if any(isinstance(document.get(name), dict | list) for name in _ANSWERS):
        return None
    told = (document.get(name) for name in ("error", "errors", "detail"))
    return next(filter(None, told), document if document.get("object") == "error" else None)


def _status_of(error: Any, document: dict[str, Any]) -> int | None:
    """The HTTP status that an error stands for, by number or by its words."""
    told = error if isinstance(error, dict) else document
    values = [told.get(key) for key in ("code", "status", "status_code", "type")]
    for value in values:
        if str(value).isascii() and str(value).isdigit() and 400 <= int(str(value)[:4]) <= 599:
            return int(str(value))
    words = " ".join(str(value).lower() for value in values)
    return next((status for word, status in _CODES.items() if word in words), None)


def _words(error: Any) -> str:
    """An error in its own words."""
    if isinstance(error, dict):
        error = error.get("message") or error.get("detail") or json.dumps(error)
    return str(error)


def _described(text: str, redact: Callable[[str], str]) -> str:
    """What stands in the place of JSON."""
    start = " ".join(redact(_TAGS.sub(" ", text[:10_000])).split())[:120]
    if not text.strip():
        return "an empty body"
    if text.lstrip().startswith("<"):
        return f"a web page in place of JSON: {start}"
    if _is_stream(text):
        return f"a stream that nobody asked for: {start}"
    return f"no JSON: {start}"


# -- a stream that nobody asked for ---------------------------------------------------


def _is_stream(text: str) -> bool:
    return text.lstrip().startswith(("data:", "event:", ": "))


def joined(text: str) -> Any:
    """The reply that a stream of server-sent events comes to; ``None``: it comes to none.

    For OpenAI's protocol; an error among the events is the reply.
    """
    events = list(_events(text))
    for event in events:
        if event.get("error"):
            return event
    deltas = [choice for event in events for choice in _deltas(event)]
    if not deltas:
        return None
    content = "".join(d["delta"]["content"] for d in deltas if _has_text(d["delta"]))
    reason = next(
        (d.get("finish_reason") for d in reversed(deltas) if d.get("finish_reason")), None
    )
    usage = next((e["usage"] for e in reversed(events) if e.get("usage")), None)
    message: dict[str, Any] = {"role": "assistant", "content": content}
    calls = _calls([d["delta"] for d in deltas])
    if calls:
        message |= {"tool_calls": calls}
    choice = {"index": 0, "message": message, "finish_reason": reason}
    whole = {key: events[0].get(key) for key in ("id", "model", "created")}
    return whole | {"object": "chat.completion", "choices": [choice], "usage": usage}


def _events(text: str) -> Iterator[dict[str, Any]]:
    for line in text.splitlines():
        kind, _, data = line.partition(":")
        if kind.strip() == "data":
            with suppress(ValueError, RecursionError):
                event = json.loads(data)
                if isinstance(event, dict):
                    yield event


def _deltas(event: dict[str, Any]) -> list[dict[str, Any]]:
    choices = event.get("choices")
    return [
        choice
        for choice in (choices if isinstance(choices, list) else ())
        if isinstance(choice, dict) and isinstance(choice.get("delta"), dict)
    ]


def _has_text(delta: dict[str, Any]) -> bool:
    return isinstance(delta.get("content"), str)


def _calls(deltas: Sequence[dict[str, Any]]) -> list[dict[str, Any]]:
    """The tool calls, whose arguments come in pieces."""
    calls: dict[Any, dict[str, Any]] = {}
    for piece in (one for delta in deltas for one in _listed(delta.get("tool_calls"))):
        told = piece["function"] if isinstance(piece.get("function"), dict) else {}
        call = calls.setdefault(
            str(piece.get("index")),
            {"id": None, "type": "function", "function": {"name": None, "arguments": ""}},
        )
        call["id"] = call["id"] or piece.get("id")
        call["function"]["name"] = call["function"]["name"] or told.get("name")
        call["function"]["arguments"] += str(told.get("arguments") or "")
    return list(calls.values())


def _listed(value: Any) -> list[dict[str, Any]]:
    return [one for one in value if isinstance(one, dict)] if isinstance(value, list) else []
