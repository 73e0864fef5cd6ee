"""What the commands print: one JSON document, or tables for a person."""

import json
import math
import sys
from collections.abc import Callable, Collection, Iterable, Iterator, Sequence
from typing import TYPE_CHECKING, Any, TypeVar

from pelnas.config import BUILTIN
from pelnas.text import plural
from pelnas.traces.text import visible

if TYPE_CHECKING:
    from rich.console import Console

PLAIN_WIDTH = 240  # columns where no terminal says how many: nothing is cut in a file or a pipe

T = TypeVar("T")


def print_json(document: Any) -> None:
    """One document on standard output, in ASCII; numbers that JSON does not have become null."""
    text = json.dumps(_finite(document), indent=2, allow_nan=False)
    sys.stdout.write(text + "\n")
    sys.stdout.flush()


def _finite(value: Any) -> Any:
    if isinstance(value, float):
        return value if math.isfinite(value) else None
    if isinstance(value, dict):
        return {key: _finite(inner) for key, inner in value.items()}
    if isinstance(value, list | tuple):
        return [_finite(inner) for inner in value]
    return value


def console(*, errors: bool = False) -> "Console":
    """Standard output, or standard error, as rich writes to it."""
    from rich.console import Console

    stream = sys.stderr if errors else sys.stdout
    width = None if stream.isatty() else PLAIN_WIDTH
    return Console(file=stream, width=width, highlight=False)


def print_table(
    title: str,
    columns: Sequence[str],
    rows: Iterable[Sequence[str]],
    right: Collection[str] = (),
    below: str = "",
) -> None:
    """A table; ``right``: the columns of numbers; ``below``: what its marks mean."""
    from rich import box
    from rich.table import Table
    from rich.text import Text

    if title:
        say(title)
    table = Table(box=box.SIMPLE_HEAD)
    for column in columns:
        table.add_column(column, justify="right" if column in right else "left", overflow="fold")
    for row in rows:
        # What people and models wrote is no markup, and does nothing to the terminal.
        table.add_row(*(Text(visible(cell)) for cell in row))
    console().print(table)
    if below:
        say(below)


def say(text: str, *, errors: bool = False) -> None:
    """A line for a person: no markup, no wrapping, and nothing in it acts on the terminal.

    Whatever a command prints goes through here, or through a table: much of it is of
    models, servers and other people's files. ``errors``: to standard error, at once.
    """
    stream = sys.stderr if errors else sys.stdout
    stream.write(visible(text) + "\n")
    if errors:
        stream.flush()


def followed(items: Iterable[T], line: Callable[[T], str]) -> Iterator[T]:
    """Each as it comes, with a line about it on standard error."""
    for item in items:
        say(line(item), errors=True)
        yield item


def note(text: str) -> None:
    """A sentence of the program itself, beside what a command was asked for."""
    say(f"pelnas: {text}", errors=True)


def millions(count: float) -> str:
    """``1.07`` for 1,073,466."""
    return f"{count / 1e6:.2f}"


#: For below a table in which ``milliseconds`` marked a latency.
EXTRAPOLATED = "* extrapolated: far from all networks that were measured"


def milliseconds(latency: float | None, *, extrapolated: bool = False) -> str:
    """``5.81``, or what a latency of ``None`` means; an extrapolated one is marked."""
    if latency is None or math.isinf(latency):
        return "cannot run"
    return f"{latency:.3f}" + (" *" if extrapolated else "")


def counted(number: int, one: str) -> str:
    """``1 rule``, ``2 rules``."""
    return f"{number:,} {plural(number, one)}"


def stand_in(model: object, agent: str) -> str:
    """Who works in the place of a model that failed: another model, or what is built in."""
    name = str(model or BUILTIN)
    return f"the built-in {agent or 'agent'}" if name.startswith(BUILTIN) else name


def duration(seconds: float) -> str:
    """``4:05`` or ``1:04:05``."""
    minutes, rest = divmod(round(seconds), 60)
    hours, minutes = divmod(minutes, 60)
    return f"{hours}:{minutes:02}:{rest:02}" if hours else f"{minutes}:{rest:02}"
