"""What other installed packages bring: entry points by group, each loaded only when it is asked for.

A package that fails to load never touches what does not use it: names are read from the
metadata of installed packages, and code of theirs runs only where one is loaded or made.
"""

import hashlib
import sys
from collections.abc import Collection
from dataclasses import dataclass
from functools import lru_cache
from importlib.metadata import EntryPoint, entry_points
from pathlib import Path
from typing import Generic, TypeVar

from pelnas.errors import InputError

Kind = TypeVar("Kind")
REASON = 300  # characters of what a package's own code complained about


@dataclass(frozen=True)
class Group(Generic[Kind]):
    """One kind of plug-in.

    ``name``: of the entry-point group; ``noun``: what one is called; ``kind``: what an entry
    point names, or what the function or class that it names returns; ``error``: raised where
    one cannot be used.
    """

    name: str
    noun: str
    kind: type[Kind]
    error: type[InputError]

    def names(self, besides: Collection[str] = ()) -> tuple[str, ...]:
        """The names that packages bring, sorted; built-in ones (``besides``) keep their meaning."""
        return tuple(sorted({entry.name for entry in _entries(self.name)} - {*besides}))

    def package(self, name: str) -> str:
        """The package that brings a name, with its version; '' where none does."""
        return package_of(self.name, name)

    def make(self, name: str, *arguments: object) -> Kind | None:
        """The plug-in of this name, ``None`` where no package brings one.

        ``arguments``: for the function or class, where the entry point names one. InputError:
        as its own code raises it. ``error`` of the group, with the package: anything else fails.
        """
        entry = _entry(self.name, name)
        if entry is None:
            return None
        try:
            found = entry.load()
            made = (
                found if isinstance(found, self.kind) or not callable(found) else found(*arguments)
            )
        except InputError:
            raise
        except Exception as error:
            raise self._unusable(entry, said(error)) from error
        if not isinstance(made, self.kind):
            raise self._unusable(entry, type(made).__name__)
        return made

    def problem(self, name: str) -> str:
        """Why the entry point of this name cannot be loaded; '' where it can. Nothing is made."""
        entry = _entry(self.name, name)
        try:
            found = entry.load() if entry else None
        except Exception as error:  # noqa: BLE001 - code of others fails in any way it likes
            return str(self._unusable(entry, said(error))) if entry else ""
        is_sound = entry is None or isinstance(found, self.kind) or callable(found)
        return "" if is_sound or entry is None else str(self._unusable(entry, type(found).__name__))

    def _unusable(self, entry: EntryPoint, found: str) -> InputError:
        package = entry.dist.name if entry.dist else "the package that names it"
        kind = f"{self.kind.__module__}.{self.kind.__name__}"
        return self.error(
            f"expected {kind} at {entry.value} for {self.noun} {entry.name!r} of package {package},"
            f" found {found}: repair or uninstall {package}"
        )


def package_of(group: str, name: str) -> str:
    """The package, with its version, that brings a name to an entry-point group; '' for none."""
    entry = _entry(group, name)
    return f"{entry.dist.name} {entry.dist.version}" if entry and entry.dist else ""


def code_digest(kind: type) -> str:
    """A hash of the file that defines a class of another package; '' for one of pelnas.

    It changes as its author edits the file, so that nothing is taken from the cache that
    earlier code computed.
    """
    if kind.__module__.startswith("pelnas."):
        return ""
    file = getattr(sys.modules.get(kind.__module__), "__file__", None)
    code = Path(file).read_bytes() if file and Path(file).is_file() else b""
    return hashlib.sha256(code).hexdigest()[:16]


def _entry(group: str, name: str) -> EntryPoint | None:
    return next((entry for entry in _entries(group) if entry.name == name), None)


def _entries(group: str) -> tuple[EntryPoint, ...]:
    return _entries_on(group, tuple(sys.path))


@lru_cache(maxsize=32)
def _entries_on(group: str, _path: tuple[str, ...]) -> tuple[EntryPoint, ...]:
    """Looked up once for each path: reading the metadata of every package takes 20 ms."""
    return tuple(entry_points(group=group))


def said(error: Exception) -> str:
    """An exception of foreign code in one line: its type and its first words."""
    text = " ".join(str(error).split())[:REASON]
    return f"{type(error).__name__}: {text}" if text else type(error).__name__
