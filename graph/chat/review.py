"""An order put before a person, and what the person decided, as chat interfaces exchange them.

The forms are those of LangChain's human-in-the-loop interface (``HITLRequest``, ``HITLResponse``),
for which interfaces draw buttons; plain words do as well.
"""

from typing import Any, Literal

from pydantic import BaseModel, ConfigDict, ValidationError
from typing_extensions import (
    TypedDict,  # LangGraph's server makes no schemas of typing's below 3.12
)

STEER = "steer"  # the name of the one action that an interrupt asks about
YES = ("yes", "y", "true")
NO = ("no", "n", "false")
DECISIONS = {"approve": "yes", "reject": "no"}


class Pending(TypedDict, total=False):
    """An order that waits for a yes: for which run, as a command, said back, as it was typed.

    ``waiting``: its id, where a program has asked for it before (``SteeringClient.ask``).
    """

    run: str
    command: str
    question: str
    words: str
    waiting: str


class _Arguments(BaseModel):
    model_config = ConfigDict(extra="forbid")

    command: str
    run: str | None = None


class _Action(BaseModel):
    name: Literal["steer"]
    args: _Arguments


class _Edit(BaseModel):
    type: Literal["edit"]
    edited_action: _Action


class _Response(BaseModel):
    decisions: tuple[_Edit]


def request(pending: Pending) -> dict[str, Any]:
    """What an interrupt hands to a client: the order , also as a ``HITLRequest``.

    The order of another program is approved or rejected as it is.
    """
    arguments = {"run": pending["run"], "command": pending["command"]}
    action = {"name": STEER, "args": arguments, "description": pending["question"]}
    editable = [] if pending.get("waiting") else ["edit"]
    review = {"action_name": STEER, "allowed_decisions": [*DECISIONS, *editable]}
    return {**pending, "action_requests": [action], "review_configs": [review]}


def decision(said: object) -> str:
    """``yes``, ``no``, or '' for anything else.

    A client may say it as text, as a bool, as ``{"confirmed": true}``, or as LangChain's
    ``HITLResponse``: ``{"decisions": [{"type": "approve"}]}``.
    """
    if isinstance(said, dict):
        decisions = said.get("decisions")
        if isinstance(decisions, list) and len(decisions) == 1 and isinstance(decisions[0], dict):
            return DECISIONS.get(str(decisions[0].get("type")), "")
        said = said.get("confirmed")
    word = str(said).strip().lower().rstrip(".!")
    return "yes" if word in YES else "no" if word in NO else ""


def edited(said: object, pending: Pending) -> str | None:
    """The command that a decision ``edit`` puts in the place of the pending one; else ``None``.

    The run stays; the order of another program is not edited.
    """
    try:
        (edit,) = _Response.model_validate(said).decisions
    except ValidationError:
        return None
    arguments = edit.edited_action.args
    if pending.get("waiting") or arguments.run not in (None, pending["run"]):
        return None
    return arguments.command
