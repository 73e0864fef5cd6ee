"""``pelnas ui``: the runs in a browser on this machine, live, with their prompts and answers."""

import sys
import tempfile
from collections.abc import Iterator
from contextlib import ExitStack, closing, contextmanager
from html import escape
from pathlib import Path
from typing import Annotated
from urllib.parse import quote

import typer

from pelnas.app import options
from pelnas.errors import ConfigError
from pelnas.inputs import bounds
from pelnas.text import install


def ui(
    run: Annotated[
        str | None, typer.Argument(help="Show this run first: name, a clear part of it, or last.")
    ] = None,
    output: options.Output = None,
    model: Annotated[
        str | None,
        typer.Option(
            "--model", help="Interprets natural language: provider:model. Default: commands only."
        ),
    ] = None,
    base_url: options.BaseUrl = None,
    port: Annotated[int, options.number(bounds.PORT, "--port", "0: any that is free.")] = 0,
    browser: Annotated[bool, typer.Option("--open", help="Open it in the browser.")] = False,
) -> None:
    """Start, inspect and steer searches in the browser; nothing leaves this machine."""
    try:
        import plotly  # noqa: F401 - its script is served

        from pelnas.app.web.server import Site
    except ModuleNotFoundError as missing:
        raise ConfigError(
            f"the page needs packages that are not installed ({missing.name}): {install('ui')}"
        ) from None
    from pelnas.app.commands.chat import reader_of
    from pelnas.app.display.output import say

    folder, fragment = options.runs_folder(output), ""
    if run is not None:
        folder, fragment = _place(folder, run)
    reader = reader_of(model, base_url)
    site = Site(folder, port, reader)
    address = site.address + fragment
    say(f"open {address}\nit is for you alone: the address opens the page; Ctrl-C ends it")
    sys.stdout.flush()
    with ExitStack() as stack:
        if reader:
            stack.enter_context(closing(reader))
        if browser:
            stack.enter_context(_opened(address))
        site.serve()


@contextmanager
def _opened(address: str) -> Iterator[None]:
    """Open the address in the browser, by a file that only this user can read.

    A command line is there for every user of this machine to see, and the address opens the page.
    """
    import webbrowser

    with tempfile.TemporaryDirectory(prefix="pelnas-") as folder:  # closed to other users
        page = Path(folder) / "open.html"
        page.touch(mode=0o600)
        page.write_text(
            f'<!DOCTYPE html><meta charset="utf-8"><title>pelnas</title>'
            f'<meta http-equiv="refresh" content="0; url={escape(address)}">'
        )
        webbrowser.open(page.as_uri())
        yield


def _place(output: Path, run: str) -> tuple[Path, str]:
    """The folder of all runs beside the run that is meant, and where the page shows it."""
    from pelnas.store import find_run

    folder = find_run(output, run).resolve()
    return folder.parent, f"/run/{quote(folder.name)}"
