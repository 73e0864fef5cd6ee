"""Language models through LangChain: structured answers, retries, and keys kept out of errors."""

import json
import os
import re
import time
from collections.abc import Callable, Mapping, Sequence
from difflib import get_close_matches
from typing import Any

import tenacity
from langchain.chat_models import init_chat_model
from langchain_core.exceptions import ContextOverflowError
from langchain_core.language_models import BaseChatModel
from langchain_core.messages import AIMessage
from langchain_core.runnables import Runnable, RunnableSequence
from pydantic import BaseModel

from pelnas import tokens
from pelnas.agents.failures import asked_wait, clean, hide, is_passing, kind, secrets_of, status
from pelnas.agents.models import LanguageModel, Patience, Reply
from pelnas.agents.reading import schema_text, strict_schema
from pelnas.call import Message
from pelnas.errors import ModelCallError, ModelError
from pelnas.prices import Tariff, tariff

EXTRAS = {
    "openai": "openai",
    "anthropic": "anthropic",
    "google_genai": "google",
    "ollama": "ollama",
}
KEYS = {
    "openai": ("OPENAI_API_KEY",),
    "anthropic": ("ANTHROPIC_API_KEY",),
    "google_genai": ("GOOGLE_API_KEY", "GEMINI_API_KEY"),
}
IN_TEXT = "JSON in text"  # the rung below the provider's own
_LONGEST_WAIT = 30.0  # seconds of backoff where the provider asks for nothing
_REFUSED = (400, 415, 422, 501)  # what servers say to a response format that they lack
_PASSING = (408, 409, 425, 429, 500, 502, 503, 504, 529)  # worth asking again
_SECRETS = re.compile(
    r"\b(?:sk|pk|key|gsk|xai)-[\w-]{8,}|\bBearer\s+\S+|//[^/\s@]+@|\bAIza[\w-]{20,}"
)


def connect_provider(
    name: str, base_url: str | None, temperature: float | None, patience: Patience
) -> LanguageModel:
    """The model of one of LangChain's providers; see ``pelnas.agents.models.connect``."""
    provider, _, model = name.partition(":")
    base_url = _own_server(base_url) if provider == "openai" else None
    if base_url is None and provider in KEYS and not _has_key(provider):
        raise ModelError(f"{name} needs a key: set the variable {KEYS[provider][0]}")
    settings = _settings(provider, base_url, temperature, patience)
    try:
        chat = init_chat_model(model, model_provider=provider, **settings)
    except ImportError as error:
        raise ModelError(_missing_package(name, provider, error)) from None
    except Exception as error:  # noqa: BLE001 - each provider's client refuses in its own way
        raise ModelError(_unusable(name, provider, error)) from None
    return ProviderModel(name, chat, patience, tariff(name, base_url))


class ProviderModel(LanguageModel):
    """A LangChain chat model behind the protocol.

    The first rung is the provider's own structured output (``json_schema``). A server
    that refuses it gets the schema in the prompt instead, and is not asked for the
    first rung again once that has worked.
    """

    first_rung = "the provider's own schema"

    def __init__(
        self, name: str, chat: BaseChatModel, patience: Patience, bill: Tariff | None = None
    ) -> None:
        """``bill``: what calls cost; ``None``: unknown."""
        self.name = name
        self.priced = bill is not None
        self._bill = bill
        self._chat = chat
        self._patience = patience
        self._native = True
        self._secrets = secrets_of(chat)

    def ask(self, messages: Sequence[Message], schema: type[BaseModel]) -> Reply:
        started = time.perf_counter()
        message, rung = self._climb(messages, schema)
        text = _text_of(message).encode("utf-8", "replace").decode()  # no lone surrogates
        text = hide(text, self._secrets)
        usage: Mapping[str, Any] = message.usage_metadata or {}
        answered_by = message.response_metadata.get("model_name") or self.name.partition(":")[2]
        tokens_in = usage.get("input_tokens") or tokens.estimate(messages, self.name)
        tokens_out = usage.get("output_tokens") or tokens.count(text, self.name)
        cached = _part(usage, "input_token_details", "cache_read")
        return Reply(
            text,
            tokens_in,
            tokens_out,
            time.perf_counter() - started,
            clean(str(answered_by), self._secrets),
            tokens_cached=cached,
            tokens_reasoning=_part(usage, "output_token_details", "reasoning"),
            dollars=None
            if self._bill is None
            else self._bill.dollars(tokens_in, tokens_out, cached),
            rung=rung,
        )

    def _climb(self, messages: Sequence[Message], schema: type[BaseModel]) -> tuple[AIMessage, str]:
        """The answer of the highest rung that the server accepts, and which one that was."""
        if self._native:
            try:
                message = self._persist(lambda: self._ask_native(messages, schema))
                return message, self.first_rung if message.text else "a tool call"
            except _FormatRefusedError:
                message = self._persist(lambda: self._ask_in_text(messages, schema))
                self._native = False
                return message, IN_TEXT
        return self._persist(lambda: self._ask_in_text(messages, schema)), IN_TEXT

    def _ask_native(self, messages: Sequence[Message], schema: type[BaseModel]) -> AIMessage:
        asked = self._structured(strict_schema(schema))
        try:
            answer = asked.invoke(_as_langchain(messages))
        except Exception as error:
            cut_off = _cut_off(error)
            if cut_off is not None:
                return cut_off
            if status(error) in _REFUSED and not isinstance(error, ContextOverflowError):
                raise _FormatRefusedError(str(error)) from error
            raise
        if not isinstance(answer, AIMessage):
            raise _FormatRefusedError(f"it answered with {type(answer).__name__}")
        return answer

    def _structured(self, form: dict[str, Any]) -> Runnable[Any, Any]:
        """The chat model held to a form, without LangChain's parser behind it.

        Answers are validated where they can be sent back; the parser would raise on a
        broken one, and take minutes over a long one. A form that is no class keeps the
        client of OpenAI from validating too.
        """
        strict = {"strict": True} if self.name.startswith("openai:") else {}
        try:
            chain = self._chat.with_structured_output(form, method="json_schema", **strict)
        except (NotImplementedError, TypeError, ValueError) as error:
            raise _FormatRefusedError(str(error)) from error
        return chain.first if isinstance(chain, RunnableSequence) else chain

    def _ask_in_text(self, messages: Sequence[Message], schema: type[BaseModel]) -> AIMessage:
        form = (
            "\n\nAnswer with one JSON object and nothing else, no code fence and no comment."
            f" It must fit this JSON schema: {schema_text(schema)}"
        )
        *before, last = messages
        return self._chat.invoke(_as_langchain([*before, Message(last.role, last.content + form)]))

    def _persist(self, request: Callable[[], AIMessage]) -> AIMessage:
        """Ask until there is an answer or the patience ends."""
        patience = self._patience
        backoff = tenacity.wait_random_exponential(patience.first_wait, _LONGEST_WAIT)
        retrying = tenacity.Retrying(
            retry=tenacity.retry_if_exception(is_passing),
            wait=lambda state: asked_wait(state.outcome) or backoff(state),
            stop=tenacity.stop_after_attempt(patience.attempts)
            | tenacity.stop_before_delay(patience.total),
            reraise=True,
        )
        try:
            return retrying(request)
        except _FormatRefusedError:
            raise
        except Exception as error:  # noqa: BLE001 - providers raise whatever they like
            attempts = int(retrying.statistics.get("attempt_number", 1))
            raise ModelCallError(self._failure(error, attempts)) from None

    def _failure(self, error: BaseException, attempts: int) -> str:
        times = "" if attempts == 1 else f" after {attempts} attempts"
        said = clean(str(error), self._secrets) or type(error).__name__
        return f"{self.name} gave no answer{times}: {kind(error)} ({said})"


class _FormatRefusedError(Exception):
    """The server does not do this kind of structured output."""


def _settings(
    provider: str, base_url: str | None, temperature: float | None, patience: Patience
) -> dict[str, Any]:
    """What the provider's client is made with. Retries are counted here, not in the client."""
    settings: dict[str, Any] = {"disable_streaming": True}
    if provider == "ollama":
        settings["client_kwargs"] = {"timeout": patience.timeout}
    else:
        settings |= {"timeout": patience.timeout, "max_retries": 0}
    if temperature is not None:
        settings["temperature"] = temperature
    if provider == "openai":
        settings["use_responses_api"] = False
    if base_url is not None:
        settings["base_url"] = base_url
        if not _has_key(provider):
            settings["api_key"] = "none"  # servers on loopback need none, the client does
    return settings


def _own_server(base_url: str | None) -> str | None:
    """The OpenAI-compatible server that the caller or OpenAI's own variables name."""
    return base_url or os.environ.get("OPENAI_BASE_URL") or os.environ.get("OPENAI_API_BASE")


def _has_key(provider: str) -> bool:
    return any(os.environ.get(key) for key in KEYS[provider])


def _missing_package(name: str, provider: str, error: ImportError) -> str:
    if provider in EXTRAS:
        remedy = f"pip install 'pelnas[{EXTRAS[provider]}]'"
    else:
        found = re.search(r"pip install \S+?(?=[`'\"\s]|$)", str(error))
        remedy = found.group() if found else f"pip install langchain-{provider.replace('_', '-')}"
    return f"{name} needs a package that is not installed: {remedy}"


def _unusable(name: str, provider: str, error: Exception) -> str:
    supported = _supported(error)
    if supported:
        near = get_close_matches(provider, supported, n=1) or ["openai"]
        return (
            f"unknown model provider {provider!r} in {name}, did you mean {near[0]}:"
            f" use local or one of {', '.join(supported)}"
        )
    return f"{name} cannot be used as configured: {clean(str(error), ())}"


def _supported(error: Exception) -> list[str]:
    """The providers that LangChain lists where it does not know one."""
    found = re.search(r"Supported model providers are: (.*)", str(error), re.DOTALL)
    return [name.strip() for name in found.group(1).split(",")] if found else []


def _as_langchain(messages: Sequence[Message]) -> list[tuple[str, str]]:
    return [(message.role, message.content) for message in messages]


def _text_of(message: AIMessage) -> str:
    """The text, or what stands in its place: the arguments of a tool call, or a refusal."""
    text = str(message.text)
    if text:
        return text
    if message.tool_calls:
        return json.dumps(message.tool_calls[0]["args"])
    if message.invalid_tool_calls:
        return message.invalid_tool_calls[0]["args"] or ""
    return str(message.additional_kwargs.get("refusal") or "")


def _part(usage: Mapping[str, Any], side: str, name: str) -> int | None:
    """Tokens of one sort, where the provider tells them apart."""
    found = (usage.get(side) or {}).get(name)
    return found if isinstance(found, int) else None


def _cut_off(error: Exception) -> AIMessage | None:
    """The unfinished answer that OpenAI's client raises instead of returning it."""
    completion = getattr(error, "completion", None)
    if completion is None:
        return None
    usage = completion.usage
    return AIMessage(
        completion.choices[0].message.content or "",
        response_metadata={"model_name": completion.model},
        usage_metadata=None
        if usage is None
        else {
            "input_tokens": usage.prompt_tokens,
            "output_tokens": usage.completion_tokens,
            "total_tokens": usage.total_tokens,
        },
    )
