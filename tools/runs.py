"""Runs as other programs may name them: by a name below one folder, never by a path."""

import os
from pathlib import Path

from pelnas.errors import RunError
from pelnas.store import list_runs
from pelnas.store.folder import is_run

OFFERED = 5  # names suggested where one was not found


def run_below(output: Path, name: str) -> Path:
    """The folder of a run directly below ``output``: by its full name, or ``last``.

    RunError: nothing of this name lies there, with the newest names that do.
    """
    there = os.listdir(output) if os.path.isdir(output) else []
    newest = list_runs(output)[:1] if name == "last" else []
    wanted = newest[0].name if newest else name
    folder = output / wanted if wanted in there else None
    if folder is None or not is_run(folder) or folder.resolve().parent != output.resolve():
        known = [run.name for run in list_runs(output)]
        offered = f"use one of {', '.join(known[:OFFERED])}" if known else "start a search first"
        raise RunError(f"there is no run {name[:80]!r} among the runs here: {offered}")
    return folder
