"""All runs of an output folder: the list, and the one that is meant."""

import difflib
import os
from contextlib import closing, suppress
from datetime import datetime
from pathlib import Path

from pelnas.config import ROLES, SearchConfig
from pelnas.errors import InputError, RunError
from pelnas.inputs.paths import expanded
from pelnas.store.database import Database
from pelnas.store.folder import CONFIG, DATABASE, LONGEST_NAME, cannot_read, in_use, is_run
from pelnas.store.migrations import MIGRATIONS
from pelnas.store.records import RunSummary
from pelnas.store.run import RunStore

STAMP = 15  # characters of the time in a run's name
SHOWN = 5  # names offered where one was not understood


def list_runs(output: Path) -> list[RunSummary]:
    """Every run in a folder, newest first; a run that cannot be read is listed as such."""
    summaries = [_summary(folder) for folder in _folders(output)]
    return sorted(summaries, key=lambda run: (run.started, run.name), reverse=True)


def upgrade(folder: Path) -> tuple[int, int]:
    """Bring a run of an older release up to date: its format before and after.

    RunError: it is in use, damaged, or from a newer release.
    """
    with closing(Database(folder / DATABASE, read_only=True)) as database:
        before = database.found
    RunStore.open(folder).close()
    return before, len(MIGRATIONS)


def newest_first(output: Path) -> list[Path]:
    """The folders of all runs, by the time stamps in their names; none is opened."""
    return sorted(_folders(output), key=lambda folder: folder.name, reverse=True)


def find_run(output: Path, name: str) -> Path:
    """The folder of the run that ``name`` means.

    A path, the full name, its only match by beginning or end, or ``last`` for
    the newest. RunError: none or several, with the names that come close.
    """
    if name and is_run(expanded(Path(name))):
        return expanded(Path(name))
    folders = {folder.name: folder for folder in _folders(output)}
    if name in folders:
        return folders[name]
    if name == "last" and folders:
        return list_runs(output)[0].folder
    matches = [n for n in folders if name and (n.startswith(name) or n.endswith(name))]
    if len(matches) == 1:
        return folders[matches[0]]
    raise RunError(_unclear(output, name[:LONGEST_NAME], matches, list(folders)))


def _unclear(output: Path, name: str, matches: list[str], known: list[str]) -> str:
    if not known:
        return f"there is no run in {output}: start one with `pelnas search`, or give --output"
    if matches:
        return f"{name!r} may mean {', '.join(matches[:SHOWN])}: give more of the name"
    close = difflib.get_close_matches(name, known, n=SHOWN, cutoff=0.4) or known[-SHOWN:]
    return f"there is no run {name!r} in {output}: use one of {', '.join(close)}, or last"


def _folders(output: Path) -> list[Path]:
    if not os.path.isdir(output):  # false where the name is too long for any folder
        return []
    try:
        return sorted(folder for folder in output.iterdir() if is_run(folder))
    except OSError as error:
        raise cannot_read(output, error) from None


def _summary(folder: Path) -> RunSummary:
    try:
        with RunStore.read(folder) as run:
            rounds, candidates = run.designed()
            return RunSummary(
                name=run.name,
                folder=folder,
                started=run.started,
                status=_status(run),
                reason=run.reason,
                rounds=rounds,
                candidates=candidates,
                models=_models(run.config),
                origin=run.origin(),
            )
    except InputError as error:
        begun = _begun(folder)
        return RunSummary(folder.name, folder, begun, "unreadable", str(error), 0, 0, ())


def _begun(folder: Path) -> float:
    """When a run that cannot be read was begun: as its name says, else as its settings' file does.

    A copy is as new as the copying: it would be the last run of all.
    """
    with suppress(ValueError, OverflowError, OSError):
        return datetime.strptime(folder.name[:STAMP], "%Y%m%d-%H%M%S").timestamp()
    with suppress(OSError):
        return (folder / CONFIG).stat().st_mtime
    return 0.0


def _status(run: RunStore) -> str:
    if run.status == "finished":
        return "finished"
    return "running" if in_use(run.folder) else "stopped"


def _models(config: SearchConfig) -> tuple[str, ...]:
    return tuple(dict.fromkeys(config.model_of(role) for role in ROLES))
