"""A cluster reached from outside by the Ray Client: a real head, another process, the same front."""

import json
import os
import secrets
import shutil
import signal
import socket
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from importlib.util import find_spec
from pathlib import Path
from typing import Any

import pytest
from patience import until

from pelnas.errors import PoolError
from pelnas.pool.ray_cluster import Cluster, _remedy

SEARCH = """
import json, sys
from pathlib import Path
sys.path.insert(0, sys.argv[1])
from lost_nodes import searched
print(json.dumps(searched(Path(sys.argv[2]), Path(sys.argv[3]), sys.argv[4])))
"""
STARTED = 400  # seconds in which a head answers, also on a machine that does much else


def free_port() -> int:
    """Outside of the ports of Ray's workers (10002 to 19999) and of its client's servers (23000 on)."""
    for port in range(20_500, 22_900, 7):
        with socket.socket() as tried:
            try:
                tried.bind(("127.0.0.1", port))
            except OSError:
                continue
            return port
    raise AssertionError("no free port")


def answers(port: int) -> bool:
    try:
        socket.create_connection(("127.0.0.1", port), 1).close()
    except OSError:
        return False
    return True


@pytest.fixture
def environment() -> dict[str, str]:
    """A token, and no fork handlers of gRPC, by which servers of the client die now and then."""
    own = {name: value for name, value in os.environ.items() if not name.startswith("RAY_")}
    return own | {
        "RAY_USAGE_STATS_ENABLED": "0",
        "RAY_AUTH_MODE": "token",
        "RAY_AUTH_TOKEN": secrets.token_hex(32),
        "GRPC_ENABLE_FORK_SUPPORT": "0",
        "PYTHONPATH": str(Path(__file__).parents[2]),
    }


@pytest.fixture
def address(environment: dict[str, str]) -> Iterator[str]:
    if find_spec("ray") is None:
        pytest.skip("no Ray here: install it by pip install -e '.[ray]'")
    folder = tempfile.mkdtemp(prefix="ray", dir="/tmp")  # sockets want short paths
    port, own = free_port(), ["--node-ip-address=127.0.0.1", f"--temp-dir={folder}", "--block"]
    limits = ["--num-cpus=2", "--object-store-memory=100000000", "--include-dashboard=false"]
    ports = ["--port=0", f"--ray-client-server-port={port}"]
    command = [Path(sys.executable).with_name("ray"), "start", "--head", *own, *limits, *ports]
    with open(os.path.join(folder, "out"), "wb") as log:
        head = subprocess.Popen(
            command, stdout=log, stderr=log, env=environment, start_new_session=True
        )
    try:
        until(lambda: answers(port) or head.poll() is not None, STARTED)
        assert head.poll() is None, Path(folder, "out").read_text()
        yield f"ray://127.0.0.1:{port}"
    finally:
        head.send_signal(signal.SIGTERM)
        try:
            head.wait(60)
        except subprocess.TimeoutExpired:
            os.killpg(head.pid, signal.SIGKILL)
            head.wait(60)
        shutil.rmtree(folder, ignore_errors=True)


def searched(tables: Path, folder: Path, pool: str, env: dict[str, str]) -> dict[str, Any]:
    here = str(Path(__file__).parent)
    done = subprocess.run(
        [sys.executable, "-c", SEARCH, here, tables, folder, pool],
        capture_output=True,
        text=True,
        check=False,
        timeout=400,
        env=env,
    )
    assert done.returncode == 0, done.stderr[-3000:]
    found: dict[str, Any] = json.loads(done.stdout.splitlines()[-1])
    return found


@pytest.mark.slow
@pytest.mark.alone
@pytest.mark.timeout(1500)
def test_a_search_through_the_client_finds_the_same_front(
    address: str, environment: dict[str, str], tiny_tables: Path, tmp_path: Path
) -> None:
    far = searched(tiny_tables, tmp_path / "far", address, environment)
    here = searched(tiny_tables, tmp_path / "here", "processes", environment)
    assert far["once"]
    assert far == here


def test_what_helps_where_the_client_cannot_connect() -> None:
    with pytest.raises(PoolError, match=r"ray://127\.0\.0\.1:1, found that nothing answers"):
        Cluster("ray://127.0.0.1:1").check()
    assert "RAY_ADDRESS=HOST:6379 and --pool ray" in _remedy("ray://head:10001")
    assert "same there" in _remedy("head:6379")
