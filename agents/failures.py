"""What a failed request says, of whichever provider: whether to ask again, and in words."""

import re
from collections.abc import Iterator, Sequence
from datetime import UTC, datetime
from email.utils import parsedate_to_datetime

import httpx
import tenacity
from langchain_core.exceptions import ContextOverflowError
from langchain_core.exceptions import ModelError as ProviderError
from langchain_core.language_models import BaseChatModel
from pydantic import SecretStr

_PASSING = (408, 409, 425, 429, 500, 502, 503, 504, 529)  # worth asking again
_GARBLED = 200  # an error of status 200: the body could not be read
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


def _holders(error: BaseException) -> tuple[object, ...]:
    """Where what the server said may stand: LangChain wraps the errors of some clients."""
    cause = error.__cause__
    return error, getattr(error, "response", None), cause, getattr(cause, "response", None)


def is_passing(error: BaseException) -> bool:
    """Whether the same request may succeed later."""
    if getattr(error, "code", None) == "insufficient_quota":
        return False
    if isinstance(error, ProviderError) and error.is_retryable:
        return True
    unreachable = (httpx.TransportError, ConnectionError, TimeoutError)
    causes = (error, error.__cause__)
    return status(error) in (*_PASSING, _GARBLED) or any(isinstance(c, unreachable) for c in causes)


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
    code = status(error)
    if code == _GARBLED:
        return "what it sent cannot be read"
    if code == 429:
        return "it limits the rate or the quota, wait or raise the limit"
    if code in (401, 403):
        return "it does not accept the key, check the key's variable"
    if code == 404:
        return "it does not know this model or address, check both"
    if code is not None:
        return f"it said HTTP {code}"
    name = type(error).__name__
    if isinstance(error, TimeoutError | httpx.TimeoutException) or "Timeout" in name:
        return "it did not answer in time"
    if is_passing(error):
        return "it cannot be reached"
    return f"its client failed with {name}"


def secrets_of(chat: BaseChatModel) -> tuple[str, ...]:
    """The keys that a chat model was made with, to be kept out of what is written."""
    values = (getattr(chat, field, None) for field in type(chat).model_fields)
    secrets = (value.get_secret_value() for value in values if isinstance(value, SecretStr))
    return tuple(secret for secret in secrets if len(secret) > 4)


def hide(text: str, secrets: Sequence[str]) -> str:
    """The text without these very keys, should the provider have sent one back."""
    for secret in secrets:
        text = text.replace(secret, "***")
    return text


def without_keys(text: str) -> str:
    """The text without what looks like a key."""
    return _SECRETS.sub("***", text)


def clean(text: str, secrets: Sequence[str], limit: int = 200) -> str:
    """One line of what a provider said, without keys."""
    line = " ".join(without_keys(hide(text, secrets)).split())
    return line if len(line) <= limit else line[:limit] + "…"
