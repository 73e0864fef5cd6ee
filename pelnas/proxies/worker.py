"""One worker process: it holds a space and a batch, and scores the architectures it is sent.

A worker is a fresh interpreter. A task is an architecture's text, its answer a
line of JSON. It computes with the same number of threads, whatever the number
of tasks, so that values do not depend on how the work was divided, and it ends
by itself when the process that started it is gone.
"""

import io
import json
import os
import subprocess
import sys
import tempfile
from contextlib import suppress
from dataclasses import asdict, dataclass
from threading import Lock
from typing import IO, Any

import numpy as np
from numpy.typing import NDArray

from pelnas.architecture import Shape
from pelnas.errors import InputError, ProxyError
from pelnas.spaces import SearchSpace, get_space


@dataclass(frozen=True)
class Job:
    """What every architecture is scored on.

    ``proxies``: names of ``pelnas.proxies.table.known_proxies``; ``threads``: torch
    threads a worker, at most: never more than its process has, as by OMP_NUM_THREADS.
    """

    space: str
    proxies: tuple[str, ...]
    shape: Shape
    seed: int
    threads: int


def score_architecture(
    space: SearchSpace,
    job: Job,
    text: str,
    images: NDArray[np.float32],
    labels: NDArray[np.int64],
) -> dict[str, float]:
    """The proxies of one architecture, built with weights drawn from ``job.seed``.

    images (batch, *job.shape.pixels), labels (batch,). ProxyError: see
    ``pelnas.proxies.engine.score_network``.
    """
    import torch

    from pelnas.proxies.engine import score_network

    threads = torch.get_num_threads()
    torch.set_num_threads(min(job.threads, threads))
    try:
        with torch.random.fork_rng(devices=[]):
            torch.manual_seed(job.seed)
            network = space.build(space.parse(text), job.shape)
        batch = torch.from_numpy(images), torch.from_numpy(labels)
        return score_network(network, *batch, job.proxies, job.seed, job.shape.classes)
    finally:
        torch.set_num_threads(threads)


class WorkerDiedError(Exception):
    """A worker process that ended without an answer; the text is its last words."""


class Worker:
    """One worker process and the pipes to it."""

    def __init__(self, job: Job, images: NDArray[np.float32], labels: NDArray[np.int64]) -> None:
        self._setup = (job, images, labels)
        self._ended = False
        self._turn = Lock()  # to end a worker and to start it again
        self._open()

    def _open(self) -> None:
        job, images, labels = self._setup
        self._errors = tempfile.TemporaryFile()  # noqa: SIM115 - lives as long as the process
        # A session of its own: Ctrl-C reaches the search, which then ends its workers.
        self._process = subprocess.Popen(
            [sys.executable, "-c", "from pelnas.proxies.worker import serve; serve()"],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=self._errors,
            env=_environment(job.threads),
            start_new_session=True,
        )
        with suppress(BrokenPipeError):  # the first task meets the dead worker and says so
            _send(self._in, asdict(job))
            _send_array(self._in, images)
            _send_array(self._in, labels)

    @property
    def _in(self) -> IO[bytes]:
        return self._process.stdin  # type: ignore[return-value]

    @property
    def _out(self) -> IO[bytes]:
        return self._process.stdout  # type: ignore[return-value]

    def score(self, text: str) -> dict[str, float]:
        try:
            line = self._exchange(text)
            if not line.endswith(b"\n"):
                raise WorkerDiedError(self._last_words())
        except ValueError:  # a closed pipe: somebody ended this worker
            raise WorkerDiedError("it was ended") from None
        answer: dict[str, Any] = json.loads(line)
        if "problem" in answer:
            raise ProxyError(answer["problem"])
        proxies: dict[str, float] = answer["proxies"]
        return proxies

    def _exchange(self, text: str) -> bytes:
        try:
            _send(self._in, text)
            return self._out.readline()
        except BrokenPipeError:
            return b""

    def restart(self) -> None:
        with self._turn:
            if not self._ended:
                self._stop()
                self._open()

    def end(self) -> None:
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


def _environment(threads: int) -> dict[str, str]:
    count = str(threads)
    paths = os.pathsep.join(path for path in sys.path if path)  # pelnas is found as it is here
    return os.environ | {"OMP_NUM_THREADS": count, "MKL_NUM_THREADS": count, "PYTHONPATH": paths}


def _send(stream: IO[bytes], value: object) -> None:
    stream.write(json.dumps(value).encode() + b"\n")
    stream.flush()


def _send_array(stream: IO[bytes], array: NDArray[Any]) -> None:
    """Through memory: NumPy seeks in files that it writes itself, and a pipe cannot."""
    buffer = io.BytesIO()
    np.save(buffer, array, allow_pickle=False)
    stream.write(b"%d\n" % buffer.tell() + buffer.getbuffer())
    stream.flush()


def _receive_array(stream: IO[bytes]) -> NDArray[Any]:
    size = int(stream.readline())
    array: NDArray[Any] = np.load(io.BytesIO(stream.read(size)), allow_pickle=False)
    return array


def _close(stream: IO[bytes]) -> None:
    with suppress(BrokenPipeError):  # a dead worker did not read what it was sent
        stream.close()


def serve() -> None:
    """The worker's side: a job and a batch from standard input, then texts until it ends."""
    source = sys.stdin.buffer
    answers = os.fdopen(os.dup(sys.stdout.fileno()), "wb")
    os.dup2(sys.stderr.fileno(), sys.stdout.fileno())  # what libraries print is no answer
    settings = json.loads(source.readline())
    proxies, shape = tuple(settings["proxies"]), Shape(**settings["shape"])
    job = Job(**settings | {"proxies": proxies, "shape": shape})
    images, labels = _receive_array(source), _receive_array(source)
    space = get_space(job.space)
    for line in source:
        try:
            found = score_architecture(space, job, json.loads(line), images, labels)
            _send(answers, {"proxies": found})
        except InputError as error:
            _send(answers, {"problem": str(error)})
