"""Hardware-aware neural architecture search by language-model agents (PEL-NAS).

``Search(load_config(...)).run()`` is the whole product in one line; the names
below are imported when they are first used, so that ``import pelnas`` is quick.
"""

from importlib import import_module
from typing import TYPE_CHECKING, Any

from pelnas import deprecated

if TYPE_CHECKING:
    from pelnas.config import SearchConfig, load_config
    from pelnas.graph.runs.fork import fork
    from pelnas.graph.runs.search import Result, Search

__all__ = ["Result", "Search", "SearchConfig", "fork", "load_config"]

_HOMES = {
    "Result": "pelnas.graph.runs.search",
    "Search": "pelnas.graph.runs.search",
    "SearchConfig": "pelnas.config",
    "fork": "pelnas.graph.runs.fork",
    "load_config": "pelnas.config",
}


deprecated.install()


def __getattr__(name: str) -> Any:
    if name in _HOMES:
        return getattr(import_module(_HOMES[name]), name)
    raise AttributeError(f"module 'pelnas' has no attribute {name!r}")
