"""Imports by the module names of release 0.1.0: they work with a DeprecationWarning.

Only what its documentation named, or what stood beside it. Modules that became packages of
the same name hand their old contents on by ``renamed``.
"""

import sys
import warnings
from collections.abc import Callable, Sequence
from importlib import import_module
from importlib.abc import Loader, MetaPathFinder
from importlib.machinery import ModuleSpec
from types import ModuleType
from typing import Any

MODULES = {
    "pelnas.agents.loopback": "pelnas.agents.testing.server",
    "pelnas.agents.providers": "pelnas.agents.models.langchain",
    "pelnas.agents.scripted": "pelnas.agents.testing.scripted",
    "pelnas.call": "pelnas.calls.call",
    "pelnas.graph.helm": "pelnas.graph.session.steering_client",
    "pelnas.graph.run": "pelnas.graph.runs.search",
    "pelnas.prices": "pelnas.calls.prices",
    "pelnas.tools.explanation": "pelnas.tools.explain",
    "pelnas.tools.inspection": "pelnas.tools.answers",
}
NAMES = {"Helm": "SteeringClient", "Patience": "RetryPolicy"}


def renamed(old: str, *homes: str) -> Callable[[str], Any]:
    """The ``__getattr__`` of a module whose contents live in other modules now."""

    def found(name: str) -> Any:
        new = NAMES.get(name, name)
        for home in () if name.startswith("__") else homes:
            module = import_module(home)
            if hasattr(module, new):
                advice = f"{old}.{name} is deprecated: import {new} from {home}"
                warnings.warn(advice, DeprecationWarning, stacklevel=3)
                return getattr(module, new)
        raise AttributeError(f"module {old!r} has no attribute {name!r}")

    return found


class _Old(MetaPathFinder, Loader):
    """Finds the old modules, each of which hands on what its new one holds."""

    def find_spec(
        self, name: str, path: Sequence[str] | None = None, target: ModuleType | None = None
    ) -> ModuleSpec | None:
        return ModuleSpec(name, self) if name in MODULES else None

    def exec_module(self, module: ModuleType) -> None:
        vars(module)["__getattr__"] = renamed(module.__name__, MODULES[module.__name__])


def install() -> None:
    """Make the old modules importable; a second call does nothing."""
    if not any(isinstance(finder, _Old) for finder in sys.meta_path):
        sys.meta_path.append(_Old())
