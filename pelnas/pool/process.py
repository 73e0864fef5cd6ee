"""One worker process: it opens its work, then answers the tasks that it is sent.

A worker is a fresh interpreter. A task is a line of JSON, and so is its answer. It computes with
the same number of threads whatever the number of tasks, so that values do not depend on how the
work was divided, and it ends by itself when the process that started it is gone.
"""

import io
import json
import os
import subprocess
import sys
import tempfile
from contextlib import suppress
from threading import Lock
from typing import IO, Any

import numpy as np

from pelnas.errors import WorkerDiedError
from pelnas.pool.base import Array, Task, Work, answered
from pelnas.processes import environment


class Worker:
    """One worker process and the pipes to it."""

    def __init__(self, work: Work, threads: int) -> None:
        self._work, self._threads = work, threads
        self._ended = False
        self._turn = Lock()  # to end a worker and to start it again
        self._open()

    def _open(self) -> None:
        work = self._work
        self._errors = tempfile.TemporaryFile()  # noqa: SIM115 - lives as long as the process
        # A session of its own: Ctrl-C reaches the search, which then ends its workers.
        self._process = subprocess.Popen(
            [sys.executable, "-c", "from pelnas.pool.process import serve; serve()"],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=self._errors,
            env=environment(self._threads),
            start_new_session=True,
        )
        header = {"maker": work.maker, "settings": work.settings, "arrays": [*work.arrays]}
        with suppress(BrokenPipeError):  # the first task meets the dead worker and says so
            _send(self._in, header)
            for array in work.arrays.values():
                _send_array(self._in, array)

    @property
    def _in(self) -> IO[bytes]:
        return self._process.stdin  # type: ignore[return-value]

    @property
    def _out(self) -> IO[bytes]:
        return self._process.stdout  # type: ignore[return-value]

    def ask(self, task: Task) -> dict[str, Any]:
        """The answer as ``pelnas.pool.base.answered`` made it. WorkerDiedError: the process ended."""
        try:
            line = self._exchange(task)
            if not line.endswith(b"\n"):
                raise WorkerDiedError(self._last_words())
        except ValueError:  # a closed pipe: somebody ended this worker
            raise WorkerDiedError("it was ended") from None
        answer: dict[str, Any] = json.loads(line)
        return answer

    def _exchange(self, task: Task) -> bytes:
        try:
            _send(self._in, task)
            return self._out.readline()
        except BrokenPipeError:
            return b""

    def restart(self) -> None:
        """Begin again with a new process, unless it was ended for good."""
        with self._turn:
            if not self._ended:
                self._stop()
                self._open()

    def end(self) -> None:
        """End the process for good."""
        with self._turn:
            self._ended = True
            self._stop()

    def _stop(self) -> None:
        self._process.kill()
        self._process.wait()
        for stream in (self._process.stdin, self._process.stdout, self._errors):
            if stream is not None:
                _close(stream)

    def _last_words(self) -> str:
        code = self._process.wait()
        self._errors.seek(0)
        lines = self._errors.read().decode(errors="replace").strip().splitlines()
        return lines[-1][:200] if lines else f"exit code {code}"


def _send(stream: IO[bytes], value: object) -> None:
    stream.write(json.dumps(value).encode() + b"\n")
    stream.flush()


def _send_array(stream: IO[bytes], array: Array) -> None:
    """Through memory: NumPy seeks in files that it writes itself, and a pipe cannot."""
    buffer = io.BytesIO()
    np.save(buffer, array, allow_pickle=False)
    stream.write(b"%d\n" % buffer.tell() + buffer.getbuffer())
    stream.flush()


def _receive_array(stream: IO[bytes]) -> Array:
    size = int(stream.readline())
    array: Array = np.load(io.BytesIO(stream.read(size)), allow_pickle=False)
    return array


def _close(stream: IO[bytes]) -> None:
    with suppress(BrokenPipeError):  # a dead worker did not read what it was sent
        stream.close()


def serve() -> None:
    """The worker's side: its work from standard input, then tasks until that ends."""
    source = sys.stdin.buffer
    answers = os.fdopen(os.dup(sys.stdout.fileno()), "wb")
    os.dup2(sys.stderr.fileno(), sys.stdout.fileno())  # what libraries print is no answer
    header = json.loads(source.readline())
    arrays = {name: _receive_array(source) for name in header["arrays"]}
    do = Work(header["maker"], header["settings"], arrays).opened()
    for line in source:
        _send(answers, answered(do, json.loads(line)))
