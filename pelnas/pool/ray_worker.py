"""The far side of a Ray pool: an actor that checks its node, opens the work, and answers tasks.

What travels is JSON, as to worker processes; arrays come through Ray's object store.
"""

import json
import os
import platform
from collections.abc import Mapping
from importlib.metadata import PackageNotFoundError, version
from typing import Any

import numpy as np

from pelnas.cache import share
from pelnas.pool.base import Array, Do, Work, answered
from pelnas.pool.ray_cache import RayEntries
from pelnas.pool.ray_cluster import Cluster
from pelnas.processes import THREADS

CHECKED = ("pelnas", "torch", "numpy")  # packages whose versions decide the values of scores


def versions() -> dict[str, str]:
    """What has to be the same on every machine whose values are to be."""
    major, minor, _ = platform.python_version_tuple()
    return {"Python": f"{major}.{minor}"} | {name: _version(name) for name in CHECKED}


def _version(package: str) -> str:
    try:
        return version(package)
    except PackageNotFoundError:
        return ""


class RayWorker:
    """One actor. Ray makes it again, with the same arguments, where its process or node is lost."""

    def __init__(self, maker: str, settings: str, threads: int) -> None:
        """``settings``: as JSON."""
        os.environ.update(dict.fromkeys(THREADS, str(threads)))  # before torch is loaded
        self._maker, self._settings = maker, settings
        self._arrays: Mapping[str, Array] = {}
        self._do: Do | None = None

    def begin(self, arrays: Mapping[str, Array], shares: bool) -> dict[str, Any]:
        """Take the arrays; the node's address and versions. Also after Ray made the actor again.

        ``shares``: whether caches of this process share the entries of the cluster's.
        """
        from ray.util import get_node_ip_address

        share(RayEntries(Cluster()) if shares else None)
        self._arrays = arrays
        node = str(get_node_ip_address())  # type: ignore[no-untyped-call]
        return {"node": node, "versions": versions()}

    def ask(self, task: str) -> str:
        """The answer to a task, see ``pelnas.pool.base.answered``; both as JSON."""
        if self._do is None:
            # Memory of the object store cannot be written, and a network may work in place.
            arrays = {name: np.array(array) for name, array in self._arrays.items()}
            self._do = Work(self._maker, json.loads(self._settings), arrays).opened()
        return json.dumps(answered(self._do, json.loads(task)))
