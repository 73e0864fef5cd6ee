"""Ray clusters: what is wrong with one is one clear sentence; what is lost of one costs nothing."""

import json
import os
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

from pelnas.config import SearchConfig, load_config
from pelnas.consent import clusters, named
from pelnas.errors import AddressError, ConfigError, PoolError
from pelnas.graph.runs.search import Search
from pelnas.pool import Work, get_pool, is_pool
from pelnas.pool.ray_cluster import Cluster
from pelnas.pool.ray_pool import RayPool, _Actors
from pelnas.pool.ray_worker import versions
from pelnas.store import RunStore

NOBODY = "ray://127.0.0.1:1"


@pytest.mark.parametrize(
    ("name", "is_one"),
    [
        ("processes", True),
        ("ray", True),
        ("ray://head:10001", True),
        ("ray://[::1]:10001", True),
        ("ray://head", False),
        ("ray://head:0", False),
        ("ray://head:99999999", False),
        ("ray://user:key@head:10001", False),
        ("http://head:10001", False),
        ("", False),
    ],
)
def test_names_of_pools(name: str, is_one: bool) -> None:
    assert is_pool(name) == is_one
    if not is_one:
        with pytest.raises(ConfigError, match="expected a pool as processes, ray or ray://HOST"):
            get_pool(name)
        with pytest.raises(ConfigError, match=r"scoring\.pool.*expected processes, ray or"):
            load_config(None, {"scoring": {"pool": name}})


def test_an_address_that_does_not_answer() -> None:
    with pytest.raises(PoolError, match=f"cluster at {NOBODY}, found that nothing answers there"):
        get_pool(NOBODY).check()


def test_a_search_says_so_before_it_makes_a_run(tmp_path: Path) -> None:
    settings = {"space": "tiny", "output": tmp_path, "scoring": {"pool": NOBODY, "resolution": 8}}
    with pytest.raises(PoolError, match="nothing answers there"):
        Search(load_config(None, settings))
    assert list(tmp_path.iterdir()) == []


def test_without_ray(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "ray", None)
    with pytest.raises(PoolError, match=r"expected the package ray .* pip install .*\[ray\]"):
        Cluster().check()


@pytest.mark.parametrize("package", ["pelnas", "torch", "Python"])
def test_a_node_with_another_version(package: str) -> None:
    cluster = Cluster()
    actors = _Actors(RayPool(cluster), cluster, Work("pool_work:acting", {}), 1, 1, "")
    about: dict[str, Any] = {"node": "10.0.0.5", "versions": versions()}
    actors._check(about)
    about["versions"] |= {package: "0.0.1"}
    with pytest.raises(PoolError, match=rf"expected {package} .*found 0\.0\.1 on node 10\.0\.0\.5"):
        actors._check(about)
    about["versions"] |= {package: ""}
    with pytest.raises(PoolError, match="found none on node"):
        actors._check(about)


def test_the_cluster_of_somebody_elses_run_is_no_place_to_go(tmp_path: Path) -> None:
    settings = {"space": "tiny", "output": tmp_path, "scoring": {"pool": NOBODY}}
    store = RunStore.create(load_config(None, settings))
    folder = store.folder
    store.close()
    with pytest.raises(AddressError, match="found ray://127"):
        Search.resume(folder)


def test_a_cluster_that_is_named_is_agreed_to() -> None:
    far = SearchConfig.model_validate({"scoring": {"pool": NOBODY}})
    assert clusters(far) == [NOBODY]
    assert NOBODY in named(far)
    assert clusters(far.here()) == clusters(SearchConfig()) == []


@pytest.mark.slow
@pytest.mark.alone
@pytest.mark.timeout(1600)
def test_lost_nodes_and_a_lost_head_cost_nothing(tiny_tables: Path, tmp_path: Path) -> None:
    """Ten searches lose a node in mid-round, one the head; every score is there once, fronts are equal."""
    script = Path(__file__).with_name("lost_nodes.py")
    done = subprocess.run(
        [sys.executable, script, tiny_tables, tmp_path, "--kills", "10", "--head"],
        capture_output=True,
        text=True,
        check=False,
        timeout=1500,
        env=dict(os.environ),
    )
    assert done.returncode == 0, done.stderr[-3000:]
    result = json.loads(done.stdout.splitlines()[-1])
    *killed, headless = result["found"]
    assert [each["evaluations"] for each in killed] == [result["whole"]] * 10
    assert all(each["once"] and each["same_front"] for each in result["found"])
    assert "expected the head of the Ray cluster" in headless["lost"]
