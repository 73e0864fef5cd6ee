"""What a search costs, and how that grows with its length: each one runs in a process of its own."""

import os
import subprocess
import sys
import tempfile
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from time import perf_counter

from pelnas.errors import InputError
from pelnas.store import list_runs

MB_OF_RSS = 2**20 if sys.platform == "darwin" else 2**10  # the unit in which the system reports it


@dataclass(frozen=True, slots=True)
class Cost:
    """Of one search, importing included.

    ``cpu_seconds``: of all its threads, in user and system mode, whoever else wants the cores.
    ``seconds``: by the clock. ``peak_mb``: most memory at once, in units of 2**20 bytes.
    """

    rounds: int
    evaluations: int
    cpu_seconds: float
    seconds: float
    peak_mb: float


def costs(options: Sequence[str], rounds: Iterable[int]) -> Iterator[Cost]:
    """``pelnas search`` with these options, at several lengths. The runs are not kept.

    InputError: a search fails, or the system does not report what a process has used.
    """
    if not hasattr(os, "wait4"):
        raise InputError("this system does not report what a process has used: measure on another")
    for length in rounds:
        with tempfile.TemporaryDirectory() as folder:
            yield _measured(options, length, Path(folder))


def _measured(options: Sequence[str], rounds: int, folder: Path) -> Cost:
    runs = folder / "runs"
    search = [sys.executable, "-m", "pelnas", "search", *options]
    search += ["--rounds", str(rounds), "--output", str(runs), "--no-knowledge"]
    compiled = os.environ | {"PYTHONDONTWRITEBYTECODE": ""}  # once, as in an installation
    started = perf_counter()
    with (folder / "log").open("w+b") as output:
        process = subprocess.Popen(  # noqa: S603 - our own program
            search, stdout=output, stderr=output, env=compiled
        )
        _, status, used = os.wait4(process.pid, 0)
        process.returncode = os.waitstatus_to_exitcode(status)
    if process.returncode:
        raise InputError(f"the search of {rounds} rounds failed: {_last_line(folder / 'log')}")
    (run,) = list_runs(runs)
    return Cost(
        rounds=rounds,
        evaluations=run.candidates,
        cpu_seconds=used.ru_utime + used.ru_stime,
        seconds=perf_counter() - started,
        peak_mb=used.ru_maxrss / MB_OF_RSS,
    )


def _last_line(log: Path) -> str:
    lines = log.read_text(encoding="utf-8", errors="replace").split("\n")
    return next((line for line in reversed(lines) if line.strip()), "it said nothing")
