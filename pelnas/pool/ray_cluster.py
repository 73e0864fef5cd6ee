"""The connection to a Ray cluster: begun here where none is named, watched, and shut down."""

import atexit
import os
import secrets
import signal
import socket
import sys
import threading
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager, suppress
from importlib import import_module
from pathlib import Path
from typing import Any

from pelnas.errors import PoolError
from pelnas.processes import cores, environment

ADDRESS = "RAY_ADDRESS"
CLIENT = "ray://"
ANSWER = 5.0  # seconds in which an address has to take a connection
WATCH = 2.0  # seconds between two looks at the head
LOST = 6.0  # seconds without an answer after which the head counts as lost
HEAD = "pelnas_device:"  # before the name of a device, as a resource of its node

#: Of a cluster that begins here: on the loopback, for whoever has its token alone; its workers do
#: not yield to other processes, as worker processes do not.
LOCAL = {
    "RAY_ENABLE_WINDOWS_OR_OSX_CLUSTER": "0",
    "RAY_AUTH_MODE": "token",
    "RAY_worker_niceness": "0",
}
QUIET = {"RAY_USAGE_STATS_ENABLED": "0"}


class Cluster:
    """One cluster, connected to when it is first needed. Safe to use from several threads.

    ``address``: ``ray://host:10001``, ``host:6379`` or ``auto``; '' for one that begins here and
    ends with this process. ``limits``: of one that begins here, as ``ray.init`` takes them.
    """

    def __init__(self, address: str = "", **limits: Any) -> None:
        self.address = address
        self._limits = limits
        self._ray: Any = None
        self._began = False
        self._turn = threading.Lock()
        self._head: tuple[str, int] | None = None
        self._seen = 0.0  # when the head answered last

    def check(self) -> None:
        """Whether Ray is installed and the address answers, without connecting. PoolError: not."""
        if self._ray is not None:
            return
        place = _host_and_port(self.address)
        if place is not None and not _answers(*place):
            raise PoolError(
                f"expected a Ray cluster at {self.address}, found that nothing answers there within"
                f" {ANSWER:g} s: start its head there (ray start --head), or correct the address"
            )
        _module(local=not self.address)

    def ray(self) -> Any:
        """The package, connected. PoolError: it cannot be."""
        with self._turn:
            if self._ray is None:
                self.check()
                self._ray = self._connected()
                self._head = self._place_of_head()
                self._seen = time.monotonic()
            return self._ray

    def _connected(self) -> Any:
        ray = _module(local=not self.address)
        if ray.is_initialized():  # by the caller, or by the worker that this process is
            return ray
        options = {"log_to_driver": False, "logging_level": "ERROR", "namespace": "pelnas"}
        if not self.address:
            options |= {"address": "local", "include_dashboard": False, "num_cpus": cores()}
        with _own_signals(), _same_path():
            try:
                ray.init(
                    **({"address": self.address} if self.address else {}), **options | self._limits
                )
            except (ConnectionError, RuntimeError, TimeoutError, ValueError, OSError) as error:
                raise PoolError(
                    f"expected to connect to the Ray cluster at {self.address or 'this machine'},"
                    f" found: {said(error)}: {_remedy(self.address)}"
                ) from None
        self._began = True
        atexit.register(self.close)
        _quieten(ray)
        return ray

    def _place_of_head(self) -> tuple[str, int] | None:
        """What is watched: the address of the client's server, else of the head's control store."""
        if self.address.startswith(CLIENT):
            return _host_and_port(self.address)
        return _host_and_port(self._ray.get_runtime_context().gcs_address)

    def watch(self) -> None:
        """To be called every now and then. PoolError: the head has not answered for some seconds.

        No call into Ray: those wait for a lost head for a minute, and then end the process.
        """
        now = time.monotonic()
        if self._head is None or now - self._seen < WATCH:
            return
        while not _answers(*self._head):
            if time.monotonic() - now > LOST:
                raise self.lost()
            time.sleep(WATCH / 4)
        self._seen = time.monotonic()

    def lost(self) -> PoolError:
        """What to say where the head is lost."""
        return PoolError(
            f"expected the head of the Ray cluster at {self.address or 'this machine'} to answer,"
            " found that it no longer does: start it again, then go on with what was under way (a"
            " search by `pelnas resume`)"
        )

    def nodes(self) -> list[dict[str, Any]]:
        """Those that live: ``NodeID``, ``NodeManagerAddress``, ``Resources``. PoolError: see ``watch``."""
        ray = self.ray()
        self.watch()
        return [node for node in ray.nodes() if node["Alive"]]

    def apart_from_devices(self) -> dict[str, Any]:
        """Options of actors that keep off nodes on which nothing but measurements may run."""
        apart = [node["NodeID"] for node in self.nodes() if devices_of(node)]
        return {"label_selector": {"ray.io/node-id": f"!in({','.join(apart)})"}} if apart else {}

    def end(self, actors: Sequence[Any]) -> None:
        """End these actors, as far as there still is somebody who can.

        Where the head is lost, disconnect: a minute after that Ray would end this process.
        """
        ray = self._ray
        if ray is None:
            return
        if self._head is not None and not _answers(*self._head):
            self.close()
            return
        with suppress(ConnectionError, ray.exceptions.RayError):
            for actor in actors:
                ray.kill(actor)

    def close(self) -> None:
        """Disconnect; a cluster that began here ends. A second call does nothing."""
        with self._turn:
            ray, self._ray = self._ray, None
            if ray is None or not self._began:
                return
            self._began = False
            helpers = [] if self.address else _helpers(ray)
            ray.shutdown()
            for process in helpers:
                with suppress(ProcessLookupError):
                    os.kill(process, signal.SIGKILL)


def devices_of(node: dict[str, Any]) -> list[str]:
    """The names of the devices that a node offers."""
    return [name.removeprefix(HEAD) for name in node["Resources"] if name.startswith(HEAD)]


def _module(local: bool = False) -> Any:
    """The package, imported once its settings are set. PoolError: it is not installed.

    They are read as it is imported: a program that did so before has made its own.
    """
    os.environ.update(QUIET)
    if local and "ray" not in sys.modules:
        for name, value in LOCAL.items():
            os.environ.setdefault(name, value)
        if os.environ["RAY_AUTH_MODE"] == "token":
            os.environ.setdefault("RAY_AUTH_TOKEN", secrets.token_hex(32))
    try:
        return import_module("ray")
    except ImportError:
        raise PoolError(
            "expected the package ray for --pool ray, found none: install it by"
            " pip install -c constraints.txt -e '.[ray]'"
        ) from None


def _remedy(address: str) -> str:
    """What helps where a cluster that answers cannot be connected to, see docs/ray.md."""
    if not address.startswith(CLIENT):
        return "see that Ray and Python are the same there"
    return (
        "start its head with GRPC_ENABLE_FORK_SUPPORT=0 and the RAY_AUTH_MODE of this machine, or take"
        " RAY_ADDRESS=HOST:6379 and --pool ray on a machine of the cluster"
    )


def _host_and_port(address: str) -> tuple[str, int] | None:
    host, _, port = address.removeprefix(CLIENT).rpartition(":")
    return (host.strip("[]"), int(port)) if host and port.isdecimal() else None


def _answers(host: str, port: int) -> bool:
    try:
        socket.create_connection((host, port), ANSWER).close()
    except OSError:
        return False
    return True


def _helpers(ray: Any) -> list[int]:
    """Processes that the nodes of this process began, which outlive them for minutes on a busy machine.

    Where the system tells (Linux): elsewhere they end by themselves.
    """
    node = ray._private.worker._global_node
    began = node.all_processes.get("raylet", []) if node is not None else []
    lists = (
        path for one in began for path in Path(f"/proc/{one.process.pid}/task").glob("*/children")
    )
    with suppress(OSError):
        return [int(number) for path in lists for number in path.read_text().split()]
    return []


def _quieten(ray: Any) -> None:
    """Ray prints what it hears of lost nodes on standard output, where our own answer stands.

    There is no setting for it; a Ray without this function prints on.
    """
    inner = ray._private.worker
    if hasattr(inner, "print_to_stdstream"):
        inner.print_to_stdstream = lambda *_, **__: None


@contextmanager
def _own_signals() -> Iterator[None]:
    """Ray takes SIGTERM over, by which a search is stopped cleanly."""
    if threading.current_thread() is not threading.main_thread():
        yield
        return
    before: Callable[..., Any] | int | None = signal.getsignal(signal.SIGTERM)
    try:
        yield
    finally:
        with suppress(TypeError):  # one that was not installed by Python
            signal.signal(signal.SIGTERM, before)


@contextmanager
def _same_path() -> Iterator[None]:
    """What begins here imports what this process would."""
    before = os.environ.get("PYTHONPATH")
    os.environ["PYTHONPATH"] = environment(1)["PYTHONPATH"]
    try:
        yield
    finally:
        os.environ.pop("PYTHONPATH")
        if before is not None:
            os.environ["PYTHONPATH"] = before


def said(error: BaseException) -> str:
    """An exception in one line."""
    text = " ".join(str(error).split())[:300].rstrip(".")
    return text or type(error).__name__
