"""A run's folder on disk: its name, its lock, and files that appear whole or not at all."""

import os
import re
import shutil
import socket
import tempfile
import time
from contextlib import suppress
from pathlib import Path
from uuid import uuid4

from filelock import BaseFileLock, Timeout

from pelnas import locks
from pelnas.errors import RunError, StoreError

CONFIG = "run.json"
DATABASE = "run.sqlite"
LOCK = ".lock"
HOLDER = ".host"  # names the computer whose process holds the run: locks do not travel
PATIENCE = 0.5  # seconds: longer than a look at the lock by a list of runs takes
LONGEST_NAME = 60
MAKING = ".making-"  # before the names of folders that are no runs yet
LEFT_OVER = 60.0  # seconds after which a folder that nobody holds is no longer being made


def write_atomically(path: Path, content: str | bytes) -> None:
    """Replace a file by ``content`` in one step: readers see the old file or the new one.

    StoreError: the folder cannot be written; the old file is kept.
    """
    data = content.encode() if isinstance(content, str) else content
    try:
        handle, name = tempfile.mkstemp(dir=path.parent, prefix=f".{path.name}.")
    except OSError as error:
        raise cannot_write(path, error) from error
    try:
        with os.fdopen(handle, "wb") as file:
            file.write(data)
            file.flush()
            os.fsync(file.fileno())
        os.chmod(name, 0o644)  # mkstemp makes private files; a report is to be shared
        os.replace(name, path)
    except OSError as error:
        Path(name).unlink(missing_ok=True)
        raise cannot_write(path, error) from error


def cannot_write(path: Path, error: OSError) -> StoreError:
    """The sentence for a path that cannot be written."""
    return StoreError(
        f"{path} cannot be written ({error.strerror or error}): free disk space or correct its"
        f" permissions; what was stored before is kept"
    )


def begin_folder(output: Path) -> Path:
    """A folder in ``output`` for a run to be made in, which is no run before ``publish``.

    Clears what processes that died in between have left. StoreError: it cannot be made.
    """
    try:
        output.mkdir(parents=True, exist_ok=True)
        _clear(output)
        folder = output / f"{MAKING}{uuid4().hex}"
        folder.mkdir()
    except OSError as error:
        raise cannot_write(output, error) from error
    return folder


def publish(folder: Path, output: Path, stamp: str, name: str) -> Path:
    """Make the run in a folder a run, in one step: ``output/stamp-name``, with ``-2``, ... if taken.

    Characters of the name that do not belong in a file name become ``-``, so
    that a run cannot leave its output folder. StoreError: cannot be made.
    """
    plain = re.sub(r"[^A-Za-z0-9._-]+", "-", name).strip(".-")[:LONGEST_NAME] or "search"
    number = 1
    while True:
        wanted = output / (f"{stamp}-{plain}" + (f"-{number}" if number > 1 else ""))
        try:
            if not os.path.lexists(wanted):
                return folder.rename(wanted)
        except OSError as error:
            if not wanted.is_dir():  # else somebody else took the name in this moment
                raise cannot_write(wanted, error) from error
        number += 1


def _clear(output: Path) -> None:
    for folder in output.glob(f"{MAKING}*"):
        with suppress(OSError):  # somebody else may clear it; one that stays does no harm
            old = time.time() - folder.stat().st_mtime > LEFT_OVER
            if old and not in_use(folder):
                shutil.rmtree(folder)


def is_run(folder: Path) -> bool:
    """Whether a run was begun here; not where nobody may look, nor by a name that no folder has."""
    try:
        return (
            not folder.name.startswith(MAKING)
            and (folder / CONFIG).is_file()
            and (folder / DATABASE).is_file()
        )
    except OSError:
        return False


def lock(folder: Path) -> BaseFileLock:
    """Take the folder for this process; the system lets it go when the process dies.

    RunError: another process, or another part of this one, has it.
    """
    try:
        guard = locks.take(folder / LOCK, PATIENCE)
    except Timeout:
        raise RunError(
            f"the run in {folder} is in use by another process: wait for it, or end it first"
        ) from None
    except OSError as error:
        raise cannot_write(folder / LOCK, error) from error
    write_atomically(folder / HOLDER, socket.gethostname())
    return guard


def unlock(folder: Path, guard: BaseFileLock) -> None:
    """Let the folder go; a second call does nothing."""
    if guard.is_locked:
        (folder / HOLDER).unlink(missing_ok=True)
    guard.release()


def elsewhere(folder: Path) -> str:
    """The other computer that took the run and did not let it go; '' where there is none."""
    try:
        host = (folder / HOLDER).read_text(encoding="utf-8", errors="replace").strip()
    except OSError:
        return ""
    return "" if host == socket.gethostname() else host


def in_use(folder: Path) -> bool:
    """Whether a process on this machine holds the run now."""
    return locks.held(folder / LOCK)
