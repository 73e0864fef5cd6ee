"""Language models through LangChain: structured answers, retries, and keys kept out of errors."""

import json
import os
import re
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from difflib import get_close_matches
from typing import Any

import tenacity
from langchain.chat_models import init_chat_model
from langchain_core.language_models import BaseChatModel
from langchain_core.messages import AIMessage, BaseMessage
from langchain_core.tools import BaseTool
from pydantic import BaseModel

from pelnas import tokens
from pelnas.agents.failures import asked_wait, clean, hide, is_passing, kind, secrets_of
from pelnas.agents.ladder import NATIVE, FormRefusedError, Ladder, Persist, with_tools
from pelnas.agents.models import LanguageModel, Move, Patience, Reply, own_server
from pelnas.call import Message
from pelnas.errors import ModelCallError, ModelError, ToolsRefusedError
from pelnas.extras import install
from pelnas.prices import Tariff, rates, tariff

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
_LONGEST_WAIT = 30.0  # seconds of backoff where the provider asks for nothing


def connect_provider(
    name: str, base_url: str | None, temperature: float | None, patience: Patience
) -> LanguageModel:
    """The model of one of LangChain's providers; see ``pelnas.agents.models.connect``."""
    provider, _, model = name.partition(":")
    server = own_server(name, base_url)
    keyless = provider not in KEYS or (provider == "openai" and server is not None)
    if not keyless and not _has_key(provider):
        raise ModelError(f"{name} needs a key: set the variable {KEYS[provider][0]}")
    settings = _settings(provider, server, temperature, patience)
    try:
        chat = init_chat_model(model, model_provider=provider, **settings)
    except ImportError as error:
        raise ModelError(_missing_package(name, provider, error)) from None
    except Exception as error:  # noqa: BLE001 - each provider's client refuses in its own way
        raise ModelError(_unusable(name, provider, error)) from None
    return ProviderModel(name, chat, patience, tariff(name, server))


class ProviderModel(LanguageModel):
    """A LangChain chat model behind the protocol, held to a form by ``pelnas.agents.ladder``."""

    first_rung = NATIVE
    calls_tools = True

    def __init__(
        self, name: str, chat: BaseChatModel, patience: Patience, bill: Tariff | None = None
    ) -> None:
        """``bill``: what calls cost; ``None``: unknown."""
        self.name = name
        self.priced = bill is not None
        self.rates = rates(name, bill)
        self._bill = bill
        self._ladder = Ladder(chat, self.first_rung)
        self._patience = patience
        self._secrets = secrets_of(chat)

    def ask(self, messages: Sequence[Message], schema: type[BaseModel]) -> Reply:
        started = time.perf_counter()
        held = self._ladder.climb(messages, schema, self._persisting(started))
        text = self._said(_text_of(held.message))
        prompt = tokens.estimate(messages, self.name)
        spent = _Tokens.of(held.message, prompt, tokens.count(text, self.name))
        for empty in held.spent:
            spent = spent.plus(_Tokens.of(empty, prompt, 0))
        return self._reply(held.message, text, spent, started, held.rung)

    def move(self, messages: Sequence[BaseMessage], tools: Sequence[BaseTool]) -> Move:
        started = time.perf_counter()
        persist = self._persisting(started)
        try:
            message = persist(lambda: with_tools(self._ladder.chat, messages, tools))
        except FormRefusedError as refusal:
            kind_ = ToolsRefusedError if refusal.lasting else ModelCallError
            said = clean(str(refusal), self._secrets)
            raise kind_(f"{self.name} called no tools ({said})") from None
        text = self._said(str(message.text))
        prompt = sum(tokens.count(str(each.text), self.name) for each in messages)
        spent = _Tokens.of(message, prompt, tokens.count(text, self.name))
        return Move(message, self._reply(message, text, spent, started))

    def redact(self, text: str) -> str:
        return hide(text, self._secrets)

    def _said(self, text: str) -> str:
        """What a provider sent, without lone surrogates and keys."""
        return self.redact(text.encode("utf-8", "replace").decode())

    def _reply(
        self, message: AIMessage, text: str, spent: "_Tokens", started: float, rung: str = ""
    ) -> Reply:
        answered_by = message.response_metadata.get("model_name")
        return Reply(
            text,
            spent.into,
            spent.out,
            time.perf_counter() - started,
            clean(str(answered_by or self.name.partition(":")[2]), self._secrets),
            tokens_cached=spent.cached,
            tokens_reasoning=spent.reasoning,
            dollars=None
            if self._bill is None
            else self._bill.dollars(spent.into, spent.out, spent.cached),
            rung=rung,
        )

    def _persisting(self, started: float) -> Persist:
        """Ask until there is an answer or the patience ends, which is one for all rungs."""
        patience = self._patience
        backoff = tenacity.wait_random_exponential(patience.first_wait, _LONGEST_WAIT)

        def persist(request: Callable[[], AIMessage]) -> AIMessage:
            gone = time.perf_counter() - started
            retrying = tenacity.Retrying(
                retry=tenacity.retry_if_exception(is_passing),
                wait=lambda state: asked_wait(state.outcome) or backoff(state),
                stop=tenacity.stop_after_attempt(patience.attempts)
                | tenacity.stop_before_delay(patience.total - gone),
                reraise=True,
            )
            try:
                return retrying(request)
            except FormRefusedError:
                raise
            except Exception as error:  # noqa: BLE001 - providers raise whatever they like
                attempts = int(retrying.statistics.get("attempt_number", 1))
                raise ModelCallError(self._failure(error, attempts)) from None

        return persist

    def _failure(self, error: BaseException, attempts: int) -> str:
        times = "" if attempts == 1 else f" after {attempts} attempts"
        said = clean(str(error), self._secrets) or type(error).__name__
        return f"{self.name} gave no answer{times}: {kind(error)} ({said})"


@dataclass(frozen=True, slots=True)
class _Tokens:
    """What requests took, as the provider says it, or as it is counted here."""

    into: int
    out: int
    cached: int | None
    reasoning: int | None

    @classmethod
    def of(cls, message: AIMessage, prompt: int, answer: int) -> "_Tokens":
        """Of one request. ``prompt``, ``answer``: tokens where the provider tells none."""
        usage: Mapping[str, Any] = message.usage_metadata or {}
        return cls(
            usage.get("input_tokens") or prompt,
            usage.get("output_tokens") or answer,
            _part(usage, "input_token_details", "cache_read"),
            _part(usage, "output_token_details", "reasoning"),
        )

    def plus(self, other: "_Tokens") -> "_Tokens":
        """Of two requests together."""
        return _Tokens(
            self.into + other.into,
            self.out + other.out,
            _sum(self.cached, other.cached),
            _sum(self.reasoning, other.reasoning),
        )


def _settings(
    provider: str, server: str | None, temperature: float | None, patience: Patience
) -> dict[str, Any]:
    """What the provider's client is made with. Retries are counted here, not in the client."""
    settings: dict[str, Any] = {"disable_streaming": True}
    if provider == "ollama":
        settings["client_kwargs"] = {"timeout": patience.timeout}
    else:
        # Google's client counts attempts, and takes 0 for its own default of five.
        retries = 1 if provider == "google_genai" else 0
        settings |= {"timeout": patience.timeout, "max_retries": retries}
    if temperature is not None or provider == "google_genai":  # which else sends one of its own
        settings["temperature"] = temperature
    if provider == "openai":
        settings["use_responses_api"] = False
        if server is not None:
            settings["base_url"] = server
            if not _has_key(provider):
                settings["api_key"] = "none"  # servers on loopback need none, the client does
    return settings


def _has_key(provider: str) -> bool:
    return any(os.environ.get(key) for key in KEYS[provider])


def _missing_package(name: str, provider: str, error: ImportError) -> str:
    if provider in EXTRAS:
        remedy = install(EXTRAS[provider])
    else:
        found = re.search(r"pip install \S+?(?=[`'\"\s]|$)", str(error))
        remedy = found.group() if found else f"pip install langchain-{provider.replace('_', '-')}"
    return f"{name} needs a package that is not installed: {remedy}"


def check_provider(provider: str, where: str) -> None:
    """ModelError: LangChain has no provider of this name. ``where``: what names it."""
    try:
        init_chat_model("any", model_provider="nobody")  # to hear of the others, and call none
    except ValueError as error:
        supported = _supported(error)
        if supported and provider not in supported:
            raise ModelError(_unknown(where, provider, supported)) from None


def _unusable(name: str, provider: str, error: Exception) -> str:
    supported = _supported(error)
    if supported:
        return _unknown(name, provider, supported)
    return f"{name} cannot be used as configured: {clean(str(error), ())}"


def _unknown(where: str, provider: str, supported: Sequence[str]) -> str:
    near = get_close_matches(provider, supported, n=1) or ["openai"]
    return (
        f"unknown model provider {provider!r} in {where}, did you mean {near[0]}:"
        f" use local or one of {', '.join(supported)}"
    )


def _supported(error: Exception) -> list[str]:
    """The providers that LangChain lists where it does not know one."""
    found = re.search(r"Supported model providers are: (.*)", str(error), re.DOTALL)
    return [name.strip() for name in found.group(1).split(",")] if found else []


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


def _sum(one: int | None, other: int | None) -> int | None:
    return one if other is None else other if one is None else one + other
