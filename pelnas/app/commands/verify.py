"""``pelnas verify``: whether a run is whole, and mending it."""

from pathlib import Path
from typing import Annotated

import typer

from pelnas.app import options

DAMAGED = 1  # exit code where problems are left


def verify(
    run: options.Run = "last",
    repair: Annotated[
        bool, typer.Option("--repair", help="Repair what can be repaired, then check again.")
    ] = False,
    output: options.Output = None,
    as_json: options.Json = False,
) -> None:
    """Check a run: checksums of its records, records against events, files. 0: whole, 1: problems."""
    from dataclasses import asdict

    from pelnas.app.display.output import print_json, say
    from pelnas.report.verification import repair as mend
    from pelnas.report.verification import verify as check

    folder = _folder(options.runs_folder(output), run)
    done = mend(folder) if repair else []
    problems = check(folder)
    if as_json:
        records = [asdict(problem) for problem in problems]
        print_json({"run": folder.name, "repaired": done, "problems": records})
    else:
        for line in done:
            say(f"repaired: {line}")
        for problem in problems:
            say(problem.text + (f"; --repair would {problem.remedy}" if problem.remedy else ""))
        if not problems:
            say(f"{folder.name} is whole")
    if problems:
        raise typer.Exit(DAMAGED)


def _folder(output: Path, name: str) -> Path:
    """The folder of a run, also of one whose settings are missing."""
    from pelnas.store import find_run
    from pelnas.store.folder import DATABASE

    named = [Path(name), output / name] if name else []
    damaged = [folder for folder in named if (folder / DATABASE).is_file()]
    return damaged[0] if damaged else find_run(output, name)
