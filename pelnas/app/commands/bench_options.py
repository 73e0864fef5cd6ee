"""The options that several of ``pelnas bench`` share."""

from pathlib import Path
from typing import Annotated

import typer

from pelnas.app import options
from pelnas.errors import ConfigError
from pelnas.inputs import bounds
from pelnas.inputs.bounds import Range

BUDGET = Range(10, 100_000)
JOBS = Range(1, 4_096)

Data = Annotated[Path, typer.Option("--data", help="Folder of benchmark tables.")]
DataSets = Annotated[
    list[str] | None, typer.Option("--dataset", help="Repeatable. Default: all of the folder.")
]
Devices = Annotated[
    list[str] | None, typer.Option("--device", help="Repeatable. Default: all of the folder.")
]
Seeds = Annotated[
    int, options.number(bounds.SEEDS, "--seeds", "Searches of each, seeds from 0 on.")
]
Evaluations = Annotated[
    int, options.number(BUDGET, "--evaluations", "Networks that each search may evaluate.")
]
To = Annotated[
    Path, typer.Option("--to", help="Folder of results; what is there is not run again.")
]
Jobs = Annotated[
    int | None, options.number(JOBS, "--jobs", "Searches at a time. Default: one a core.")
]
Again = Annotated[
    bool, typer.Option("--again", help="Run searches that have results, too; the latest count.")
]
Markdown = Annotated[
    bool, typer.Option("--markdown", help="The tables as Markdown on standard output.")
]


def check_form(markdown: bool, as_json: bool) -> None:
    """ConfigError: results are asked for in two forms at once."""
    if markdown and as_json:
        raise ConfigError("expected one form of output, found --markdown and --json: leave one")
