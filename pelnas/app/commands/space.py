"""``pelnas space check``: whether a search space of one's own keeps what the search relies on."""

import os
import sys
from typing import TYPE_CHECKING, Annotated

import typer

from pelnas.app import options
from pelnas.errors import SpaceError

if TYPE_CHECKING:
    from pelnas.spaces import SearchSpace

space = typer.Typer(help="Check a search space.", no_args_is_help=True)


@space.callback()
def _group() -> None:
    """Check a search space; `pelnas spaces` lists them."""


@space.command("check")
def check(
    named: Annotated[
        str, typer.Argument(metavar="SPACE", help="A name of `pelnas spaces`, or MODULE:CLASS.")
    ],
    as_json: options.Json = False,
) -> None:
    """Run the conformance suite on a space; exit code 1 if a check fails."""
    from dataclasses import asdict

    import torch

    from pelnas.app.display.output import print_json, print_table, say
    from pelnas.spaces.check import examine
    from pelnas.text import plural

    found = find_space(named)
    torch.set_num_threads(1)  # networks this small only wait for a second thread
    outcomes = list(examine(found))
    failed = [outcome for outcome in outcomes if not outcome.passed]
    if as_json:
        checks = [asdict(outcome) | {"passed": outcome.passed} for outcome in outcomes]
        print_json({"space": found.name, "passed": not failed, "checks": checks})
    else:
        rows = ((each.check, "pass" if each.passed else "FAIL", each.problem) for each in outcomes)
        print_table("", ("check", "result", "why"), rows)
        said = f"{len(failed)} of {len(outcomes)} {plural(len(outcomes), 'check')} failed"
        say(f"{found.name}: {said if failed else 'every check passed'}")
    if failed:
        raise typer.Exit(1)


def find_space(named: str) -> "SearchSpace":
    """A space by its registered name or as MODULE:CLASS, looked for in this folder first.

    SpaceError: there is none, or it cannot be made.
    """
    from pelnas.plugins import said
    from pelnas.spaces import SearchSpace, get_space

    module, colon, _ = named.partition(":")
    if not colon:
        return get_space(named)
    from pkgutil import resolve_name

    sys.path.insert(0, os.getcwd())  # an installed command looks in its own folder only
    try:
        made = resolve_name(named)()
    except Exception as error:
        raise SpaceError(
            f"expected MODULE:CLASS of a search space that is made without arguments, found"
            f" {named[:80]!r}: {said(error)}: correct the name or the module {module[:80]!r}"
        ) from error
    finally:
        sys.path.remove(os.getcwd())
    if not isinstance(made, SearchSpace):
        raise SpaceError(
            f"expected a SearchSpace at {named[:80]!r}, found {type(made).__name__}: derive it from"
            " pelnas.spaces.SearchSpace"
        )
    return made
