"""What every test shares: the benchmark data, where it is, and a network that is off."""

import os
import socket
from collections.abc import Iterator
from pathlib import Path

import pytest

LOOPBACK = ("127.0.0.1", "::1", "localhost")


@pytest.fixture(scope="session")
def data_folder() -> Path:
    """The folder of benchmark tables; a test that needs it is skipped without it."""
    beside = Path(__file__).resolve().parents[2] / "shared" / "data"
    folder = Path(os.environ.get("PELNAS_DATA", beside))
    if not (folder / "nb201_accuracy.parquet").is_file():
        pytest.skip(f"no benchmark tables at {folder}: set PELNAS_DATA to their folder")
    return folder


@pytest.fixture(autouse=True)
def _no_outside_connection(monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    """Refuse every connection that leaves this machine."""
    connect = socket.socket.connect

    def guarded(self: socket.socket, address: object) -> None:
        if isinstance(address, tuple) and address[0] not in LOOPBACK:
            raise AssertionError(f"a test tried to reach {address!r}")
        connect(self, address)  # type: ignore[arg-type]

    monkeypatch.setattr(socket.socket, "connect", guarded)
    yield


@pytest.fixture(autouse=True)
def _own_cache(tmp_path_factory: pytest.TempPathFactory, monkeypatch: pytest.MonkeyPatch) -> None:
    """Keep cached measurements of tests out of the user's cache."""
    monkeypatch.setenv("PELNAS_CACHE", str(tmp_path_factory.mktemp("cache")))
