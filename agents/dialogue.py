"""One exchange with a model: validated, recorded, repeatable; a structured one is corrected once."""

import json
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from typing import Any, Generic, Protocol, TypeVar

from pydantic import BaseModel

from pelnas.agents.models.base import LanguageModel, Reply
from pelnas.agents.models.json_answer import read
from pelnas.agents.models.reasoning import shortened, without_reasoning
from pelnas.agents.models.reply_checks import received
from pelnas.calls.call import CALLING, CallRecord, Message, call_id, request_hash
from pelnas.calls.usage import Usage
from pelnas.errors import AnswerError, ModelCallError

ATTEMPTS = 2  # requests of one question: the second sends a broken answer back
ANSWER_LIMIT = 100_000  # characters of an answer that are read and recorded
SHOWN_BACK = 4_000  # characters of a broken answer that the model sees again
REPAIRED = "its JSON was broken, and was repaired"

T = TypeVar("T", bound=BaseModel)
A = TypeVar("A")
A_co = TypeVar("A_co", covariant=True)


class Ledger(Protocol):
    """Where calls are recorded; used from several threads."""

    def recall(self, call_id: str, request: str) -> CallRecord | None:
        """The call of this id if it asked exactly this (``request_hash``), else ``None``."""

    def begin_call(self, call: CallRecord) -> None:
        """Called when a request is about to be sent; ``call`` has no answer yet."""

    def record_call(self, call: CallRecord) -> None:
        """Store a call; it replaces one of the same id (which had failed)."""


class Meter(Protocol):
    """What calls may spend; used from several threads."""

    def before_call(self) -> None:
        """Called before each request. BudgetExhausted: nothing may be sent any more."""

    def after_call(self, usage: Usage) -> None:
        """Called after each request that was sent; a failed one has cost nothing."""


@dataclass(frozen=True, slots=True)
class Question(Generic[A_co]):
    """One request: what is recorded of it, how it is sent, and how its answer is read.

    ``form``: the name of what an answer should be, ``schema``: that itself; equal ``messages`` and
    ``schema`` are the same request. ``read``: the answer in a recorded call, ``None`` for one
    that cannot be used, what is wrong with it, and what is worth a note although it is not.
    """

    messages: Sequence[Message]
    form: str
    schema: dict[str, Any]
    send: Callable[[], Reply]
    read: Callable[[CallRecord], tuple[A_co | None, str, str]]


class OpenDialogue(Protocol):
    """Opens the dialogue of one agent's step: agent, round, niche."""

    def __call__(self, agent: str, round_: int, niche: int | None) -> "Dialogue": ...


class Dialogue:
    """The questions of one agent in one round, in one niche or in none.

    Each request has an id that is fixed before it is sent (``call_id``, counting
    attempts from 0). A request that the ledger already holds is not sent again:
    its recorded answer and outcome are used, so that a node that runs again after
    a kill repeats itself exactly and for nothing. A failed call is sent again.
    """

    def __init__(
        self,
        model: LanguageModel,
        ledger: Ledger,
        meter: Meter,
        *,
        agent: str,
        round: int,  # noqa: A002 - the word of the method, as in CallRecord
        niche: int | None,
        first: int = 0,
    ) -> None:
        """``first``: the number of its first request, so that the ids of a chain's models differ."""
        self.model = model
        self._ledger = ledger
        self._meter = meter
        self._agent = agent
        self._round = round
        self._niche = niche
        self._attempt = first

    def ask(
        self,
        system: str,
        user: str,
        schema: type[T],
        check: Callable[[T, str], str] | None = None,
    ) -> tuple[T, str]:
        """A valid answer and the id of the call that gave it.

        ``check`` is given an answer of the right form and the id of its call, and says
        in a sentence what is wrong, or returns "". It sees recorded answers too, but
        their recorded outcome stands. A broken answer goes back once with exactly what
        was wrong.
        AnswerError: the second answer was broken too. ModelCallError: the provider
        failed. BudgetExhausted: the meter allows no call.
        """
        messages = [Message("system", system), Message("user", user)]
        call, answer = self.exchange(self.structured(messages, schema, check))
        if answer is None:
            messages += send_back(call)
            call, answer = self.exchange(self.structured(messages, schema, check))
        if answer is None:
            raise self.broken(call)
        return answer, call.id

    def broken(self, call: CallRecord) -> AnswerError:
        """The exception for an answer that was sent back and is no better."""
        return AnswerError(
            f"{self.model.name} as {self._agent} broke the form {call.schema} twice"
            f" ({call.id}): {call.problem}"
        )

    def exchange(self, question: Question[A]) -> tuple[CallRecord, A | None]:
        """One recorded request; the answer is ``None`` where the record is not ok.

        ModelCallError, BudgetExhausted: as of ``ask``.
        """
        blank = self._blank(question)
        known = self._ledger.recall(blank.id, blank.request)
        if known is not None and known.outcome != "failed":
            answer, *_ = question.read(known)
            return known, answer if known.outcome == "ok" else None
        self._meter.before_call()
        call, began = blank, time.perf_counter()
        try:
            self._ledger.begin_call(blank)
            call = self._send(blank, question)
            answer, problem, note = question.read(call)
            call = replace(call, outcome="invalid" if problem else "ok", problem=problem or note)
            self._ledger.record_call(call)
        except ModelCallError as error:
            lost = time.perf_counter() - began
            self._ledger.record_call(replace(blank, problem=str(error), usage=Usage(seconds=lost)))
            raise
        finally:
            self._meter.after_call(call.usage)
        return call, None if problem else answer

    def structured(
        self,
        messages: Sequence[Message],
        schema: type[T],
        check: Callable[[T, str], str] | None = None,
    ) -> Question[T]:
        """A request for an answer of a schema; ``check``: as of ``ask``."""
        return Question(
            messages,
            schema.__name__,
            schema.model_json_schema(),
            lambda: self.model.ask(messages, schema),
            lambda call: self._read(call, schema, check),
        )

    def _send(self, blank: CallRecord, question: Question[A]) -> CallRecord:
        """The record with the answer in it, not yet judged."""
        CALLING.set(blank.id)
        reply = received(question.send(), question.messages)
        return replace(
            blank,
            answered_by=reply.model,
            answer=shortened(reply.text, ANSWER_LIMIT),
            usage=reply.usage,
        )

    def _read(
        self, call: CallRecord, schema: type[T], check: Callable[[T, str], str] | None
    ) -> tuple[T | None, str, str]:
        """The answer of a call, what is wrong with it, and what is worth a note although it is not.

        Without keys: parsing may put one together that was written in pieces.
        """
        reading = read(call.answer, schema)
        if reading.answer is not None:
            written = json.dumps(reading.answer.model_dump())  # takes half a character, too
            hidden = self.model.redact(written)
            reading = reading if hidden == written else read(hidden, schema)
        problem = self.model.redact(reading.problem)
        if reading.answer is not None and check is not None:
            problem = check(reading.answer, call.id)
        return reading.answer, problem, REPAIRED if reading.repaired else ""

    def _blank(self, question: Question[A]) -> CallRecord:
        """The record of a call that has no answer yet."""
        attempt, self._attempt = self._attempt, self._attempt + 1
        return CallRecord(
            id=call_id(self._round, self._agent, self._niche, attempt),
            round=self._round,
            agent=self._agent,
            niche=self._niche,
            attempt=attempt,
            model=self.model.name,
            answered_by="",
            messages=tuple(question.messages),
            schema=question.form,
            request=request_hash(self.model.name, question.messages, question.schema),
            answer="",
            outcome="failed",
        )


def send_back(call: CallRecord) -> list[Message]:
    """The broken answer and, in one line, what was wrong with it.

    The form is not said again: whatever holds a model to it says it with each request.
    """
    shown = without_reasoning(call.answer)[:SHOWN_BACK] or "(nothing)"
    request = (
        f"Your answer cannot be used: {call.problem}. Answer again with one JSON object of the"
        " same form and nothing else."
    )
    return [Message("assistant", shown), Message("user", request)]
