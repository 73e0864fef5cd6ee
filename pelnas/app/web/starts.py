"""Searches that are started from the page: each a ``pelnas search`` of its own, which outlives it."""

from collections.abc import Mapping
from dataclasses import asdict
from pathlib import Path
from threading import Lock
from typing import Any, get_origin

from pelnas.app.launch import Launched
from pelnas.app.options import OPTIONS, kind
from pelnas.app.options import settings as nested
from pelnas.config import load_config
from pelnas.errors import ConfigError, RunError

#: What the form may set: the options of ``pelnas search`` that take one value.
FIELDS = tuple(name for name in OPTIONS if name != "output" and get_origin(kind(name)) is not list)


class Starts:
    """What was started; safe to use from several threads."""

    def __init__(self, output: Path) -> None:
        self._output = output
        self._started: list[Launched] = []
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
        started = Launched(self._output, wanted)
        with self._lock:
            self._started.append(started)
            return len(self._started) - 1

    def state(self, number: int) -> dict[str, Any]:
        """``run``: its name, '' before it has one; ``ended``; ``problem``: why it has none.

        RunError: nothing of this number was started.
        """
        with self._lock:
            if not 0 <= number < len(self._started):
                raise RunError(f"there is no start {number}: see the list of runs")
            started = self._started[number]
        return asdict(started.state())
