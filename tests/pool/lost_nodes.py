"""Searches on a real cluster of three node processes, of which some are killed in mid-round.

``python tests/pool/lost_nodes.py TABLES FOLDER --kills 10`` prints, as JSON, for each search what it
evaluated and whether its front is the undisturbed one. ``--head``: the head is killed, too, and
that search goes on with a new one.
"""

import argparse
import json
import os
import random
import shutil
import time
from collections import Counter
from collections.abc import Callable
from contextlib import suppress
from pathlib import Path
from typing import Any

from pelnas import Search, load_config
from pelnas.errors import PoolError
from pelnas.pool.ray_cache import NAME
from pelnas.pool.ray_cluster import LOCAL, WATCH
from pelnas.report import front_json
from pelnas.store import Event, RunStore

ROOM = 80 << 20  # bytes of a node's object store
MINUTE = 70.0  # seconds, and some more
SETTINGS = {
    "space": "tiny",
    "device": "toy",
    "dataset": "toy10",
    "accuracy": "rank-sum",
    "rounds": 2,
    "per_niche": 3,
    "scoring": {"batch": 8, "resolution": 8, "reference": 8},
}


class Nodes:
    """A head without cores, and three nodes with one core each."""

    def __init__(self, cache: Path) -> None:
        """``cache``: the folder of the cluster's own."""
        from ray.cluster_utils import Cluster

        self._cache = cache
        os.environ["PELNAS_CACHE"] = str(cache)
        self._cluster = Cluster(
            initialize_head=True,
            head_node_args={"num_cpus": 0, "object_store_memory": ROOM, "include_dashboard": False},
        )
        os.environ["RAY_ADDRESS"] = self._cluster.address
        self._nodes = [self._more() for _ in range(3)]

    def _more(self) -> Any:
        return self._cluster.add_node(num_cpus=1, object_store_memory=ROOM)

    def kill_one(self, rng: random.Random) -> None:
        node = self._nodes.pop(rng.randrange(len(self._nodes)))
        self._cluster.remove_node(node, allow_graceful=False)

    def fill(self) -> None:
        while len(self._nodes) < 3:
            self._nodes.append(self._more())

    def forget(self) -> None:
        """Let the next search score all its networks itself, and not find them in the cluster's cache."""
        import ray

        with suppress(ValueError):  # there is none yet
            ray.kill(ray.get_actor(NAME, "pelnas"))
        shutil.rmtree(self._cache, ignore_errors=True)

    def kill_head(self) -> None:
        self._cluster.head_node.kill_gcs_server(check_alive=False)

    def close(self) -> None:
        import ray

        ray.shutdown()
        self._cluster.shutdown()


def searched(
    tables: Path, folder: Path, pool: str, on_event: Callable[[Event], None] | None = None
) -> dict[str, Any]:
    """One search with a cache of its own; what came of it."""
    os.environ["PELNAS_CACHE"] = str(folder / "cache")
    scoring = {**SETTINGS["scoring"], "pool": pool, "workers": 3}  # type: ignore[dict-item]
    own = {"data": str(tables), "output": str(folder), "scoring": scoring}
    search = Search(load_config(None, SETTINGS | own))
    try:
        search.run(on_event)
    except PoolError as lost:
        return {"lost": str(lost), "folder": str(search.folder)}
    return outcome(search.folder)


def outcome(folder: Path) -> dict[str, Any]:
    with RunStore.read(folder) as store:
        counts = Counter(e.data["candidate"] for e in store.events() if e.kind == "predicted")
        evaluated = {evaluation.id for evaluation in store.evaluations()}
        return {
            "evaluations": len(evaluated),
            "once": set(counts) == evaluated and set(counts.values()) == {1},
            "front": front_json(store),
        }


def main() -> None:
    parser = argparse.ArgumentParser()
    parser.add_argument("tables", type=Path)
    parser.add_argument("folder", type=Path)
    parser.add_argument("--kills", type=int, default=1)
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--head", action="store_true")
    given = parser.parse_args()
    os.environ.update(LOCAL | {"RAY_USAGE_STATS_ENABLED": "0", "RAY_AUTH_MODE": "disabled"})
    os.environ["PYTHONPATH"] = str(Path(__file__).parents[2])
    rng = random.Random(given.seed)
    whole = searched(given.tables, given.folder / "whole", "processes")
    found = []
    nodes = Nodes(given.folder / "cluster")
    try:
        for number in range(given.kills):
            killed = _killed(given, nodes, rng, whole["evaluations"], number)
            front = killed.pop("front")
            found.append(killed | {"same_front": front == whole["front"]})
            print(json.dumps(found[-1]), flush=True)
            nodes.fill()
            nodes.forget()
        if given.head:
            found.append(_headless(given, nodes, whole))
            print(json.dumps(found[-1]), flush=True)
    finally:
        nodes.close()
    print(json.dumps({"whole": whole["evaluations"], "found": found}))


def _killed(
    given: argparse.Namespace, nodes: Nodes, rng: random.Random, evaluations: int, number: int
) -> dict[str, Any]:
    """A search that loses one node after as many scores as chance says."""
    at, seen = rng.randrange(1, evaluations - 1), Counter[str]()

    def on_event(event: Event) -> None:
        seen[event.kind] += 1
        if event.kind == "predicted" and seen["predicted"] == at:
            nodes.kill_one(rng)

    return searched(given.tables, given.folder / str(number), "ray", on_event) | {"killed_at": at}


def _headless(given: argparse.Namespace, nodes: Nodes, whole: dict[str, Any]) -> dict[str, Any]:
    """A search that loses the head, and goes on with worker processes."""

    killed: list[str] = []

    def on_event(event: Event) -> None:
        if event.kind == "predicted" and not killed:
            killed.append(event.data["candidate"])
            nodes.kill_head()
            time.sleep(WATCH + 0.5)  # else a quick machine is done before anybody looks

    lost = searched(given.tables, given.folder / "head", "ray", on_event)
    time.sleep(MINUTE)  # after which Ray ends a process that is still connected
    resumed = Search.resume(Path(lost["folder"]), pool="processes")
    resumed.run()
    after = outcome(resumed.folder)
    return {
        "lost": lost["lost"],
        "once": after["once"],
        "same_front": after["front"] == whole["front"],
    }


if __name__ == "__main__":
    main()
