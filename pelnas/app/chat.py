"""``pelnas chat``: talk to a run in the terminal, also while its search runs in another process."""

import io
import sys
from contextlib import ExitStack
from pathlib import Path
from typing import Annotated

import typer

from pelnas.app import options

ENDS = ("/quit", "/exit")
PROMPT, DECIDE = "> ", "yes or no> "


def chat(
    run: options.Run = "last",
    author: Annotated[
        str | None, typer.Option("--author", help="Who talks. Default: this system's user.")
    ] = None,
    model: Annotated[
        str | None,
        typer.Option(
            "--model", help="Who reads free words, as provider:model. Default: commands only."
        ),
    ] = None,
    output: options.Output = None,
) -> None:
    """Talk to a run: ask why, compare, steer. '/help' lists all commands, '/quit' ends."""
    from pelnas.agents.evolver import EVOLVER
    from pelnas.agents.models import connect
    from pelnas.app.output import say
    from pelnas.app.steer import user
    from pelnas.graph.chat import Talk
    from pelnas.store import find_run
    from pelnas.traces.text import visible

    folder = find_run(options.runs_folder(output), run).resolve()
    with ExitStack() as held:
        reader = (
            None if model in (None, EVOLVER) else connect(model or "", temperature=_steady(model))
        )
        if reader is not None:
            held.callback(reader.close)
        talk = Talk(folder.parent, folder.name, author or user(), reader)
        _begin(folder)
        while (line := _line(talk.waiting)) is not None and line.strip() not in ENDS:
            for answer in talk.say(line) if line.strip() or talk.waiting else ():
                say(visible(answer))
            sys.stdout.flush()
        if talk.waiting:
            say("Nothing was changed.")


def _steady(model: str | None) -> float | None:
    """A local model reads the same words the same way; providers keep their own temperature."""
    return 0.0 if model is not None and model.startswith("local:") else None


def _begin(folder: Path) -> None:
    if isinstance(sys.stdin, io.TextIOWrapper):
        sys.stdin.reconfigure(errors="replace")  # what is not text is not understood, no more
    if sys.stdin.isatty():
        print(f"About {folder.name}. /help lists all commands, /quit ends.", file=sys.stderr)


def _line(waiting: bool) -> str | None:
    """The next line, ``None`` at the end of the input; a prompt only where a person types."""
    if sys.stdin.isatty():
        sys.stderr.write(DECIDE if waiting else PROMPT)
        sys.stderr.flush()
    return sys.stdin.readline() or None
