"""What other installed packages bring: entry points by group, each loaded only when it is asked for.

A package that fails to load never touches what does not use it: names are read from the
metadata of installed packages, and code of theirs runs only on ``load``.
"""

from collections.abc import Callable, Collection
from dataclasses import dataclass
from importlib.metadata import EntryPoint, entry_points
from typing import Any, Generic, TypeVar

from pelnas.errors import InputError

Plugin = TypeVar("Plugin")
REASON = 300  # characters of what a package's own code complained about


@dataclass(frozen=True)
class Group(Generic[Plugin]):
    """One kind of plug-in.

    ``name``: of the entry-point group; ``noun``: what one is called; ``error``: raised where
    one cannot be used; ``expected``: what an entry point has to name; ``made``: the plug-in
    of what an entry point names, ``None`` where it is something else.
    """

    name: str
    noun: str
    error: type[InputError]
    expected: str
    made: Callable[[Any], Plugin | None]

    def names(self, besides: Collection[str] = ()) -> tuple[str, ...]:
        """The names that packages bring, sorted; built-in ones (``besides``) keep their meaning."""
        return tuple(sorted({entry.name for entry in entry_points(group=self.name)} - {*besides}))

    def load(self, name: str) -> Plugin | None:
        """The plug-in of this name, ``None`` where no package brings one.

        ``error`` of the group: it cannot be loaded or is something else; the message names the package.
        """
        for entry in entry_points(group=self.name, name=name):
            return self._loaded(entry)
        return None

    def _loaded(self, entry: EntryPoint) -> Plugin:
        try:
            plugin = self.made(entry.load())
        except Exception as error:
            raise self._unusable(entry, f"found {said(error)}") from error
        if plugin is None:
            raise self._unusable(entry, "found something else there")
        return plugin

    def _unusable(self, entry: EntryPoint, found: str) -> InputError:
        package = entry.dist.name if entry.dist else "the package that names it"
        return self.error(
            f"expected {self.expected} at {entry.value} for {self.noun} {entry.name!r} of package"
            f" {package}, {found}: repair or uninstall {package}"
        )


def said(error: Exception) -> str:
    """An exception of foreign code in one line: its type and its first words."""
    text = " ".join(str(error).split())[:REASON]
    return f"{type(error).__name__}: {text}" if text else type(error).__name__
