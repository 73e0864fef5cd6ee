"""One cache for all searches of a Ray cluster: an actor that keeps the file of its machine."""

import logging
import threading
from collections.abc import Callable, Sequence
from contextlib import suppress
from importlib.metadata import version
from typing import Any

from pelnas.cache import Entries, Entry, default_cache
from pelnas.errors import PoolError, StoreError
from pelnas.pool.ray_cluster import Cluster, said

NAME = f"cache of pelnas {version('pelnas')}"  # of the actor
ANSWER = 20.0  # seconds: an actor that begins anew, on another node maybe, takes some


class CacheActor:
    """The cache of the machine that it runs on, for whoever is connected to the cluster."""

    def __init__(self) -> None:
        self._cache = default_cache()

    def values(self, hashes: Sequence[str]) -> dict[str, str]:
        """As ``Cache.values``; nothing where the file cannot be read."""
        with suppress(StoreError):
            return self._cache.values(hashes)
        return {}

    def keep(self, entries: Sequence[Entry]) -> None:
        """As ``Cache.keep``; nothing where the file cannot be written."""
        with suppress(StoreError):
            self._cache.keep(entries)


class RayEntries(Entries):
    """What the searches of a cluster have scored and measured, on whatever machine.

    One actor keeps it, begun by whoever asks first; it stays with the cluster, and is made again
    where its node is lost. Where it does not answer, this process says so once and goes on without.
    """

    def __init__(self, cluster: Cluster) -> None:
        self._cluster = cluster
        self._actor: Any = None
        self._lost = False
        self._turn = threading.Lock()

    def values(self, hashes: Sequence[str]) -> dict[str, str]:
        return (
            self._ask(lambda ray, actor: ray.get(actor.values.remote(hashes), timeout=ANSWER)) or {}
        )

    def keep(self, entries: Sequence[Entry]) -> None:
        """Without waiting: what is lost on its way is only computed again."""
        self._ask(lambda _, actor: actor.keep.remote(entries))

    def _ask(self, question: Callable[[Any, Any], Any]) -> Any:
        with self._turn:
            if self._lost:
                return None
            try:
                ray = self._cluster.ray()
                self._cluster.watch()
                if self._actor is None:
                    self._actor = self._found(ray)
            except PoolError as error:
                return self._lose(error)
            try:
                return question(ray, self._actor)
            except (ray.exceptions.RayError, ConnectionError, ValueError) as error:
                return self._lose(error)

    def _found(self, ray: Any) -> Any:
        kind = ray.remote(CacheActor).options(
            name=NAME,
            get_if_exists=True,
            lifetime="detached",
            num_cpus=0,
            max_restarts=-1,
            **self._cluster.apart_from_devices(),
        )
        return kind.remote()

    def _lose(self, error: Exception) -> None:
        self._lost = True
        logging.getLogger("pelnas").warning(
            "pelnas: the cache of the Ray cluster does not answer (%s); going on with the cache of"
            " this machine",
            said(error),
        )
