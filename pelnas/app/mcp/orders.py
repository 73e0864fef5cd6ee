"""Steering from an MCP host: a model may ask for an order, and a person says yes.

Where the host can show a question to its person (elicitation), it is asked there. Else the
order waits in the run's store, and a person confirms it in a conversation, on the page or by
``pelnas steer RUN --confirm ID``. A model has no way to answer for the person.
"""

from collections.abc import Callable
from pathlib import Path
from typing import Annotated, Any

from mcp.server.elicitation import AcceptedElicitation, ElicitationResult
from mcp.server.mcpserver import Context
from mcp.server.mcpserver.resolve import Elicit, Resolve
from pydantic import BaseModel, Field

from pelnas.app.mcp.arguments import NEWEST
from pelnas.app.mcp.failures import told
from pelnas.directives import Order, parse
from pelnas.errors import InputError
from pelnas.graph.session.steering_client import Permit, SteeringClient
from pelnas.tools.runs import run_below

AUTHOR = "mcp"
Steer = Callable[..., dict[str, Any]]


class Answer(BaseModel):
    """What a person says to an order that a model asks for."""

    give: bool = Field(title="Give this order to the search", description="Yes: it is obeyed.")


def asking(output: Path) -> Steer:
    """The tool that gives an order only after a person's yes."""

    def question(run: str, command: str, context: Context[Any, Any]) -> Elicit[Answer] | None:
        """What a person is asked; ``None``: this host cannot ask one."""
        if not can_ask(context):
            return None
        with _client(output, run) as client:
            order = client.check(parse(command))
            asked = f"The model asks to steer {run}: {client.say(order)} ({order.command})."
        return Elicit(f"{asked} Give this order?", Answer)

    def steer(
        run: str,
        command: str,
        answer: Annotated[ElicitationResult[Answer], Resolve(told(question))],
    ) -> dict[str, Any]:
        """Ask to steer a run by a command such as '/ban avg_pool_3x3' or '/limit latency<=5'.

        The person is asked for a yes. ``given`` is the order's id then; ``waits`` the id under
        which it waits for a person where this host cannot ask one: say so.
        """
        with _client(output, run) as client:
            order = client.check(parse(command))
            answered = _told(client, order)
            data = answer.data if isinstance(answer, AcceptedElicitation) else Answer(give=False)
            if data is None:  # nobody could be asked
                waits = client.ask(order, AUTHOR, command).id
                confirm = (
                    f"/confirm {waits} in a conversation, or pelnas steer {run} --confirm {waits}"
                )
                return answered | {"given": None, "waits": waits, "a_person_confirms_by": confirm}
            if not data.give:
                return answered | {
                    "given": None,
                    "waits": None,
                    "refused": "the person did not say yes",
                }
            return answered | {"given": client.give(order, AUTHOR, command).id, "waits": None}

    return steer


def trusting(output: Path, permit: Permit | None = None) -> Steer:
    """The tool that gives every order at once: the owner of the server has said so.

    ``permit``: raises DirectiveError where an order is not for a model to give.
    """

    def steer(run: str, command: str) -> dict[str, Any]:
        """Steer a run by a command such as '/ban avg_pool_3x3' or '/limit latency<=5'."""
        with _client(output, run, permit) as client:
            order = client.check(parse(command))
            return _told(client, order) | {"given": client.give(order, AUTHOR, command).id}

    return steer


def _client(output: Path, run: str, permit: Permit | None = None) -> SteeringClient:
    if run == NEWEST:
        raise InputError("expected the full name of a run to steer, found 'last': see runs")
    return SteeringClient.open(run_below(output, run), permit)


def _told(client: SteeringClient, order: Order) -> dict[str, Any]:
    return {"command": order.command, "says": client.say(order)}


def can_ask(context: Context[Any, Any]) -> bool:
    """Whether the host shows forms to its person: ``elicitation`` without a mode is such a form."""
    capabilities = context.client_capabilities
    asks = capabilities.elicitation if capabilities is not None else None
    return asks is not None and (asks.form is not None or asks.url is None)
