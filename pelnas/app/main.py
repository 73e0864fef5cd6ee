"""The command ``pelnas``: every command by its group, and one way for all errors to end."""

import ctypes
import gc
import os
import sys
from collections.abc import Sequence
from contextlib import suppress
from functools import cache
from pathlib import Path
from typing import Annotated, Any

import typer
from typer.core import TyperCommand, TyperGroup

from pelnas.app.commands import (
    bench,
    chat,
    compare,
    data,
    device,
    diff,
    doctor,
    explain,
    export,
    fork,
    knowledge,
    mcp,
    models,
    new,
    proxies,
    replay,
    runs,
    score,
    search,
    serve,
    space,
    spaces,
    steer,
    trace,
    train,
    ui,
    verify,
)
from pelnas.app.signals import INTERRUPTED
from pelnas.errors import InputError
from pelnas.inputs.formats import what_failed
from pelnas.inputs.paths import expanded
from pelnas.traces.text import one_line

GARBAGE = 50_000  # new objects between two collections; Python's own is 700
M_ARENA_MAX = -8  # of malloc.h
ARENAS = 2
LONGEST = 2_000  # characters of a complaint: what was typed may be without end


class _Commands(TyperGroup):
    """Hands Ctrl-C on to ``run``: typer would end with its code, and without a word."""

    def invoke(self, ctx: Any) -> Any:
        try:
            return super().invoke(ctx)
        except KeyboardInterrupt as stopped:
            raise typer.Abort from stopped


class _Command(TyperCommand):
    """Reads ``~`` in every option that is a path, as in ``--output=~/runs`` and PELNAS_DATA."""

    def invoke(self, ctx: Any) -> Any:
        ctx.params = {name: _at_home(value) for name, value in ctx.params.items()}
        return super().invoke(ctx)


def _at_home(value: Any) -> Any:
    if isinstance(value, list | tuple):
        return type(value)(map(_at_home, value))
    return expanded(value) if isinstance(value, Path) else value


app = typer.Typer(
    cls=_Commands,
    help="The best networks for a device at every latency, found by agents, without training.",
    no_args_is_help=True,
    pretty_exceptions_enable=False,
)
for command in (
    search.search,
    search.resume,
    fork.fork,
    runs.runs,
    runs.front,
    runs.rules,
    verify.verify,
    explain.explain,
    steer.steer,
    steer.directives,
    chat.chat,
    mcp.mcp,
    serve.serve,
    trace.trace,
    replay.replay,
    compare.compare,
    diff.diff,
    ui.ui,
    score.score,
    score.latency,
    train.train,
    export.export,
    spaces.spaces,
    spaces.devices,
    spaces.predictors,
    doctor.doctor,
):
    app.command()(command)
app.add_typer(bench.bench, name="bench")
app.add_typer(models.models, name="models")
app.add_typer(proxies.proxies, name="proxies")
app.add_typer(space.space, name="space")
app.add_typer(new.new, name="new")
app.add_typer(data.data, name="data")
app.add_typer(device.device, name="device")
app.add_typer(knowledge.knowledge, name="knowledge")


for group in (
    app,
    bench.bench,
    models.models,
    proxies.proxies,
    space.space,
    new.new,
    data.data,
    device.device,
    knowledge.knowledge,
):
    for registered in group.registered_commands:
        registered.cls = _Command


def _version(wanted: bool) -> None:
    if wanted:
        from importlib.metadata import version

        typer.echo(f"pelnas {version('pelnas')}")
        raise typer.Exit


@app.callback()
def _options(
    version: Annotated[
        bool, typer.Option("--version", callback=_version, is_eager=True, help="Say the version.")
    ] = False,
) -> None:
    """The best networks for a device at every latency, found by agents, without training."""


@cache
def _command() -> Any:
    """Made once: that takes longer than what most commands do, and a program may run many."""
    return typer.main.get_command(app)


def main() -> None:
    """The entry point: runs one command and ends the process with its exit code."""
    # What is imported stays: looking through it for garbage takes a quarter of the time that
    # importing LangGraph takes.
    gc.set_threshold(GARBAGE)
    _share_memory()
    sys.exit(run(sys.argv[1:]))


def _share_memory() -> None:
    """Have all threads share a few heaps, where the C library is glibc, and Arrow those, too.

    It gives each thread one of its own, and what is freed in one is no use to the others: the
    threads of a search's niches would keep a hundred megabytes that none of them needs. Arrow's
    own keeps twenty after a table of two has been read.
    """
    os.environ.setdefault("ARROW_DEFAULT_MEMORY_POOL", "system")
    if sys.platform == "linux":
        with suppress(AttributeError):  # another C library has no such function
            ctypes.CDLL(None).mallopt(M_ARENA_MAX, ARENAS)


def run(arguments: Sequence[str]) -> int:
    """Run one command. 0: done; 2: bad input, said in one sentence on standard error; 130: stopped."""
    try:
        code = _command()(list(arguments), prog_name="pelnas", standalone_mode=False)
        sys.stdout.flush()
    except InputError as error:
        return _complain(str(error), 2)
    except typer.TyperException as error:
        message = error.format_message().rstrip(".")  # none where no command was given: help is out
        return _complain(f"{message}: see pelnas --help", 2) if message else 2
    except (KeyboardInterrupt, typer.Abort):
        return _complain("stopped", INTERRUPTED)
    except BrokenPipeError:
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())  # the last flush goes there
        return 1  # as typer ends where it meets the closed pipe first
    except OSError as error:  # of the machine: no disk, no right, no such name
        return _complain(what_failed(error), 2)
    return int(code or 0)


def _complain(sentence: str, code: int) -> int:
    from pelnas.app.display.output import note

    note(one_line(sentence, LONGEST))
    return code
