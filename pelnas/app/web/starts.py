"""Searches that are started from the page: each a ``pelnas search`` of its own, which outlives it."""

import os
import re
import subprocess
import sys
import tempfile
from collections.abc import Mapping
from pathlib import Path
from threading import Lock, Thread
from typing import Any, get_origin

from pelnas.app.options import OPTIONS, kind
from pelnas.app.options import settings as nested
from pelnas.config import load_config
from pelnas.errors import ConfigError, RunError

#: What the form may set: the options of ``pelnas search`` that take one value.
FIELDS = tuple(name for name in OPTIONS if name != "output" and get_origin(kind(name)) is not list)
LONGEST = 65_536  # bytes of what a search says that are looked through
_BEGINS = re.compile(r"^pelnas: run (\S+) begins$", re.MULTILINE)


class Starts:
    """What was started; safe to use from several threads."""

    def __init__(self, output: Path) -> None:
        self._output = output
        self._started: list[tuple[subprocess.Popen[bytes], int]] = []
        self._lock = Lock()

    def begin(self, given: Mapping[str, Any]) -> int:
        """Start a search and return its number. ConfigError: a setting is unknown or out of range."""
        unknown = sorted(set(given) - set(FIELDS))
        if unknown:
            raise ConfigError(
                f"unknown setting {unknown[0][:40]!r}: settings are {', '.join(FIELDS)}"
            )
        wanted = {name: value for name, value in given.items() if value not in (None, "")}
        load_config(None, nested(wanted))
        options = [f"--{name.replace('_', '-')}={value}" for name, value in wanted.items()]
        log, path = tempfile.mkstemp()  # no pipe: the search goes on when this process has ended
        os.unlink(path)
        command = [sys.executable, "-m", "pelnas", "search", f"--output={self._output}", *options]
        child = subprocess.Popen(  # noqa: S603 - our own program, checked options, no shell
            command,
            stdin=subprocess.DEVNULL,
            stdout=subprocess.DEVNULL,
            stderr=log,
            start_new_session=True,
        )
        Thread(target=child.wait, daemon=True).start()  # so that an ended one is let go
        with self._lock:
            self._started.append((child, log))
            return len(self._started) - 1

    def state(self, number: int) -> dict[str, Any]:
        """``run``: its name, '' before it has one; ``ended``; ``problem``: why it has none.

        RunError: nothing of this number was started.
        """
        with self._lock:
            if not 0 <= number < len(self._started):
                raise RunError(f"there is no start {number}: see the list of runs")
            child, log = self._started[number]
            ended = child.poll() is not None
            text = os.pread(log, LONGEST, 0).decode("utf-8", "replace")
        begun = _BEGINS.search(text)
        problem = "" if begun or not ended else (text.strip().splitlines() or ["it ended"])[-1]
        return {
            "run": begun[1] if begun else "",
            "ended": ended,
            "problem": problem.removeprefix("pelnas: "),
        }
