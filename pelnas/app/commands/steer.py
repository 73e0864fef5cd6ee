"""``pelnas steer`` and ``directives``: ask something of a search, also while it runs."""

import time
from typing import TYPE_CHECKING, Annotated

import typer

from pelnas.app import options
from pelnas.app.user import user
from pelnas.errors import ConfigError
from pelnas.inputs import bounds

if TYPE_CHECKING:
    from pelnas.directives import Directive
    from pelnas.graph.session.steering_client import SteeringClient
    from pelnas.store import WaitingOrder

POLL_SECONDS = 0.1


def steer(
    run: options.Run,
    command: Annotated[
        str | None,
        typer.Argument(help="What to ask, such as '/ban avg_pool_3x3'; '/help' lists all."),
    ] = None,
    confirm: Annotated[
        str | None,
        typer.Option("--confirm", help="Confirm a waiting order of a program, such as w1."),
    ] = None,
    author: Annotated[
        str | None, typer.Option("--author", help="Author of the order. Default: the system user.")
    ] = None,
    wait: Annotated[
        float,
        options.number(
            bounds.SECONDS, "--wait", "Seconds to wait until it is in force or refused."
        ),
    ] = 0.0,
    output: options.Output = None,
    as_json: options.Json = False,
) -> None:
    """Ask something of a search: focus, limits, bans, seeds, rules, budgets, pause, undo."""
    from pelnas.directives import GRAMMAR, parse

    if (command is None) == (confirm is None):
        raise ConfigError("expected a command, or an order to --confirm: give one of them")
    if command is not None and command.strip() == "/help":
        from pelnas.app.display.output import print_table

        print_table("", ("command", "what it asks"), GRAMMAR)
        return
    from pelnas.graph.session.steering_client import SteeringClient
    from pelnas.store import find_run

    order = None if command is None else parse(command)
    with SteeringClient.open(find_run(options.runs_folder(output), run)) as client:
        who = author or user()
        given = (
            client.give(order, who, command or "") if order else client.confirm(confirm or "", who)
        )
        _tell(client, _awaited(client, given, wait), as_json)


def directives(
    run: options.Run = "last", output: options.Output = None, as_json: options.Json = False
) -> None:
    """Show what was asked of a search, by whom, and what it changed."""
    from pelnas.app.display.output import print_json, print_table, say
    from pelnas.report.directives import directive_rows
    from pelnas.store import RunStore, find_run

    with RunStore.read(find_run(options.runs_folder(output), run)) as store:
        rows, name, waiting = directive_rows(store), store.name, store.waiting()
    if as_json:
        document = {"run": name, "directives": [row.to_dict() for row in rows]}
        print_json(document | {"waiting": [_waits(order) for order in waiting]})
        return
    print_table(
        f"{len(rows)} directives of {name}",
        (
            "id",
            "asks",
            "by",
            "status",
            "since",
            "refused",
            "passed over",
            "niches",
            "came of it",
            "words",
        ),
        (
            (
                row.id,
                row.asks,
                row.author,
                row.status,
                "" if row.round is None else f"round {row.round + 1}, {row.node}",
                str(row.refused),
                str(row.avoided),
                ", ".join(map(str, row.niches)),
                row.reason or row.outcome,
                row.words,
            )
            for row in rows
        ),
        right=("refused", "passed over"),
    )
    for order in waiting:
        row = _waits(order)
        say(
            f"{order.id} waits for a yes: {row['asks']} (asked for by {order.author}):"
            f" pelnas steer {name} --confirm {order.id}"
        )


def _waits(order: "WaitingOrder") -> dict[str, str]:
    row = {"id": order.id, "asks": order.order.say(), "command": order.order.command}
    return row | {"author": order.author, "words": order.words}


def _awaited(client: "SteeringClient", given: "Directive", seconds: float) -> "Directive":
    """The directive once the search has decided on it, or as it is when the time is over."""
    end = time.monotonic() + seconds
    while True:
        (found,) = client.store.directives(after=given.number - 1)[:1]
        if found.status != "pending" or time.monotonic() >= end:
            return found
        time.sleep(POLL_SECONDS)


def _tell(client: "SteeringClient", directive: "Directive", as_json: bool) -> None:
    from pelnas.app.display.output import print_json, say
    from pelnas.errors import DirectiveError
    from pelnas.store.folder import in_use

    if directive.status == "refused":
        raise DirectiveError(f"{directive.id} was refused: {directive.reason}")
    asks, running = directive.order.say(), in_use(client.store.folder)
    if as_json:
        document = {"id": directive.id, "asks": asks, "command": directive.order.command}
        place = [directive.effect.round, directive.effect.node] if directive.effect else None
        print_json(document | {"status": directive.status, "effect": place, "running": running})
        return
    when = "from the next piece of work on" if running else "when the run goes on: pelnas resume"
    say(f"{directive.id}: {asks} ({'in force' if directive.effect else when})")
