"""Processes forked from one that has imported what a search needs: at work soon."""

import multiprocessing
import runpy
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from multiprocessing import forkserver
from multiprocessing.process import BaseProcess
from pathlib import Path
from typing import Any

from pelnas import SearchConfig

EARLY = [
    "pelnas.graph.runs.search",
    "pelnas.agents.testing.scripted",
    "matplotlib.pyplot",
    "pyarrow.parquet",
]

#: Starts a process on a run of these settings, with what else its script finds defined.
Start = Callable[..., BaseProcess]


@contextmanager
def forking(script: Path) -> Iterator[Start]:
    """Processes that run a script; the one that forks is made anew, and ends with this.

    Python keeps one for all that ask, also for other tests in this process, and what it was
    given when it was made, as a library to load first, holds for every process it forks.
    """
    context = multiprocessing.get_context("forkserver")
    _end()
    context.set_forkserver_preload(EARLY)

    def start(config: SearchConfig, **values: Any) -> BaseProcess:
        given = {"settings": config.model_dump_json()} | values
        process = context.Process(target=runpy.run_path, args=(str(script), given, "killed"))
        process.start()
        return process

    try:
        yield start
    finally:
        _end()


def _end() -> None:
    """As Python's own tests end it: there is no public way."""
    forkserver._forkserver._stop()
