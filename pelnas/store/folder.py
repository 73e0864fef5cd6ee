"""A run's folder on disk: its name, its lock, and files that appear whole or not at all.

A folder may come from somebody else. Nothing in it leads out of it: what a run reads and writes
are its own regular files, never what a link, a pipe or a path in its store points to.
"""

import os
import re
import shutil
import socket
import stat
import time
from contextlib import suppress
from functools import lru_cache
from pathlib import Path, PurePosixPath, PureWindowsPath
from uuid import uuid4

from filelock import BaseFileLock, Timeout

from pelnas import locks
from pelnas.errors import RunError, StoreError
from pelnas.inputs import formats

CONFIG = "run.json"
DATABASE = "run.sqlite"
LOCK = ".lock"
HOLDER = ".host"  # names the computer whose process holds the run: locks do not travel
PATIENCE = 0.5  # seconds: longer than a look at the lock by a list of runs takes
LONGEST_NAME = 60
MAKING = ".making-"  # before the names of folders that are no runs yet
LEFT_OVER = 60.0  # seconds after which a folder that nobody holds is no longer being made
SHARE_OF_MEMORY = 8  # that a file may take which is read as a whole
PRIVATE_FILE = 0o600  # prompts, answers and whatever stands in them are for the user alone
PRIVATE_FOLDER = 0o700
SHARED_FILE = 0o666  # less the user's umask
_NO_LINK = getattr(os, "O_NOFOLLOW", 0)  # Windows has none, and hardly any links


def check_plain(folder: Path) -> None:
    """RunError: a run's folder holds a link, a pipe or a device, which might lead out of it."""
    try:
        with os.scandir(folder) as entries:
            names = [entry.name for entry in entries]
    except OSError as error:
        raise RunError(
            f"expected a run in {folder}, which cannot be read ({error.strerror or error}):"
            " correct its permissions"
        ) from None
    for name in names:
        inside(folder, name)


def inside(folder: Path, name: str) -> Path:
    """The path of a file or folder of a run by its relative name; it need not exist yet.

    RunError: the name leads out of the run's folder, or something on the way is a link or
    neither a regular file nor a folder.
    """
    parts = _parts_within(name)
    if not parts:
        raise RunError(
            f"expected the name of a file within the run {folder}, found {name[:80]!r}: the run was"
            " altered, do not use it"
        )
    path = folder
    for part in parts:
        path = path / part
        found = _odd(path)
        if found:
            raise RunError(
                f"expected the run's own files in {folder}, found {path.name[:80]!r}, {found}: put"
                " the file itself in its place, or remove it"
            )
    return path


@lru_cache(maxsize=256)  # the same few names are asked about at every event
def _parts_within(name: str) -> tuple[str, ...]:
    """The parts of a relative name; none where it leads out of its folder, on whichever system."""
    windows = PureWindowsPath(name)
    leads_out = (
        "\0" in name
        or name.startswith("/")
        or bool(windows.drive or windows.root)
        or ".." in windows.parts
    )
    return () if leads_out else PurePosixPath(name).parts


def _odd(path: Path) -> str:
    """What a path is in place of a regular file or a folder; '' for these, and where nothing is."""
    try:
        mode = path.lstat().st_mode
    except (OSError, ValueError):
        return ""
    if stat.S_ISLNK(mode):
        return "a link"
    return "" if stat.S_ISREG(mode) or stat.S_ISDIR(mode) else "a pipe or a device"


def content(folder: Path, name: str) -> bytes:
    """All of a run's own file; nothing where there is none.

    RunError: as of ``inside``, or a file that is larger than this machine's memory is for, as
    one that is mostly a hole. OSError: it cannot be read.
    """
    path = inside(folder, name)
    try:
        size = path.stat().st_size
    except FileNotFoundError:
        return b""
    if size > formats.memory() // SHARE_OF_MEMORY:
        raise RunError(
            f"expected a file of a run at {path}, found {size} bytes, more than this machine's memory"
            " is for: the run was altered, remove that file"
        )
    return path.read_bytes()


def open_to_append(folder: Path, name: str) -> int:
    """A descriptor at the end of a run's own file, which is made for the user alone.

    What is written reaches this name only: where the file has another one (a hard link), a copy
    takes its place first. RunError: as of ``inside``. OSError: it cannot be opened.
    """
    path = inside(folder, name)
    with suppress(FileNotFoundError):
        if path.lstat().st_nlink > 1:
            write_atomically(path, content(folder, name))
    flags = os.O_RDWR | os.O_APPEND | os.O_CREAT | _NO_LINK
    return os.open(path, flags, PRIVATE_FILE)


def write_atomically(path: Path, content: str | bytes, *, shared: bool = False) -> None:
    """Replace a file by ``content`` in one step: readers see the old file or the new one.

    A link is replaced and not followed. ``shared``: the file is for whoever the user's umask
    lets in, as that of any program; else for the user alone.
    StoreError: the folder cannot be written, and the old file is kept; or the path is no
    name of a file, but a folder, a pipe or a device, which would be replaced as well.
    """
    if not path.name or _odd(path) not in ("", "a link") or os.path.isdir(path):
        raise StoreError(
            f"expected the name of a file to write, found {str(path)[:200]!r}, which is a folder or"
            " a device: give another name"
        )
    data = content.encode() if isinstance(content, str) else content
    fresh = path.with_name(f".{path.name}.{uuid4().hex[:8]}")
    mode = SHARED_FILE if shared else PRIVATE_FILE
    try:
        handle = os.open(fresh, os.O_WRONLY | os.O_CREAT | os.O_EXCL, mode)
    except OSError as error:
        raise cannot_write(path, error) from error
    try:
        with os.fdopen(handle, "wb") as file:
            file.write(data)
            file.flush()
            os.fsync(file.fileno())
        os.replace(fresh, path)
        sync_folder(path.parent)
    except OSError as error:
        fresh.unlink(missing_ok=True)
        raise cannot_write(path, error) from error


def sync_folder(folder: Path) -> None:
    """Have the names in a folder on disk, so that a power cut does not undo a rename."""
    if os.name == "nt":
        return  # folders cannot be opened there; its journal keeps renames
    handle = os.open(folder, os.O_RDONLY)
    try:
        os.fsync(handle)
    finally:
        os.close(handle)


def cannot_write(path: Path, error: OSError) -> StoreError:
    """The sentence for a path that cannot be written."""
    return StoreError(
        f"{path} cannot be written ({error.strerror or error}): free disk space or correct its"
        f" permissions; what was stored before is kept"
    )


def cannot_read(path: Path, error: OSError) -> StoreError:
    """The sentence for a path that cannot be read."""
    return StoreError(
        f"{path} cannot be read ({error.strerror or error}): correct the path or its permissions"
    )


def begin_folder(output: Path) -> Path:
    """A folder in ``output`` for a run to be made in, which is no run before ``publish``.

    Clears what processes that died in between have left. StoreError: it cannot be made.
    """
    try:
        _make_lasting(output)
        _clear(output)
        folder = output / f"{MAKING}{uuid4().hex}"
        folder.mkdir(PRIVATE_FOLDER)
        # What SQLite makes beside its file gets the permissions of the file.
        os.close(os.open(folder / DATABASE, os.O_WRONLY | os.O_CREAT | os.O_EXCL, PRIVATE_FILE))
    except OSError as error:
        raise cannot_write(output, error) from error
    return folder


def _make_lasting(folder: Path) -> None:
    """Make a folder and those around it, and have them on disk."""
    missing = [path for path in (folder, *folder.parents) if not path.exists()]
    folder.mkdir(parents=True, exist_ok=True)
    for path in reversed(missing):
        sync_folder(path.parent)


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
                folder.rename(wanted)
                sync_folder(output)
                return wanted
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
        guard = locks.take(inside(folder, LOCK), PATIENCE)
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
        host = content(folder, HOLDER).decode("utf-8", "replace").strip()
    except OSError:
        return ""
    return "" if host == socket.gethostname() else host


def in_use(folder: Path) -> bool:
    """Whether a process on this machine holds the run now."""
    return locks.held(folder / LOCK)
