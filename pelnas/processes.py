"""Other Python processes that work for this one: how many, and what they are started with."""

import os
import sys

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
