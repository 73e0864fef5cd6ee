"""Who does a search's heavy work: scores networks, measures them, trains them, runs whole searches.

One protocol (``pelnas.pool.base``): workers that hold what all tasks share, get one task each at a
time, and answer in plain values. Processes of this machine are one implementation of it, actors on
the nodes of a Ray cluster another.
"""

import os
from functools import cache

from pelnas.errors import ConfigError
from pelnas.pool.base import Done, Pool, Work, Workers

__all__ = [
    "PROCESSES",
    "RAY",
    "Done",
    "Pool",
    "Work",
    "Workers",
    "get_pool",
    "is_pool",
]

PROCESSES, RAY = "processes", "ray"
CLIENT = "ray://"


def is_pool(name: str) -> bool:
    """Whether this names a pool: ``processes``, ``ray`` or ``ray://HOST:PORT``."""
    host, _, port = name.removeprefix(CLIENT).rpartition(":")
    named = name.startswith(CLIENT) and bool(host) and "@" not in host and "/" not in host
    return name in (PROCESSES, RAY) or (named and port.isdecimal() and 0 < int(port[:6]) < 65_536)


def get_pool(name: str) -> Pool:
    """The pool of a name, see ``is_pool``; nothing is started or connected to before it is used.

    ``ray`` is the cluster that the variable RAY_ADDRESS names, else one that begins on this machine.
    All that ask for it share it. ConfigError: no such pool.
    """
    if not is_pool(name):
        raise ConfigError(
            f"expected a pool as {PROCESSES}, {RAY} or {CLIENT}HOST:PORT, found {name[:80]!r}: name"
            " one of these"
        )
    if name == PROCESSES:
        from pelnas.pool.process_pool import ProcessPool

        return ProcessPool()
    return _on_ray(os.environ.get("RAY_ADDRESS", "").strip() if name == RAY else name)


@cache
def _on_ray(address: str) -> Pool:
    from pelnas.pool.ray_cluster import Cluster
    from pelnas.pool.ray_pool import RayPool

    return RayPool(Cluster(address))
