import socket
from types import SimpleNamespace

import pytest

from pelnas.pool import ray_cluster
from pelnas.pool.ray_cluster import Cluster


@pytest.mark.parametrize("lost", [False, True])
def test_who_ends_with_a_lost_head_disconnects_even_without_actors(
    lost: bool, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Ray would end the process a minute later; a round may lose its head before it has workers."""
    ended: list[str] = []
    with socket.create_server(("127.0.0.1", 0)) as head:
        address = f"127.0.0.1:{head.getsockname()[1]}"
        ray = SimpleNamespace(
            is_initialized=lambda: False,
            init=lambda **_: None,
            get_runtime_context=lambda: SimpleNamespace(gcs_address=address),
            shutdown=lambda: ended.append("shutdown"),
            exceptions=SimpleNamespace(RayError=RuntimeError),
            _private=SimpleNamespace(worker=SimpleNamespace()),
        )
        monkeypatch.setattr(ray_cluster, "_module", lambda **_: ray)
        cluster = Cluster(address)
        cluster.ray()
        if lost:
            head.close()
        cluster.end([])
    assert ended == ["shutdown"] * lost
    cluster.close()
    assert ended == ["shutdown"]
