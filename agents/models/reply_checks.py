"""Checks that every reply of a model passes: what a server reports is accepted only where it can be true.

A server may send anything for what it counts, calls itself and says. Here is decided
what of that a ledger can hold and a budget can count; nothing here reads the answer.
"""

import math
import re
from collections.abc import Callable, Sequence
from dataclasses import replace
from functools import lru_cache
from typing import Any

from pelnas.agents.models.base import Reply
from pelnas.calls import tokens
from pelnas.calls.call import Message
from pelnas.calls.usage import Usage

MOST_TOKENS = 10_000_000  # of one request: more than any context holds
NAME_LIMIT = 200  # characters of a model's name
DEEPEST = 64  # levels of a reply's JSON
_USAGE = ("usage", "usageMetadata", "usage_metadata")
_TALLY = re.compile(r"(?i)(?:tokens?|count)$")
_WORDS = ("id", "model", "modelVersion", "object", "system_fingerprint", "service_tier")


class ReplyError(Exception):
    """What a server sent is no reply. ``passing``: whether the same request may succeed later."""

    def __init__(self, what: str, *, passing: bool) -> None:
        super().__init__(what)
        self.passing = passing


def count(value: object) -> int | None:
    """A number of tokens as a server reports it; ``None`` for what cannot be one.

    Fractions are of servers that estimate; they count as the next whole number.
    """
    if isinstance(value, bool) or not isinstance(value, int | float):
        return None
    return math.ceil(value) if 0 <= value <= MOST_TOKENS else None  # NaN is in no interval


def part(value: object, whole: int) -> int | None:
    """A number of tokens that are part of so many others."""
    found = count(value)
    return found if found is not None and found <= whole else None


def plain(text: object) -> str:
    """Text that can be stored: lone surrogates are replaced."""
    return str(text).encode("utf-8", "replace").decode()


def name(value: object) -> str:
    """The name that a server gives to what answered, on one line; '' for what is no text."""
    return " ".join(plain(value).split())[:NAME_LIMIT] if isinstance(value, str) else ""


def received(reply: Reply, messages: Sequence[Message]) -> Reply:
    """A reply, of whichever model, with only what can be: counts that cannot are estimated here."""
    text = plain(reply.text)
    reported = reply.usage
    into, out = count(reported.tokens_in), count(reported.tokens_out)
    into = tokens.estimate(messages) if into is None else into
    out = tokens.count(text) if out is None else out
    usage = Usage(
        into,
        out,
        part(reported.tokens_cached, into),
        part(reported.tokens_reasoning, out),
        seconds=_amount(reported.seconds) or 0.0,
    )
    usage = usage.at(_amount(reported.price))
    return replace(reply, text=text, usage=usage, model=name(reply.model), rung=name(reply.rung))


def _amount(value: object) -> float | None:
    """Dollars or seconds; ``None`` for what cannot be."""
    if isinstance(value, bool) or not isinstance(value, int | float):
        return None
    return float(value) if 0 <= value < math.inf else None


# -- keys -------------------------------------------------------------------------


def hide(text: str, secrets: Sequence[str]) -> str:
    """The text without these very keys, also where some of their letters are escaped.

    JSON within JSON has its letters behind several backslashes, and whoever parses
    the text would put the key together again.
    """
    pattern = _pattern(tuple(secrets))
    return pattern.sub("***", text) if pattern is not None else text


@lru_cache(maxsize=64)
def _pattern(secrets: tuple[str, ...]) -> re.Pattern[str] | None:
    longest_first = sorted(filter(None, secrets), key=len, reverse=True)
    each = ("".join(map(_letter, secret)) for secret in longest_first)
    return re.compile("|".join(each)) if longest_first else None


def _letter(letter: str) -> str:
    """A letter as it is, or escaped as JSON and Python have it."""
    code = ord(letter)
    forms = [re.escape(letter), rf"\\+(?i:u{code:04x}|U{code:08x}|u\{{0*{code:x}\}}|x{code:02x})"]
    if not letter.isalnum():
        forms.append(rf"\\+{re.escape(letter)}")
    return f"(?:{'|'.join(forms)})"


# -- the JSON of a reply ------------------------------------------------------------


def tidy(document: Any, redact: Callable[[str], str]) -> Any:
    """The JSON of a reply without keys, and with only such metadata as clients can read.

    ReplyError: it is nested without end.
    """
    clean = scrub(document, redact)
    if not isinstance(clean, dict):
        return clean
    for key in _USAGE:
        if key in clean:
            clean[key] = _usage(clean[key])
    for key in _WORDS:
        if key in clean and not isinstance(clean[key], str):
            clean[key] = None
    kept = {k: v for k, v in clean.items() if not k.endswith("eval_count") or count(v) is not None}
    choices = kept.get("choices")
    for choice in choices if isinstance(choices, list) else ():
        _tidy_choice(choice)
    return kept


def _tidy_choice(choice: Any) -> None:
    if not isinstance(choice, dict):
        return
    if not isinstance(choice.get("finish_reason"), str):
        choice["finish_reason"] = None
    message = choice.get("message")
    if isinstance(message, dict) and not isinstance(message.get("refusal"), str):
        message.pop("refusal", None)


def scrub(value: Any, redact: Callable[[str], str], depth: int = 0) -> Any:
    """Plain data, every text in it storable and without keys. ReplyError: nested without end."""
    if depth > DEEPEST:
        raise ReplyError(f"JSON of more than {DEEPEST} levels", passing=True)
    if isinstance(value, str):
        return redact(plain(value))
    if isinstance(value, list | tuple):
        return [scrub(each, redact, depth + 1) for each in value]
    if isinstance(value, dict):
        return {redact(plain(key)): scrub(each, redact, depth + 1) for key, each in value.items()}
    return value


def _usage(reported: Any) -> Any:
    """The token counts of a server that are possible; anything else is left out."""
    if isinstance(reported, list):
        return [_usage(each) for each in reported]
    if not isinstance(reported, dict):
        return None
    kept: dict[str, Any] = {}
    for key, value in reported.items():
        if not _TALLY.search(key):
            kept[key] = _usage(value) if isinstance(value, dict | list) else value
        elif (found := count(value)) is not None:
            kept[key] = found
    return kept
