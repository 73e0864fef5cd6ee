"""Locks on files between processes: taken with patience, looked at without being taken.

The system's own lock (``flock``) is let go of when its process dies. Where a file
system has none, a file that names the process replaces it.
"""

import errno
import os
import warnings
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from filelock import BaseFileLock, FileLock, SoftFileLock, Timeout

try:
    import fcntl
except ImportError:  # Windows
    fcntl = None  # type: ignore[assignment]

#: What file systems without such locks answer.
NO_FLOCK = frozenset({errno.ENOSYS, errno.ENOTSUP, errno.EOPNOTSUPP, errno.ENOLCK})
MODE = 0o600  # of the file: it lies beside what is for the user alone
SOFT = ".held"  # ends the name of the file that replaces a lock


def take(path: Path, patience: float) -> BaseFileLock:
    """The lock of this name, held; any thread may let it go.

    filelock.Timeout: somebody else still has it after ``patience`` seconds.
    OSError: the file cannot be made.
    """
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # that the file system has no locks: it is provided for
        guard: BaseFileLock = FileLock(path, mode=MODE, timeout=patience, thread_local=False)
        try:
            guard.acquire()
        except OSError as error:
            if isinstance(error, Timeout) or error.errno not in NO_FLOCK:
                raise
            guard = SoftFileLock(f"{path}{SOFT}", mode=MODE, timeout=patience, thread_local=False)
            guard.acquire()
    return guard


@contextmanager
def holding(path: Path, patience: float) -> Iterator[None]:
    """Hold the lock of this name for a block. Errors as ``take``."""
    guard = take(path, patience)
    try:
        yield
    finally:
        guard.release()


def held(path: Path) -> bool:
    """Whether a process on this machine holds the lock now.

    It is not taken for that: two that look at once would each see the other as its
    holder, and who wants to take it in that moment would be refused.
    """
    if fcntl is None or not hasattr(os, "O_NONBLOCK"):
        return _refused(path)
    try:
        handle = os.open(path, os.O_RDONLY | os.O_NONBLOCK)
    except OSError:
        return False  # nobody has ever held it, or it is not ours to hold
    try:
        fcntl.flock(handle, fcntl.LOCK_SH | fcntl.LOCK_NB)
    except BlockingIOError:
        return True
    except OSError as error:
        return error.errno in NO_FLOCK and _refused(path)
    finally:
        os.close(handle)
    return os.path.exists(f"{path}{SOFT}") and _refused(path)


def _refused(path: Path) -> bool:
    """Whether it cannot be taken: for systems on which that is the only way to look."""
    if not path.is_file():
        return False
    try:
        take(path, 0).release()
    except Timeout:
        return True
    except OSError:
        return False  # a folder we cannot write into is not one we run in
    return False
