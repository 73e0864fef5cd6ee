"""A search as a process of its own, which outlives the one that started it."""

import os
import re
import subprocess
import sys
import tempfile
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from threading import Thread
from typing import Any

LONGEST = 65_536  # bytes of what a search says that are looked through
_BEGINS = re.compile(r"^pelnas: run (\S+) begins$", re.MULTILINE)


@dataclass(frozen=True, slots=True)
class State:
    """``run``: its name, '' before it has one; ``problem``: why it ended without one."""

    run: str
    ended: bool
    problem: str


class Launched:
    """A ``pelnas search`` that was started; safe to use from several threads."""

    def __init__(self, output: Path, given: Mapping[str, Any], *options: str) -> None:
        """``given``: values by option of a search, checked before. ``options``: others, as written."""
        log, path = tempfile.mkstemp()  # no pipe: the search goes on when this process has ended
        os.unlink(path)
        words = [*options, *_options(given)]
        command = [sys.executable, "-m", "pelnas", "search", f"--output={output}", *words]
        self._child = subprocess.Popen(  # noqa: S603 - our own program, checked options, no shell
            command,
            stdin=subprocess.DEVNULL,
            stdout=subprocess.DEVNULL,
            stderr=log,
            start_new_session=True,
        )
        self._log = log
        Thread(target=self._child.wait, daemon=True).start()  # so that an ended one is let go

    def state(self) -> State:
        """How it stands now."""
        ended = self._child.poll() is not None
        text = os.pread(self._log, LONGEST, 0).decode("utf-8", "replace")
        begun = _BEGINS.search(text)
        problem = "" if begun or not ended else (text.strip().splitlines() or ["it ended"])[-1]
        return State(begun[1] if begun else "", ended, problem.removeprefix("pelnas: "))


def _options(given: Mapping[str, Any]) -> Iterator[str]:
    for name, value in given.items():
        if isinstance(value, bool):
            yield from [f"--{name.replace('_', '-')}"] * value
            continue
        several = isinstance(value, Sequence) and not isinstance(value, str)
        for one in value if several else (value,):
            yield f"--{name.replace('_', '-')}={one}"
