"""``pelnas chat``: talk to a run in the terminal, also while its search runs in another process."""

import io
import sys
from collections.abc import Callable
from contextlib import ExitStack
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from pelnas.app import options
from pelnas.app.consent_prompt import AcceptAddress, with_consent

if TYPE_CHECKING:
    from pelnas.agents.models.base import LanguageModel
    from pelnas.config import Budget
    from pelnas.graph.chat.console import Talk

ENDS = ("/quit", "/exit")
PROMPT, DECIDE = "> ", "yes or no> "


@options.takes("max_tokens", "max_dollars")
def chat(
    *,
    run: options.Run = "last",
    author: Annotated[
        str | None, typer.Option("--author", help="Author of orders. Default: the system user.")
    ] = None,
    model: Annotated[
        str | None,
        typer.Option(
            "--model",
            help="Reads natural language: provider:model, or run: the run's own. Default: none.",
        ),
    ] = None,
    base_url: options.BaseUrl = None,
    given: dict[str, Any],
    accept_address: AcceptAddress = False,
    output: options.Output = None,
) -> None:
    """Talk to a run: ask why, compare, steer. '/help' lists all commands, '/quit' ends."""
    from pelnas import load_config
    from pelnas.app.user import user
    from pelnas.graph.chat.chat_models import OF_RUN
    from pelnas.store import find_run

    limits = load_config(None, given).budget  # what models may cost in the conversation
    folder = find_run(options.runs_folder(output), run).resolve()
    if model == OF_RUN:
        named = base_url
        model, base_url = with_consent(accept_address, lambda accept: _own(folder, named, accept))
    converse(folder, author or user(), model, base_url, limits)


def converse(
    folder: Path, author: str, model: str | None, base_url: str | None, limits: "Budget"
) -> None:
    """Lines in, lines out, until there are none. KeyboardInterrupt: Ctrl-C."""
    from pelnas.agents.team import refuse_unpriced
    from pelnas.app.display.output import say
    from pelnas.graph.chat.console import Talk

    with ExitStack() as held:
        reader = reader_of(model, base_url)
        if reader is not None:
            held.callback(reader.close)
            if limits.dollars is not None:
                refuse_unpriced([reader])
        talk = Talk(folder.parent, folder.name, author, reader, limits)
        held.callback(talk.close)
        held.callback(_tell_cost, talk)
        _begin(folder)
        next_line = _edited(talk, folder.parent) if _is_terminal() else _plain
        while (line := next_line(talk.waiting)) is not None and line.strip() not in ENDS:
            for answer in talk.say(line) if line.strip() or talk.waiting else ():
                say(answer)
            sys.stdout.flush()
        if talk.waiting:
            say("Nothing was changed.")


def _tell_cost(talk: "Talk") -> None:
    from pelnas.app.display.output import say

    if talk.cost:
        say(talk.cost, errors=True)


def reader_of(name: str | None, base_url: str | None) -> "LanguageModel | None":
    """The model that reads sentences; ``None``: commands only. ModelError: it cannot be reached."""
    from pelnas.agents.models.connection import connect
    from pelnas.config import BUILTIN
    from pelnas.graph.chat.chat_models import PATIENCE, steady

    if name is None or name.startswith(BUILTIN):
        return None
    return connect(name, base_url=base_url, temperature=steady(name), retry=PATIENCE)


def _own(folder: Path, base_url: str | None, accept: bool) -> tuple[str, str | None]:
    """The model of a run, and its address, unless another one is given.

    AddressError: nobody named what it reaches on this machine, and ``accept`` is not given.
    """
    from pelnas.config import SearchConfig
    from pelnas.consent import Consent, named, reached
    from pelnas.store import RunStore

    with RunStore.read(folder) as store:
        config = store.config
    update = {"base_url": base_url or config.base_url, "prompts": None}  # which are for searches
    config = config.model_copy(update=update)
    given = SearchConfig(base_url=base_url)
    Consent(named(given), accept=accept).check(reached(config, [config.model]))
    return config.model, config.base_url


def _begin(folder: Path) -> None:
    from pelnas.app.display.output import say

    if isinstance(sys.stdin, io.TextIOWrapper):
        sys.stdin.reconfigure(errors="replace")  # what is not text is not understood, no more
    if sys.stdin.isatty():
        say(f"About {folder.name}. /help lists all commands, /quit ends.", errors=True)


def _is_terminal() -> bool:
    """Whether a person types and reads the output."""
    return sys.stdin.isatty() and sys.stdout.isatty()


def _edited(talk: "Talk", output: Path) -> Callable[[bool], str | None]:
    """Reads lines in a terminal, and reports there what happens meanwhile."""
    from pelnas.app.terminal import Terminal

    terminal = Terminal(talk, output)
    return lambda waiting: terminal.line(DECIDE if waiting else PROMPT)


def _plain(waiting: bool) -> str | None:
    """The next line, ``None`` at the end of the input; a prompt only where a person types."""
    if sys.stdin.isatty():
        sys.stderr.write(DECIDE if waiting else PROMPT)
        sys.stderr.flush()
    return sys.stdin.readline() or None
