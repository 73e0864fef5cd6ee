"""``pelnas new``: the beginning of a package of one's own."""

import re
from importlib.resources import files
from pathlib import Path
from string import Template
from typing import Annotated

import typer

from pelnas.app import options
from pelnas.errors import InputError, SpaceError

new = typer.Typer(help="Write a package of your own to start from.", no_args_is_help=True)

NAME = re.compile(r"[a-z][a-z0-9]*(?:[_-][a-z0-9]+)*")
LONGEST = 40  # characters of a name: it stands in file names, commands and prompts
TEMPLATES = "templates/space"


@new.callback()
def _group() -> None:
    """Write a package of your own to start from."""


@new.command("space")
def space(
    name: Annotated[str, typer.Argument(help="The space's name: small letters, digits, - and _.")],
    folder: Annotated[
        Path | None, typer.Argument(help="Where to write it. Default: a new folder of that name.")
    ] = None,
    as_json: options.Json = False,
) -> None:
    """Write a package with a complete search space, to be installed and searched at once."""
    from pelnas.app.display.output import print_json, say

    place = folder or Path(name)
    written = write_space(name, place)
    if as_json:
        print_json({"folder": str(place), "files": [str(file) for file in written]})
        return
    say(f"wrote {', '.join(file.name for file in written)} into {place}")
    say(f"install it:  pip install -e {place}")
    say(f"check it:    pelnas space check {name}")
    say(f"search it:   pelnas search --space {name}")


def write_space(name: str, folder: Path) -> list[Path]:
    """Write the package of a space into a folder that does not exist yet.

    SpaceError: a name that cannot be used or is taken. InputError: the folder exists.
    """
    _check_name(name)
    module = f"pelnas_{name.replace('-', '_')}"
    title = "".join(part.capitalize() for part in re.split("[_-]", name))
    try:
        folder.mkdir(parents=True)
    except FileExistsError:
        raise InputError(
            f"expected a folder that does not exist yet, found {folder}: give another as second"
            " argument, or remove it"
        ) from None
    written = []
    for template in sorted(files("pelnas.app").joinpath(TEMPLATES).iterdir(), key=lambda f: f.name):
        text = Template(template.read_text(encoding="utf-8"))
        file = folder / template.name.removesuffix(".txt").replace("module", module)
        file.write_text(text.substitute(name=name, module=module, title=title), encoding="utf-8")
        written.append(file)
    return written


def _check_name(name: str) -> None:
    from pelnas.spaces import known_spaces

    if not NAME.fullmatch(name) or len(name) > LONGEST:
        raise SpaceError(
            f"expected a name of at most {LONGEST} small letters, digits, - and _, such as mobile or"
            f" my-cells, found {name[:80]!r}: give such a name"
        )
    if name in known_spaces():
        raise SpaceError(f"expected a new name, found the space {name!r}: give another name")
