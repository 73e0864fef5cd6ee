"""Replies that a model server might send and should not: seeded, and without end.

``odd_reply`` gives one, ``odd_replies`` as many as are wanted. Each is a fault of
``pelnas.agents.testing.server``; ``KEY`` stands in many of them, as if the server sent it back.
"""

import gzip
import json
import math
import random
import zlib
from collections.abc import Callable, Iterator
from typing import Any

from pelnas.agents.testing.server import Fault

KEY = "planted-4f1d9c2b7a"
TEXTS = (
    '{"word": "yes"}', '{"niches": [{"niche": 0, "designs": 2, "focus": "x"}]}', '{"rules": []}',
    '{"designs": []}', "", " ", "null", "[]", "NaN", '"', "{", "\x00", "\ud800", "\x1b[2J", "\u202e",
    "<think>", "```json\n{}\n```", "a" * 50_000, "{" * 5_000, '{"word": ' * 300,
    json.dumps({"word": KEY}), json.dumps({"word": KEY}).replace("p", "\\u0070"),
)  # fmt: skip
VALUES: tuple[Any, ...] = (
    None, True, False, 0, 1, -1, -350, 0.5, -0.0, 2**31, 2**63, 2**64, -(2**63), 10**400, 1e308,
    math.nan, math.inf, -math.inf, "", "20", "-5", "1e9", "NaN", KEY, "\ud800", "\x1b]0;x\x07",
    [], [1], [[]], [None], {}, {"a": 1}, {"": {}}, "x" * 10_000,
)  # fmt: skip
STATUSES = (200, 200, 200, 201, 202, 204, 301, 307, 308, 400, 401, 402, 403, 404, 408, 409, 413,
            418, 422, 425, 429, 451, 500, 501, 502, 503, 504, 529, 599)  # fmt: skip
HEADERS = (
    {"Retry-After": "-1"}, {"Retry-After": "NaN"}, {"Retry-After": "inf"}, {"Retry-After": "x" * 99},
    {"Retry-After": "Mon, 99 Nonsense 2026"}, {"Content-Type": "text/html"}, {"Content-Type": ""},
    {"Content-Type": "text/event-stream"}, {"Content-Type": "application/json; charset=utf-7"},
    {"Content-Encoding": "gzip"}, {"Content-Encoding": "br"}, {"Content-Encoding": "gzip, gzip"},
    {"Location": "http://127.0.0.1:9/"}, {"Location": "//"}, {"x-request-id": KEY}, {},
)  # fmt: skip


def odd_replies(seed: int, count: int) -> Iterator[Fault]:
    """``count`` replies, the same ones for the same seed."""
    rng = random.Random(seed)
    for _ in range(count):
        yield odd_reply(rng)


def odd_reply(rng: random.Random) -> Fault:
    """One reply in which something is not as it should be, and often more than that."""
    document = _completion(rng)
    for _ in range(rng.choice((0, 1, 1, 2, 5))):
        rng.choice(_CHANGES)(rng, document)
    body = _written(rng, document)
    headers = dict(rng.choice(HEADERS)) if rng.random() < 0.2 else {}
    if rng.random() < 0.35:
        body, more = rng.choice(_BODIES)(rng, body)
        headers |= more
    status = rng.choice(STATUSES) if rng.random() < 0.3 else 200
    return Fault(status, headers, body, drop=rng.random() < 0.02)


def _completion(rng: random.Random) -> dict[str, Any]:
    message: dict[str, Any] = {"role": "assistant", "content": rng.choice(TEXTS)}
    if rng.random() < 0.3:
        called = {
            "name": rng.choice(("Answer", "status", "", None)),
            "arguments": rng.choice(TEXTS),
        }
        message["tool_calls"] = [{"id": rng.choice(VALUES), "type": "function", "function": called}]
    return {
        "id": "chatcmpl-1",
        "object": "chat.completion",
        "created": 1,
        "model": "odd",
        "choices": [{"index": 0, "message": message, "finish_reason": "stop"}],
        "usage": {
            "prompt_tokens": 100,
            "completion_tokens": 20,
            "total_tokens": 120,
            "prompt_tokens_details": {"cached_tokens": 3},
            "completion_tokens_details": {"reasoning_tokens": 4},
        },
    }


# -- changes of the document ------------------------------------------------------------


def _places(node: Any) -> list[tuple[Any, Any]]:
    """Every container and key in a document."""
    keys = node if isinstance(node, dict) else range(len(node)) if isinstance(node, list) else ()
    return [place for key in keys for place in ((node, key), *_places(node[key]))]


def _odd_value(rng: random.Random, document: dict[str, Any]) -> None:
    node, key = rng.choice(_places(document) or [(document, "x")])
    node[key] = rng.choice(VALUES)


def _odd_usage(rng: random.Random, document: dict[str, Any]) -> None:
    places = _places(document.get("usage"))
    if places:
        for node, key in rng.sample(places, rng.randint(1, len(places))):
            if isinstance(node, dict) and key in node:
                node[key] = rng.choice(VALUES)


def _gone(rng: random.Random, document: dict[str, Any]) -> None:
    node, key = rng.choice(_places(document) or [(document, "x")])
    if isinstance(node, dict):
        node.pop(key, None)


def _deep(rng: random.Random, document: dict[str, Any]) -> None:
    value: Any = rng.choice(VALUES)
    for _ in range(rng.choice((3, 70, 400))):
        value = [value] if rng.random() < 0.5 else {"a": value}
    document[rng.choice(("usage", "choices", "extra", "error"))] = value


def _failed(rng: random.Random, document: dict[str, Any]) -> None:
    error: Any = {"message": f"no: {KEY}", "code": rng.choice((*STATUSES, *VALUES))}
    where = rng.choice(("error", "detail", "errors", "choice"))
    if where != "choice":
        document[where] = rng.choice((error, error["message"], [error], rng.choice(VALUES)))
        if rng.random() < 0.7:
            document.pop("choices", None)
    elif isinstance(document.get("choices"), list) and document["choices"]:
        document["choices"][0] = {"error": error, "finish_reason": "error", "message": {}}


_CHANGES: tuple[Callable[[random.Random, dict[str, Any]], None], ...] = (
    _odd_value, _odd_usage, _odd_usage, _gone, _deep, _failed,
)  # fmt: skip


# -- changes of the bytes ------------------------------------------------------------------


def _written(rng: random.Random, document: dict[str, Any]) -> bytes:
    text = json.dumps(document)
    if rng.random() < 0.3:  # a key whose letters are escaped
        text = text.replace(KEY, "".join(f"\\u{ord(letter):04x}" for letter in KEY))
    return text.encode()


Changed = tuple[bytes, dict[str, str]]


def _torn(rng: random.Random, body: bytes) -> Changed:
    return body[: rng.randrange(len(body) + 1)], {}


def _flipped(rng: random.Random, body: bytes) -> Changed:
    changed = bytearray(body)
    for _ in range(rng.randint(1, 20)):
        changed[rng.randrange(len(changed))] = rng.randrange(256)
    return bytes(changed), {}


def _packed(rng: random.Random, body: bytes) -> Changed:
    pack, name = rng.choice(((gzip.compress, "gzip"), (zlib.compress, "deflate")))
    packed = pack(body)
    kept = len(packed) if rng.random() < 0.5 else rng.randrange(len(packed))
    return packed[:kept], {"Content-Encoding": name}


def _bomb(_rng: random.Random, _body: bytes) -> Changed:
    return _BOMB, {"Content-Encoding": "gzip"}


def _other(rng: random.Random, body: bytes) -> Changed:
    page = b"<html><script>x</script><h1>Sign in</h1>" + KEY.encode()
    stream = b"data: " + body + b"\n\ndata: [DONE]\n\n"
    number = b'{"usage": {"prompt_tokens": 1' + b"0" * 5_000 + b"}}"
    others = (
        b"", b" ", page, stream, number, rng.randbytes(200), b"[" * 20_000, b"\xef\xbb\xbf" + body,
        body + body, body.decode().encode("utf-16"), b"data: {", b"event: error\ndata: {}\n\n",
        b'data: {"choices": [{"delta": {"content": "\\ud800", "tool_calls": [7, {}]}}]}\n\n',
    )  # fmt: skip
    return rng.choice(others), {}


_BOMB = gzip.compress(b" " * 20_000_000)
_BODIES = (_torn, _flipped, _packed, _other, _other, _bomb)
