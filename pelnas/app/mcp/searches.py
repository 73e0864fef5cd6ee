"""The searches that a model at an MCP host may start, within what the owner of the server allows.

Each is a ``pelnas search`` in a process of its own, which outlives the server. Settings are the
options of that command, by name, as far as a client of a served search may choose them
(``pelnas.graph.serve.policy``): no file, no address, and no model that is not offered.
"""

import json
import secrets
import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from threading import Lock
from typing import Any, Self, get_origin

from pelnas.app.launch import Launched, State
from pelnas.app.mcp import Steering
from pelnas.app.options import BUDGETS, OPTIONS, kind
from pelnas.app.options import settings as nested
from pelnas.config import SETTINGS, SearchConfig, load_config
from pelnas.errors import ConfigError, InputError
from pelnas.graph.chat.allowlist import ModelOffer
from pelnas.graph.serve.policy import OPEN, Policy
from pelnas.store.folder import in_use
from pelnas.traces.text import one_line

FIELDS = tuple(name for name, setting in OPTIONS.items() if setting.partition(".")[0] in OPEN)
EVALUATIONS = 600  # of a started search, where its owner sets no limit
PATIENCE = 120.0  # seconds until a started search has a name
PAUSE = 0.1  # seconds
SHOWN = 600  # characters of settings that are shown to a person
LASTING = 600.0  # seconds that a code for a start is good for
CODES = 20  # that are good at the same time
KINDS = {bool: "boolean", int: "integer", float: "number"}
COSTLY = ("calls", "tokens", "dollars")


@dataclass(frozen=True, slots=True)
class Allowed:
    """What the owner of a server lets a model start.

    ``consent``: whether a start needs a person's yes, is off, or needs none. ``file``: settings
    that every started search has. ``at_most``: how many searches one server starts.
    """

    consent: Steering = "off"
    policy: Policy = field(default_factory=lambda: Policy(ModelOffer(())))
    file: Path | None = None
    at_most: int = 0

    @classmethod
    def of(
        cls,
        consent: Steering,
        models: Sequence[str],
        file: Path | None,
        budget: Mapping[str, float],
        at_most: int,
    ) -> Self:
        """ConfigError: the file cannot be used, or models may cost without any limit."""
        own = load_config(file, {"budget": dict(budget)}).budget
        if consent != "off" and models and all(getattr(own, name) is None for name in COSTLY):
            raise ConfigError(
                "expected a limit on what offered models may cost, found none:"
                " give --max-dollars, --max-calls or --max-tokens"
            )
        most = dict(budget)
        if own.evaluations is None:
            most["evaluations"] = EVALUATIONS
        return cls(consent, Policy(ModelOffer(models), file, most), file, at_most)


class Codes:
    """One-time codes for the second step of a start; safe to use from several threads."""

    def __init__(self) -> None:
        self._known: dict[str, tuple[str, float]] = {}
        self._lock = Lock()

    def new(self, about: str) -> str:
        """A code that is good for one use, soon, and only for this."""
        code = secrets.token_hex(4)
        with self._lock:
            self._known[code] = about, time.monotonic() + LASTING
            while len(self._known) > CODES:
                self._known.pop(next(iter(self._known)))
        return code

    def use(self, code: str, about: str) -> None:
        """InputError: no such code is good for this; it is good no more in any case."""
        with self._lock:
            known, until = self._known.pop(code, ("", 0.0))
        if known != about or time.monotonic() > until:
            raise InputError(
                f"expected the code of a start with these settings, found {code[:40]!r}: a code is"
                " good once and for ten minutes, ask for another by leaving confirm out"
            )


class Searches:
    """What was started by one server; safe to use from several threads."""

    def __init__(self, output: Path, allowed: Allowed) -> None:
        self.allowed = allowed
        self._output = output
        self._started: list[Launched] = []
        self._codes = Codes()
        self._lock = Lock()

    def config(self, given: Mapping[str, Any]) -> SearchConfig:
        """The settings of a search. InputError: what a model may not choose, or no search takes."""
        return self.allowed.policy.settings(nested(_wanted(given)), self._output)

    def estimate(self, given: Mapping[str, Any]) -> dict[str, Any]:
        """What a search is likely to use, in words and figures, and its limits.

        InputError: as of ``config``.
        """
        from dataclasses import asdict

        from pelnas.app.display.estimate_text import foretold
        from pelnas.graph.estimate.estimate import estimate
        from pelnas.graph.session.problem import outlook, resolved

        config = resolved(self.config(given))
        partition, _ = outlook(config)
        found = estimate(config, partition)
        limits = config.budget.model_dump(exclude_none=True)
        return {"in_words": foretold(config, found), **asdict(found), "limits": limits}

    def summary(self, given: Mapping[str, Any]) -> str:
        """What a person is asked about a start. InputError: it cannot be started."""
        self._check_room()
        found = self.estimate(given)
        wanted = one_line(json.dumps(_wanted(given), ensure_ascii=False, sort_keys=True), SHOWN)
        limits = ", ".join(f"{value:g} {name}" for name, value in found["limits"].items())
        return f"a search with {wanted}; {found['in_words']}; it ends at the latest at {limits}"

    def code(self, given: Mapping[str, Any]) -> str:
        """A code by which this search may be started, see ``confirmed``."""
        return self._codes.new(_canonical(given))

    def confirmed(self, code: str, given: Mapping[str, Any]) -> None:
        """InputError: the code is not for a start with these settings."""
        self._codes.use(code, _canonical(given))

    def start(self, given: Mapping[str, Any]) -> str:
        """Start a search and return the name of its run.

        InputError: it cannot be started, and why.
        """
        budget = self.config(given).budget
        limits = {name: getattr(budget, OPTIONS[name].partition(".")[2]) for name in BUDGETS}
        options = _wanted(given) | {name: most for name, most in limits.items() if most is not None}
        file = (f"--config={self.allowed.file.resolve()}",) if self.allowed.file else ()
        with self._lock:
            self._check_room()
            started = Launched(self._output, options, *file)
            self._started.append(started)
        until = time.monotonic() + PATIENCE
        while not (state := started.state()).run and not state.ended and time.monotonic() < until:
            time.sleep(PAUSE)
        if not state.run:
            raise InputError(
                state.problem or "the search has not begun yet: see the tool runs in a minute"
            )
        return state.run

    def started_here(self, run: str) -> bool:
        """Whether this server started a run, by its full name."""
        return any(started.state().run == run for started in tuple(self._started))

    def _check_room(self) -> None:
        states = [started.state() for started in tuple(self._started)]
        under_way = [state.run or "one that begins" for state in states if self._works(state)]
        if under_way:  # latencies are measured: two searches would disturb each other
            raise InputError(
                f"expected no other search of this server to be under way, found {under_way[0]}:"
                " follow it to its end, or stop it"
            )
        if sum(bool(state.run) for state in states) >= self.allowed.at_most:
            raise InputError(
                f"the owner of this server allows {self.allowed.at_most} started searches, and"
                " these were started: a person may start more by `pelnas search`"
            )

    def _works(self, state: State) -> bool:
        """Whether a search is under way; its process ends a little after it."""
        return not state.ended and (not state.run or in_use(self._output / state.run))


def schema() -> dict[str, Any]:
    """The JSON schema of the settings that a model may give."""
    return {
        "type": "object",
        "properties": {name: _property(name) for name in FIELDS},
        "additionalProperties": False,
    }


def _property(name: str) -> dict[str, Any]:
    found, text = kind(name), SETTINGS[OPTIONS[name]].text
    if get_origin(found) is list:
        return {"type": "array", "items": {"type": "string"}, "description": text}
    return {"type": KINDS.get(found, "string"), "description": text}


def _wanted(given: Mapping[str, Any]) -> dict[str, Any]:
    """The settings that were given. ConfigError: one is unknown, or not for a model to choose."""
    unknown = sorted(set(given) - set(FIELDS))
    if unknown:
        raise ConfigError(f"unknown setting {unknown[0][:40]!r}: settings are {', '.join(FIELDS)}")
    return {name: value for name, value in given.items() if value not in (None, "", [])}


def _canonical(given: Mapping[str, Any]) -> str:
    return json.dumps(_wanted(given), sort_keys=True)
