"""Asking before a run reaches a place that its user never named here: yes, no, or an option."""

import sys
from collections.abc import Callable
from typing import Annotated, TypeVar

import typer

from pelnas.errors import AddressError

T = TypeVar("T")
AcceptAddress = Annotated[
    bool,
    typer.Option(
        "--accept-address",
        help="Let models reach the address, or the files, that the run names and you never did.",
    ),
]
YES = ("y", "yes")
ASK = "May it get your keys, prompts and questions? [y/N] "


def with_consent(accept: bool, begin: Callable[[bool], T]) -> T:
    """What ``begin`` gives; where it needs consent and a person is at the terminal, they are asked.

    ``begin`` gets whether there is consent. AddressError: it needs it and has none.
    """
    try:
        return begin(accept)
    except AddressError as unknown:
        if not _agreed(unknown):
            raise
    return begin(True)


def _agreed(unknown: AddressError) -> bool:
    from pelnas.app.display.output import note, say
    from pelnas.traces.text import one_line

    if not (sys.stdin.isatty() and sys.stderr.isatty()):
        return False
    note("the settings of this run name what you never named on this machine:")
    for place in unknown.places:
        say(f"  {one_line(place, 300)}", errors=True)
    sys.stderr.write(ASK)
    sys.stderr.flush()
    return sys.stdin.readline().strip().lower() in YES
