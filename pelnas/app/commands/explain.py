"""``pelnas explain``: why an architecture is on a run's front, or why not."""

from typing import Annotated

import typer

from pelnas.app import options


def explain(
    run: options.Run,
    architecture: Annotated[
        str,
        typer.Argument(help="A candidate's id such as r3n2c5, or an architecture's text or index."),
    ],
    output: options.Output = None,
    as_json: options.Json = False,
) -> None:
    """Explain an architecture from a run's data: rank, dominators, changes, rules, its origin."""
    from pelnas.app.display.output import print_json, say
    from pelnas.store import RunStore, find_run
    from pelnas.tools.questions import FORMS
    from pelnas.tools.text import text_of

    with RunStore.read(find_run(options.runs_folder(output), run)) as store:
        answer = FORMS["/why"].ask(store, architecture)
    if as_json:
        print_json(answer)
    else:
        say(text_of(FORMS["/why"].lines(answer)))
