"""Python processes forked from one that has imported everything: at work in a tenth of the time.

``Warm(command, ...)`` is ``subprocess.Popen`` for a command of ``sys.executable`` or ``pelnas``,
and ``Full`` the same where torch is needed, too; ``run`` is ``subprocess.run``. Not for tests of
how a fresh interpreter begins: what is read while modules are imported, as a variable of the
environment, was read before.
"""

import os
import socket
import subprocess
import sys
from collections.abc import Sequence
from contextlib import suppress
from functools import cache
from pathlib import Path
from tempfile import TemporaryDirectory
from threading import RLock
from typing import Any

from warm_relay import ask

PROGRAM = Path(__file__).with_name("warm_server.py")
RELAY = PROGRAM.with_name("warm_relay.py")
PELNAS = str(Path(sys.executable).with_name("pelnas"))
FEW, FULL = "few", "full"  # imports of a server
SHARED = "WARM_PYTHON"  # the variable with the address of a server that several processes ask
SECONDS = 120.0  # until everything is imported, on a busy machine
_turn = RLock()  # threads of a pool start their workers side by side


class Server:
    """The process that forks, with a socket for each of its two; it ends with this one."""

    def __init__(self) -> None:
        self._folder = TemporaryDirectory(prefix="pelnas-")
        self.address = self._folder.name + "/"
        self._life, theirs = socket.socketpair()
        with theirs, socket.socket(socket.AF_UNIX) as few, socket.socket(socket.AF_UNIX) as full:
            for name, requests in ((FEW, few), (FULL, full)):
                requests.bind(self.address + name)
                requests.listen()
            numbers = [few.fileno(), full.fileno()]
            command = [sys.executable, str(PROGRAM), *map(str, numbers)]
            self._process = subprocess.Popen(command, stdin=theirs, pass_fds=numbers)

    def close(self) -> None:
        self._life.close()
        self._process.wait(SECONDS)
        self._folder.cleanup()


def _address() -> str:
    """Of the server that is shared, or of one of this process."""
    with _turn:
        return os.environ.get(SHARED) or _made().address


@cache
def _made() -> Server:
    return Server()


def share() -> None:
    """Make the server now, for all processes that are started from here on."""
    os.environ[SHARED] = _address()


def relay(*arguments: str) -> list[str]:
    """A command that becomes a ``Full`` one, for a library that starts it itself."""
    return [sys.executable, "-I", "-S", str(RELAY), _address() + FULL, *arguments]


def close() -> None:
    """End the process that forks, if this one made it."""
    if _made.cache_info().currsize:
        _made().close()
        _made.cache_clear()


class Warm(subprocess.Popen):  # type: ignore[type-arg]
    """A process that is not a child of this one, whose end is heard of from the one that is."""

    server = FEW

    def _execute_child(
        self, args: Sequence[str], executable: Any, preexec_fn: Any, close_fds: Any, pass_fds: Any,
        cwd: Any, env: Any, startupinfo: Any, creationflags: Any, shell: Any,
        p2cread: int, p2cwrite: int, c2pread: int, c2pwrite: int, errread: int, errwrite: int,
        restore_signals: Any, gid: Any, gids: Any, uid: Any, umask: Any, start_new_session: bool,
        process_group: Any,
    ) -> None:  # fmt: skip
        program, *arguments = map(str, args)
        if program == PELNAS:
            arguments = ["-m", "pelnas", *arguments]
        else:
            assert program == sys.executable, f"{program} is no Python"
        request = {
            "arguments": arguments,
            "cwd": os.fspath(cwd or os.getcwd()),
            "environment": dict(os.environ if env is None else env),
            "session": start_new_session,
        }
        given = zip((p2cread, c2pwrite, errwrite), range(3), strict=True)
        ends = [own if end == -1 else end for end, own in given]
        self._told, theirs = socket.socketpair()
        with theirs:
            ask(_address() + self.server, request, [*ends, theirs.fileno()])
        self._close_pipe_fds(p2cread, p2cwrite, c2pread, c2pwrite, errread, errwrite)
        self._told.settimeout(SECONDS)
        self.pid = int(self._told.recv(12))
        self._child_created = True

    def _internal_poll(self, _deadstate: int | None = None, **_: Any) -> int | None:
        if self.returncode is None:
            with suppress(BlockingIOError):
                self._hear(0)
        return self.returncode

    def _wait(self, timeout: float | None) -> int:
        if self.returncode is None:
            try:
                self._hear(timeout)
            except TimeoutError:
                raise subprocess.TimeoutExpired(self.args, timeout or 0) from None
        return self.returncode

    def _hear(self, timeout: float | None) -> None:
        self._told.settimeout(timeout)
        self.returncode = int(self._told.recv(12) or -9)
        self._told.close()


class Full(Warm):
    """One that has torch, and whatever else a worker or a server of this package works with."""

    server = FULL


def run(
    command: Sequence[str],
    *,
    kind: type[Warm] = Warm,
    input: Any = None,  # noqa: A002 - as subprocess.run calls it
    capture_output: bool = False,
    check: bool = False,
    timeout: float = SECONDS,
    **options: Any,
) -> "subprocess.CompletedProcess[Any]":
    """As ``subprocess.run``; never without a limit of time."""
    if input is not None:
        options["stdin"] = subprocess.PIPE
    if capture_output:
        options |= {"stdout": subprocess.PIPE, "stderr": subprocess.PIPE}
    with kind(command, **options) as process:
        try:
            out, err = process.communicate(input, timeout=timeout)
        finally:
            process.kill()
    done = subprocess.CompletedProcess(command, process.returncode, out, err)
    if check:
        done.check_returncode()
    return done
