"""The raw results of a comparison: one JSON line a finished search, appended as it ends."""

import json
import os
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import asdict, dataclass, field, fields
from pathlib import Path
from typing import Any, NamedTuple, Self

from filelock import Timeout

from pelnas.bench.search.problem import Cell
from pelnas.errors import StoreError
from pelnas.locks import take

FILE = "results.jsonl"
LOCK = ".lock"


class Key(NamedTuple):
    """What tells one search from all others."""

    space: str
    dataset: str
    device: str
    accuracy: str
    method: str
    model: str
    seed: int
    budget: int


@dataclass(frozen=True, slots=True)
class Result:
    """One search. ``error``: why it failed; nothing else is known of it then.

    ``curve``: measures by name at the checkpoints, which are ``curve["evaluations"]``;
    ``niches``: for each, networks tried, points of the true front and how many were found;
    ``under``: best accuracy in percent of the front within each latency budget;
    ``possible``: the same of the true front; ``tried``: indices of the networks in order;
    ``scores``: what the search saw of them; ``fifths``, ``operations``, ``entropy``,
    ``designed``: as in ``pelnas.bench.search.accounting``; ``run``: the run's folder;
    ``cpu``: seconds of its process, ``seconds``: by the clock. ``version``: of this package;
    ``settings``: by dotted name, those that are not the defaults; ``None`` for results of
    versions that did not keep them. ``counts``: as in ``pelnas_search.designer_counts``;
    ``gained``: by author of designs, by how much these widened the hypervolume in the front box when
    they were evaluated, the first population left out.
    """

    key: Key
    error: str = ""
    evaluations: int = 0
    cpu: float = 0.0
    seconds: float = 0.0
    curve: Mapping[str, list[float | None]] = field(default_factory=dict)
    niches: list[tuple[str, int, int, int]] = field(default_factory=list)
    budgets: list[float] = field(default_factory=list)
    under: list[float | None] = field(default_factory=list)
    possible: list[float | None] = field(default_factory=list)
    tried: list[int] = field(default_factory=list)
    scores: list[float] = field(default_factory=list)
    fifths: list[float] = field(default_factory=list)
    operations: Mapping[str, float] = field(default_factory=dict)
    entropy: list[float] = field(default_factory=list)
    designed: Mapping[str, tuple[int, int]] = field(default_factory=dict)
    run: str = ""
    version: str = ""
    settings: Mapping[str, Any] | None = None
    counts: Mapping[str, float] = field(default_factory=dict)
    gained: Mapping[str, float] = field(default_factory=dict)

    @property
    def cell(self) -> Cell:
        return Cell(*self.key[:4])

    @property
    def name(self) -> str:
        """The method, with its model where that is not the built-in one."""
        return f"{self.key.method} ({self.key.model})" if self.key.model else self.key.method

    def final(self, measure: str) -> float:
        """A measure at the end; NaN where it has no meaning."""
        value = self.curve[measure][-1]
        return float("nan") if value is None else value

    def to_dict(self) -> dict[str, Any]:
        """Plain values for JSON; a number that is not finite becomes ``None``."""
        record: dict[str, Any] = {**self.key._asdict(), **asdict(self)}
        del record["key"]
        return {name: _finite(value) for name, value in record.items()}

    def to_line(self) -> str:
        """The line of the file, without its end."""
        return json.dumps(self.to_dict(), allow_nan=False)

    @classmethod
    def from_line(cls, line: str) -> Self:
        """The inverse of ``to_line``. ValueError, TypeError, KeyError: a line that is none."""
        record = json.loads(line)
        key = Key(**{name: record.pop(name) for name in Key._fields})
        known = {one.name for one in fields(cls)}
        return cls(key, **{name: value for name, value in record.items() if name in known})


def _finite(value: Any) -> Any:
    if isinstance(value, float):
        return value if value - value == 0 else None
    if isinstance(value, dict):
        return {name: _finite(part) for name, part in value.items()}
    return [_finite(part) for part in value] if isinstance(value, list | tuple) else value


class Results:
    """The file of a folder. StoreError: it cannot be written."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.path = folder / FILE
        try:
            folder.mkdir(parents=True, exist_ok=True)
            self._end_half_line()
        except OSError as error:
            raise StoreError(
                f"expected a folder for results at {folder}, found that it cannot be written"
                f" ({error.strerror}): give another one by --to"
            ) from None

    def _end_half_line(self) -> None:
        """A line that a kill cut is ended, so that the next one does not run into it."""
        if self.path.exists() and self.path.stat().st_size:
            with self.path.open("rb+") as file:
                file.seek(-1, os.SEEK_END)
                if file.read(1) != b"\n":
                    file.write(b"\n")

    def append(self, result: Result) -> None:
        """Keep a result on disk before anything else happens."""
        try:
            with self.path.open("a", encoding="utf-8") as file:
                file.write(result.to_line() + "\n")
                file.flush()
                os.fsync(file.fileno())
        except OSError as error:
            raise StoreError(
                f"expected to write {self.path}, found that it cannot be ({error.strerror}): free"
                " disk space, then go on by the same command"
            ) from None

    @contextmanager
    def alone(self) -> Iterator[None]:
        """Keep other processes out for a block. StoreError: one is there already."""
        try:
            guard = take(self.folder / LOCK, 0)
        except Timeout:
            raise StoreError(
                f"expected {self.folder} to be free, found another bench at work there: wait for"
                " it, or give another folder by --to"
            ) from None
        try:
            yield
        finally:
            guard.release()

    def read(self) -> list[Result]:
        """The latest result of every search, in the order of the file; cut lines are left out.

        A failure is left out where the search succeeded later or earlier.
        """
        found: dict[Key, Result] = {}
        for result in self._lines():
            held = found.get(result.key)
            if held is None or held.error or not result.error:
                found[result.key] = result
        return list(found.values())

    def _lines(self) -> Iterator[Result]:
        if not self.path.exists():
            return
        with self.path.open(encoding="utf-8", errors="replace") as file:
            for line in file:
                try:
                    yield Result.from_line(line)
                except (ValueError, TypeError, KeyError, AttributeError):
                    continue  # cut by a kill or a full disk: the search runs again
