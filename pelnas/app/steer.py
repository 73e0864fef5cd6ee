"""``pelnas steer`` and ``directives``: ask something of a search, also while it runs."""

import getpass
import time
from typing import TYPE_CHECKING, Annotated

import typer

from pelnas import bounds
from pelnas.app import options

if TYPE_CHECKING:
    from pelnas.directives import Directive
    from pelnas.graph.helm import Helm

POLL_SECONDS = 0.1


def steer(
    run: options.Run,
    command: Annotated[
        str, typer.Argument(help="What to ask, such as '/ban avg_pool_3x3'; '/help' lists all.")
    ],
    author: Annotated[
        str | None, typer.Option("--author", help="Who asks. Default: this system's user.")
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

    if command.strip() == "/help":
        from pelnas.app.output import print_table

        print_table("", ("command", "what it asks"), GRAMMAR)
        return
    from pelnas.graph.helm import Helm
    from pelnas.store import find_run

    order = parse(command)
    with Helm.open(find_run(options.runs_folder(output), run)) as helm:
        given = helm.give(order, author or user(), command)
        _tell(helm, _awaited(helm, given, wait), as_json)


def directives(
    run: options.Run = "last", output: options.Output = None, as_json: options.Json = False
) -> None:
    """Show what was asked of a search, by whom, and what it changed."""
    from pelnas.app.output import print_json, print_table
    from pelnas.report.directives import directive_rows
    from pelnas.store import RunStore, find_run

    with RunStore.read(find_run(options.runs_folder(output), run)) as store:
        rows, name = directive_rows(store), store.name
    if as_json:
        print_json({"run": name, "directives": [row.to_dict() for row in rows]})
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


def _awaited(helm: "Helm", given: "Directive", seconds: float) -> "Directive":
    """The directive once the search has decided on it, or as it is when the time is over."""
    end = time.monotonic() + seconds
    while True:
        (found,) = helm.store.directives(after=given.number - 1)[:1]
        if found.status != "pending" or time.monotonic() >= end:
            return found
        time.sleep(POLL_SECONDS)


def _tell(helm: "Helm", directive: "Directive", as_json: bool) -> None:
    from pelnas.app.output import print_json, say
    from pelnas.directives import command
    from pelnas.directives import say as in_words
    from pelnas.errors import DirectiveError
    from pelnas.store.folder import in_use

    if directive.status == "refused":
        raise DirectiveError(f"{directive.id} was refused: {directive.reason}")
    asks, running = in_words(directive.order), in_use(helm.store.folder)
    if as_json:
        document = {"id": directive.id, "asks": asks, "command": command(directive.order)}
        place = [directive.effect.round, directive.effect.node] if directive.effect else None
        print_json(document | {"status": directive.status, "effect": place, "running": running})
        return
    when = "from the next piece of work on" if running else "when the run goes on: pelnas resume"
    say(f"{directive.id}: {asks} ({'in force' if directive.effect else when})")


def user() -> str:
    """The name of whoever runs this process."""
    try:
        return getpass.getuser()
    except (KeyError, OSError):  # an account without a name
        return "person"
