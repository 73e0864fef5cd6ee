"""How many cores this process and those that work for it compute on."""

import os
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from functools import cache
from threading import Lock
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from threadpoolctl import ThreadpoolController

#: What sets the threads of numerical libraries; read when these are loaded.
THREADS = (
    "OMP_NUM_THREADS", "OPENBLAS_NUM_THREADS", "MKL_NUM_THREADS", "VECLIB_MAXIMUM_THREADS",
    "NUMEXPR_NUM_THREADS",
)  # fmt: skip


def cores() -> int:
    """The processor cores that this process may use."""
    if hasattr(os, "sched_getaffinity"):
        return len(os.sched_getaffinity(0))
    return os.cpu_count() or 1


def environment(threads: int) -> dict[str, str]:
    """For one that computes with so many threads and imports what this process would."""
    paths = os.pathsep.join(path for path in sys.path if path)  # pelnas is found as it is here
    return os.environ | dict.fromkeys(THREADS, str(threads)) | {"PYTHONPATH": paths}


@contextmanager
def one_core() -> Iterator[None]:
    """The sums of this process on one core each, until the last of those who ask has left.

    They then come out the same whatever the machine and whatever else is running, and small
    ones cost less: a second thread waits for them longer than they take. Networks that PyTorch
    runs in this process keep their threads.
    """
    _limit.enter()
    try:
        yield
    finally:
        _limit.leave()


class _Limit:
    """One for all who ask: whoever restored what it had found while others work would lift it."""

    def __init__(self) -> None:
        self._turn, self._users = Lock(), 0

    def enter(self) -> None:
        with self._turn:
            if not self._users:
                self._set = _pools().limit(limits=1, user_api="blas")
            self._users += 1

    def leave(self) -> None:
        with self._turn:
            self._users -= 1
            if not self._users:
                self._set.restore_original_limits()


_limit = _Limit()


@cache
def _pools() -> "ThreadpoolController":
    """The threads of the numerical libraries that were loaded when it was first asked."""
    from threadpoolctl import ThreadpoolController  # workers, which import this, have no use for it

    return ThreadpoolController()
