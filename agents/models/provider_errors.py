"""Errors of any provider: whether to retry, and one clear sentence."""

import re
from collections.abc import Container, Iterator, Sequence
from datetime import UTC, datetime
from email.utils import parsedate_to_datetime

import tenacity
from langchain_core.exceptions import ContextOverflowError
from langchain_core.exceptions import ModelError as ProviderError
from langchain_core.language_models import BaseChatModel
from pydantic import SecretStr

from pelnas.agents.models.reply_checks import ReplyError, hide, plain
from pelnas.inputs import address
from pelnas.traces.text import visible

NO_KEY = "none"  # servers on loopback need none, their client does
_PASSING = (408, 409, 425, 429, 500, 502, 503, 504, 529)  # worth asking again
_REFUSED = (400, 422, 500, 501)  # how servers answer to a role that they lack
_NO_SYSTEM = re.compile(
    r"(?is)\bsystem\b.{0,60}\b(?:role|messages?|prompts?|instructions?)\b"
    r"|\b(?:role|message|prompt|instruction)s?\b.{0,60}\bsystem\b|\broles must alternate\b"
    r"|\bDeveloper instruction is not enabled\b"
)
_UNREACHABLE = ("TransportError", "ConnectionError", "TimeoutError")
_OURS = ("LocalProtocolError", "UnsupportedProtocol", "InvalidURL")  # no server was asked
_EMPTY = ("", "Connection error.")  # what says nothing: the cause says more
_LINKS = 6  # errors that are looked at, from one to its cause
_GARBLED = 200  # an error of status 200: the body could not be read
_SAID = {
    _GARBLED: "what it sent cannot be read",
    401: "it does not accept the key, check the key's variable",
    402: "it wants to be paid, check the account",
    403: "it does not accept the key, check the key's variable",
    404: "it does not know this model or address, check both",
    429: "it limits the rate or the quota, wait or raise the limit",
}
_DELAY = re.compile(r"(\d{1,6}(?:\.\d{1,9})?)s")
_SECRETS = re.compile(
    r"\b(?:sk|pk|key|gsk|xai)-[\w-]{8,}|\bBearer\s+\S+|(?<=//)[^/\s@]+(?=@)|\bAIza[\w-]{20,}"
)


def status(error: BaseException) -> int | None:
    """The HTTP status in an error of whichever provider."""
    for holder in _holders(error):
        for attribute in ("status_code", "code"):
            value = getattr(holder, attribute, None)
            if isinstance(value, int):
                return value
    return None


def _holders(error: BaseException) -> Iterator[object]:
    """Where what the server said may stand: LangChain wraps the errors of some clients."""
    for each in _chain(error):
        yield each
        yield getattr(each, "response", None)


def _chain(error: BaseException) -> Iterator[BaseException]:
    """The error and what caused it, as far as that goes."""
    cause: BaseException | None = error
    for _ in range(_LINKS):
        if cause is None:
            return
        yield cause
        cause = cause.__cause__


def _is_one(error: BaseException, names: Container[str]) -> bool:
    """Whether an error or a cause is of such a class: clients have them from several packages."""
    return any(kind.__name__ in names for each in _chain(error) for kind in type(each).__mro__)


def refusal_of(error: BaseException) -> ReplyError | None:
    """Why what a server sent is no reply, where that is the error."""
    return next((each for each in _chain(error) if isinstance(each, ReplyError)), None)


def is_passing(error: BaseException) -> bool:
    """Whether the same request may succeed later."""
    refused = refusal_of(error)
    if refused is not None:
        return refused.passing
    if getattr(error, "code", None) == "insufficient_quota" or _is_one(error, _OURS):
        return False
    if isinstance(error, ProviderError) and error.is_retryable:
        return True
    return status(error) in (*_PASSING, _GARBLED) or _is_one(error, _UNREACHABLE)


def refuses_system(error: BaseException) -> bool:
    """Whether a server says that its model's template has no place for a system message."""
    return status(error) in _REFUSED and bool(_NO_SYSTEM.search(str(error)[:4_000]))


def asked_wait(outcome: tenacity.Future | None) -> float:
    """Seconds that the provider asks to wait, 0 where it does not: by Retry-After, or in the body."""
    error = outcome.exception() if outcome is not None else None
    if error is None:
        return 0.0
    headers = (getattr(holder, "headers", None) for holder in _holders(error))
    value = next((str(found.get("retry-after", "")) for found in headers if found), "")
    try:
        return max(0.0, float(value))
    except ValueError:
        return _until(value) or _told_in_body(error)


def _told_in_body(error: BaseException) -> float:
    """Google's way: ``{"retryDelay": "3.5s"}`` somewhere in what it says of the error."""
    bodies = (getattr(h, name, None) for h in _holders(error) for name in ("details", "body"))
    delays = (delay for body in bodies for delay in _delays(body))
    return next((float(found[1]) for delay in delays if (found := _DELAY.fullmatch(delay))), 0.0)


def _delays(document: object) -> Iterator[str]:
    if isinstance(document, dict):
        yield str(document.get("retryDelay", ""))
        document = list(document.values())
    if isinstance(document, list):
        for part in document:
            yield from _delays(part)


def _until(date: str) -> float:
    try:
        moment = parsedate_to_datetime(date)
    except ValueError:
        return 0.0
    if moment.tzinfo is None:
        moment = moment.replace(tzinfo=UTC)
    return max(0.0, (moment - datetime.now(UTC)).total_seconds())


def kind(error: BaseException) -> str:
    """What happened, in words."""
    if isinstance(error, ContextOverflowError):
        return "the prompt is longer than its context"
    if refusal_of(error) is not None:
        return "what it sent cannot be read" if is_passing(error) else "it sent no answer"
    code = status(error)
    if code is not None:
        return _SAID.get(code, f"it said HTTP {code}")
    if _is_one(error, ("TimeoutError", "TimeoutException", "APITimeoutError")):
        return "it did not answer in time"
    if is_passing(error):
        return "it cannot be reached"
    return f"its client failed with {type(error).__name__}"


def is_misled(error: BaseException) -> bool:
    """Whether the error may come of a path that the server does not have."""
    return refusal_of(error) is not None or status(error) in (400, 404, 405)


def said(error: BaseException) -> str:
    """An error in the words of the server, or of whatever was in the way to it."""
    words = str(refusal_of(error) or error)
    if words in _EMPTY:
        words = next((text for each in _chain(error) if (text := str(each)) not in _EMPTY), words)
    return words or type(error).__name__


def secrets_of(chat: BaseChatModel, server: str | None = None) -> tuple[str, ...]:
    """The keys that a chat model was made with, to be kept out of what is written.

    ``server``: the address that it was given, which may hold some.
    """
    values = (getattr(chat, field, None) for field in type(chat).model_fields)
    keys = (value.get_secret_value() for value in values if isinstance(value, SecretStr))
    secrets = tuple(key for key in keys if len(key) > 4 and key != NO_KEY)
    return secrets + (address.secrets(server) if server else ())


def without_keys(text: str) -> str:
    """The text without what looks like a key."""
    return _SECRETS.sub("***", text)


def clean(text: str, secrets: Sequence[str], limit: int = 200) -> str:
    """One line of what a provider said, without keys, and without what acts on a terminal."""
    line = visible(" ".join(without_keys(hide(plain(text), secrets)).split()))
    return line if len(line) <= limit else line[:limit] + "…"
