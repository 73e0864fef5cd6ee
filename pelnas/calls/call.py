"""One call to a language model, as it is recorded."""

import hashlib
import json
from collections.abc import Sequence
from contextvars import ContextVar
from dataclasses import dataclass
from typing import Any

from pelnas.calls.usage import NOTHING, Usage

TOOL_CALLS = "ToolCalls"  # the ``schema`` of a call whose answer may call tools


@dataclass(frozen=True, slots=True)
class Message:
    """One message as sent. ``role``: ``system``, ``user``, ``assistant`` or ``tool``."""

    role: str
    content: str


@dataclass(frozen=True, slots=True)
class CallRecord:
    """A call, its answer and its cost.

    ``id``: ``r3.designer.n2.a0``: round, agent, niche, attempt; fixed before the
    call, so that a node that runs again after a kill finds its own answers.
    ``model``: as asked, ``provider:model``; ``answered_by``: as the provider says.
    ``outcome``: ``ok``, ``invalid`` (the answer broke its schema or its checks)
    or ``failed`` (no answer); ``problem`` says what was wrong, or that a good answer
    had to be repaired.
    ``request``: hash of messages, schema and model, see ``request_hash``.
    ``usage``: what it took, by the prices of the day of the call.
    """

    id: str
    round: int
    agent: str
    niche: int | None
    attempt: int
    model: str
    answered_by: str
    messages: tuple[Message, ...]
    schema: str
    request: str
    answer: str
    outcome: str
    problem: str = ""
    usage: Usage = NOTHING

    @property
    def tokens(self) -> int:
        """In and out together."""
        return self.usage.tokens


#: The id of the call that this thread is making.
CALLING: ContextVar[str] = ContextVar("calling", default="")


def call_id(round_: int, agent: str, niche: int | None, attempt: int) -> str:
    """The id of a call, before it is made."""
    place = "" if niche is None else f".n{niche}"
    return f"r{round_}.{agent}{place}.a{attempt}"


def request_hash(model: str, messages: Sequence[Message], schema: dict[str, Any]) -> str:
    """SHA-256 of what is asked of whom; equal requests may share a recorded answer."""
    body = {"model": model, "schema": schema, "messages": [(m.role, m.content) for m in messages]}
    return hashlib.sha256(json.dumps(body, sort_keys=True).encode()).hexdigest()
