"""The cache of a Ray cluster: what one search has computed, another on another machine has, too."""

from collections.abc import Iterator
from pathlib import Path
from typing import Any, cast

import pytest

from pelnas.cache import Cache, cache_key
from pelnas.pool import Pool, Work
from pelnas.pool.ray_cache import RayEntries
from pelnas.pool.ray_cluster import Cluster
from pelnas.pool.ray_pool import RayPool


@pytest.fixture
def cluster(ray_pool: Pool) -> Iterator[Cluster]:
    """That of all tests, as one that is named; its cache ends with the test."""
    begun = cast(RayPool, ray_pool)._cluster
    ray = begun.ray()
    named = Cluster("127.0.0.1:0")
    named._ray = ray
    yield named
    ray.kill(RayEntries(begun)._found(ray))


def test_two_machines_share_what_they_compute(cluster: Cluster, tmp_path: Path) -> None:
    key = cache_key("score", of="a")
    Cache(tmp_path / "one", RayEntries(cluster)).put(key, {"zen": 1.5, "name": "é"})
    other = Cache(tmp_path / "other", RayEntries(cluster))
    assert other.get_many([key]) == {key: {"zen": 1.5, "name": "é"}}
    assert Cache(tmp_path / "other").get_many([key]) == {key: {"zen": 1.5, "name": "é"}}


def test_workers_share_with_the_driver(cluster: Cluster, tmp_path: Path) -> None:
    pool = RayPool(cluster)
    cache, mine, theirs = pool.cache(), cache_key("mine"), cache_key("theirs")
    cache.put(mine, 7)
    workers = pool.workers(Work("pool_work:remembering", {"folder": str(tmp_path / "far")}), 1)
    try:
        ((found, process),) = workers.map([["mine", "theirs"]])
    finally:
        workers.close()
    assert found == 7
    assert cache.get_many([theirs]) == {theirs: process}


def test_a_lost_cache_is_named_once_and_gone_without(
    cluster: Cluster, tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    entries: Any = RayEntries(cluster)
    cache, key = Cache(tmp_path / "mine", entries), cache_key("score")
    cache.put(key, 1)
    cluster.ray().kill(entries._actor)
    assert cache.get_many([cache_key("other"), key]) == {key: 1}
    cache.put(key, 2)
    assert cache.get_many([cache_key("other"), key]) == {key: 2}
    (warning,) = caplog.messages
    assert warning.startswith("pelnas: the cache of the Ray cluster does not answer")


def test_a_cluster_that_begins_here_has_this_machines_cache_alone() -> None:
    assert RayPool(Cluster()).cache().shared is None
