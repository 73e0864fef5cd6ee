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


def with_consent(accept: bool, begin: Callable[[bool], T]) -> T:
    """What ``begin`` gives; where it needs consent and a person is at the terminal, they are asked.

    ``begin`` is told whether it has consent. AddressError: it needs it and has none.
    """
    try:
        return begin(accept)
    except AddressError as unknown:
        if not _agreed(unknown):
            raise
    return begin(True)


def _agreed(unknown: AddressError) -> bool:
    from pelnas.traces.text import one_line

    if not (sys.stdin.isatty() and sys.stderr.isatty()):
        return False
    print(
        "pelnas: the settings of this run name what you never named on this machine:",
        file=sys.stderr,
    )
    for place in unknown.places:
        print(f"  {one_line(place, 300)}", file=sys.stderr)
    print(
        "May it get your keys, prompts and questions? [y/N] ", end="", file=sys.stderr, flush=True
    )
    return sys.stdin.readline().strip().lower() in YES
