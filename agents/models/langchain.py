"""Language models through LangChain: structured answers, retries, and keys kept out of errors."""

import json
import re
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace
from typing import Any

import tenacity
from langchain_core.language_models import BaseChatModel
from langchain_core.messages import AIMessage, BaseMessage
from langchain_core.tools import BaseTool
from pydantic import BaseModel

from pelnas.agents.models import reply_checks
from pelnas.agents.models.base import (
    TAKES_NO_TOOLS,
    LanguageModel,
    ModelStep,
    Reply,
    RetryPolicy,
)
from pelnas.agents.models.clients import construct
from pelnas.agents.models.provider_errors import (
    asked_wait,
    clean,
    is_misled,
    is_passing,
    kind,
    said,
    secrets_of,
)
from pelnas.agents.models.server_address import own_server
from pelnas.agents.models.structured_output import NATIVE, FormRefusedError, Ladder, Persist
from pelnas.agents.models.transport import guard
from pelnas.agents.models.waiting import Waiting
from pelnas.calls import tokens
from pelnas.calls.call import Message
from pelnas.calls.prices import Tariff, rates, tariff
from pelnas.calls.usage import Usage
from pelnas.errors import BudgetExhausted, ModelCallError, Stopped, ToolsRefusedError

_LONGEST_WAIT = 30.0  # seconds of backoff where the provider asks for nothing
_VERSION = re.compile(r"/v\d")  # in the path of a server that speaks OpenAI's protocol


def connect_provider(
    name: str, base_url: str | None, temperature: float | None, retry: RetryPolicy
) -> LanguageModel:
    """The model of one of LangChain's providers; see ``pelnas.agents.models.connection.connect``."""
    server = own_server(name, base_url)
    chat = construct(name, server, temperature, retry)
    return ProviderModel(name, chat, retry, tariff(name, server), server)


class ProviderModel(LanguageModel):
    """A LangChain chat model behind the protocol, constrained by ``structured_output``."""

    first_rung = NATIVE
    calls_tools = True

    def __init__(
        self,
        name: str,
        chat: BaseChatModel,
        retry: RetryPolicy,
        bill: Tariff | None = None,
        server: str | None = None,
    ) -> None:
        """``bill``: what calls cost; ``None``: unknown. ``server``: the address, if one was given."""
        self.name = name
        self.priced = bill is not None
        self.rates = rates(name, bill)
        self._bill = bill
        self._ladder = Ladder(chat, self.first_rung)
        self._patience = retry
        self._secrets = secrets_of(chat, server)
        self._pathless = server is not None and not _VERSION.search(server)
        self._waiting = Waiting(name, self.redact)
        guard(chat)

    def ask(self, messages: Sequence[Message], schema: type[BaseModel]) -> Reply:
        started = time.monotonic()
        try:
            held = self._ladder.climb(messages, schema, self._persisting(started))
        except FormRefusedError as refusal:
            why = clean(str(refusal), self._secrets)
            raise ModelCallError(
                f"{self.name} gave no answer: it takes no such messages ({why})"
            ) from None
        text = self._said(_text_of(held.message))
        prompt = tokens.estimate(messages, self.name)
        spent = _told(held.message, prompt, tokens.count(text, self.name))
        for empty in held.spent:
            spent += _told(empty, prompt, 0)
        return self._reply(held.message, text, spent, started, held.rung)

    def step(self, messages: Sequence[BaseMessage], tools: Sequence[BaseTool]) -> ModelStep:
        started = time.monotonic()
        try:
            message = self._ladder.step(messages, tools, self._persisting(started))
        except FormRefusedError as refusal:
            why = clean(str(refusal), self._secrets)
            if refusal.lasting:
                raise ToolsRefusedError(f"{self.name} {TAKES_NO_TOOLS} ({why})") from None
            raise ModelCallError(f"{self.name} gave no answer to tools ({why})") from None
        message = _scrubbed(message, self.redact)
        text = self._said(str(message.text))
        prompt = sum(tokens.count(str(each.text), self.name) for each in messages)
        spent = _told(message, prompt, tokens.count(text, self.name))
        return ModelStep(message, self._reply(message, text, spent, started))

    def redact(self, text: str) -> str:
        return reply_checks.hide(text, self._secrets)

    def set_deadline(self, minutes_left: Callable[[], float | None]) -> None:
        self._waiting.set_deadline(minutes_left)

    def stop(self) -> None:
        self._waiting.stop()

    def _said(self, text: str) -> str:
        """What a provider sent, without lone surrogates and keys."""
        return self.redact(reply_checks.plain(text))

    def _reply(
        self, message: AIMessage, text: str, spent: Usage, started: float, rung: str = ""
    ) -> Reply:
        answered_by = reply_checks.name(message.response_metadata.get("model_name"))
        usage = replace(spent, seconds=time.monotonic() - started)
        usage = usage.at(None if self._bill is None else self._bill.dollars(spent))
        shown = clean(answered_by or self.name.partition(":")[2], self._secrets)
        return Reply(text, usage, shown, rung)

    def _persisting(self, started: float) -> Persist:
        """Ask until there is an answer or the patience ends, which is one for all rungs."""
        retry = self._patience
        backoff = tenacity.wait_random_exponential(retry.first_wait, _LONGEST_WAIT)

        def persist(request: Callable[[], AIMessage]) -> AIMessage:
            gone = time.monotonic() - started
            retrying = tenacity.Retrying(
                retry=tenacity.retry_if_exception(is_passing),
                wait=lambda state: asked_wait(state.outcome) or backoff(state),
                stop=tenacity.stop_after_attempt(retry.attempts)
                | tenacity.stop_before_delay(retry.total - gone),
                sleep=self._waiting.sleep,
                reraise=True,
            )
            try:
                return retrying(lambda: self._once(request, started + retry.deadline))
            except (FormRefusedError, Stopped, BudgetExhausted):
                raise
            except Exception as error:  # noqa: BLE001 - providers raise whatever they like
                attempts = int(retrying.statistics.get("attempt_number", 1))
                raise ModelCallError(self._failure(error, attempts)) from None

        return persist

    def _once(self, request: Callable[[], AIMessage], until: float) -> AIMessage:
        """One request. ``until``: by ``time.monotonic``."""
        return self._waiting.reply(request, until)

    def _failure(self, error: BaseException, attempts: int) -> str:
        times = "" if attempts == 1 else f" after {attempts} attempts"
        words = clean(said(error), self._secrets)
        hint = "; does its address lack /v1?" if self._pathless and is_misled(error) else ""
        return f"{self.name} gave no answer{times}: {kind(error)} ({words}){hint}"


def _told(message: AIMessage, prompt: int, answer: int) -> Usage:
    """What a request took; ``prompt``, ``answer``: tokens where the provider reports none."""
    usage: Mapping[str, Any] = message.usage_metadata or {}
    into = reply_checks.count(usage.get("input_tokens")) or prompt
    out = reply_checks.count(usage.get("output_tokens")) or answer
    return Usage(
        into,
        out,
        _part(usage, "input_token_details", "cache_read", into),
        _part(usage, "output_token_details", "reasoning", out),
    )


def _scrubbed(message: AIMessage, redact: Callable[[str], str]) -> AIMessage:
    """The message without keys, in the arguments of its tool calls too."""
    parts = ("content", "additional_kwargs", "tool_calls", "invalid_tool_calls")
    clean_ = {part: reply_checks.scrub(getattr(message, part), redact) for part in parts}
    return message.model_copy(update=clean_)


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


def _part(usage: Mapping[str, Any], side: str, name: str, whole: int) -> int | None:
    """Tokens of one kind, where the provider reports them separately."""
    return reply_checks.part((usage.get(side) or {}).get(name), whole)
