"""Zero-cost proxies of many architectures, in worker processes that share the cores.

A worker is a fresh interpreter that holds the space and the batch; a task is
an architecture's text, its answer a line of JSON. Each worker computes with the
same number of threads, whatever the number of tasks, so that values do not
depend on how the work was divided. A worker ends by itself when this
process is gone.
"""

import io
import json
import os
import subprocess
import sys
import tempfile
from collections.abc import Generator, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import closing, suppress
from dataclasses import asdict, dataclass
from queue import SimpleQueue
from threading import Lock
from typing import IO, Any

import numpy as np
from numpy.typing import NDArray

from pelnas.cache import Cache, cache_key
from pelnas.config import Scoring
from pelnas.errors import InputError, ProxyError
from pelnas.images import ImageSet
from pelnas.proxies import VERSION
from pelnas.spaces import SearchSpace, get_space

FEW = 8  # tasks that are done before a worker has imported torch


@dataclass(frozen=True)
class Job:
    """What every architecture is scored on.

    ``proxies``: names in ``pelnas.proxies.table.PROXIES``; ``classes``:
    outputs of the head; ``resolution``: pixels a side; ``threads``: torch
    threads a worker.
    """

    space: str
    proxies: tuple[str, ...]
    classes: int
    resolution: int
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

    images (batch, 3, resolution, resolution), labels (batch,). ProxyError: see
    ``pelnas.proxies.engine.score_network``.
    """
    import torch

    from pelnas.proxies.engine import score_network

    threads = torch.get_num_threads()
    torch.set_num_threads(job.threads)
    try:
        with torch.random.fork_rng(devices=[]):
            torch.manual_seed(job.seed)
            network = space.build(space.parse(text), job.classes, job.resolution)
        batch = torch.from_numpy(images), torch.from_numpy(labels)
        return score_network(network, *batch, job.proxies, job.seed, job.classes)
    finally:
        torch.set_num_threads(threads)


class Scorer:
    """Scores architectures of a space on one batch, in order, each as soon as it is known.

    ``workers``: processes; 0 for one a core. Without a task nothing is started,
    and a handful of tasks, or those of a single worker, are scored in this process.
    """

    def __init__(
        self,
        space: SearchSpace,
        job: Job,
        images: NDArray[np.float32],
        labels: NDArray[np.int64],
        workers: int,
    ) -> None:
        self._space = space
        self._job = job
        self._images = images
        self._labels = labels
        self._count = workers
        self._workers: list[_Worker] = []
        self._idle: SimpleQueue[_Worker] = SimpleQueue()

    def score(self, texts: Sequence[str]) -> Generator[dict[str, float], None, None]:
        """The proxies of each architecture, in order.

        Breaking off ends the workers; the next call starts new ones.
        ProxyError: an architecture that cannot be scored, or a worker that
        ended twice on the same one.
        """
        if self._count == 1 or (len(texts) <= FEW and not self._workers):
            yield from (self._here(text) for text in texts)
            return
        self._start()
        threads = ThreadPoolExecutor(self._count, thread_name_prefix="pelnas-scoring")
        complete = False
        try:
            yield from threads.map(self._ask, texts)
            complete = True
        finally:
            if not complete:
                self.close()  # whoever waits for a worker wakes up
            threads.shutdown(wait=complete, cancel_futures=True)

    def close(self) -> None:
        """End the workers; a second call does nothing."""
        workers, self._workers = self._workers, []
        self._idle = SimpleQueue()
        for worker in workers:
            worker.end()

    def _here(self, text: str) -> dict[str, float]:
        return score_architecture(self._space, self._job, text, self._images, self._labels)

    def _start(self) -> None:
        while len(self._workers) < self._count:
            worker = _Worker(self._job, self._images, self._labels)
            self._workers.append(worker)
            self._idle.put(worker)

    def _ask(self, text: str) -> dict[str, float]:
        idle = self._idle
        worker = idle.get()
        try:
            try:
                return worker.score(text)
            except _WorkerDiedError:
                worker.restart()
                return worker.score(text)
        except _WorkerDiedError as death:
            raise ProxyError(
                f"expected a score of {text}, found that its worker process ended twice ({death}):"
                " use fewer workers or a smaller batch (scoring.workers, scoring.batch)"
            ) from None
        finally:
            idle.put(worker)


def workers_and_threads(workers: int) -> tuple[int, int]:
    """Processes (0: one a core) and torch threads of each, together no more than the cores."""
    cores = (
        len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1
    )
    count = workers or cores
    return count, max(1, cores // count)


class ProxyScores:
    """Proxies of a space's architectures on one batch of images: cached, else scored in workers.

    One cached record an architecture, space, batch and seed holds whatever
    proxies were ever asked of it, so that predictors share them. Weights are
    drawn from ``seed``, the batch too.
    """

    def __init__(
        self,
        space: SearchSpace,
        images: ImageSet,
        names: Sequence[str],
        scoring: Scoring,
        seed: int,
        cache: Cache,
    ) -> None:
        workers, threads = workers_and_threads(scoring.workers)
        job = Job(space.name, tuple(names), images.classes, scoring.resolution, seed, threads)
        self._names = tuple(names)
        self._cache = cache
        self._scorer = Scorer(space, job, *images.batch(scoring.batch, seed), workers)
        self._key_fields: dict[str, str | int] = {
            "version": VERSION,
            "space": space.name,
            "images": images.digest,
            "batch": scoring.batch,
            "resolution": scoring.resolution,
            "seed": seed,
        }

    def of(self, texts: Sequence[str]) -> Generator[dict[str, float], None, None]:
        """The proxies of each architecture (official text), in order, each as soon as it is known."""
        keys = {text: cache_key("proxies", architecture=text, **self._key_fields) for text in texts}
        cached = self._cache.get_many(keys.values())
        known = {text: cached.get(key, {}) for text, key in keys.items()}
        missing = {text for text, record in known.items() if not record.keys() >= set(self._names)}
        in_order = [text for text in keys if text in missing]
        with closing(self._scorer.score(in_order)) as scored:
            for text in texts:
                if text in missing:
                    known[text] = known[text] | next(scored)
                    self._cache.put(keys[text], known[text])
                    missing.remove(text)
                yield {name: known[text][name] for name in self._names}

    def close(self) -> None:
        """End the workers; a second call does nothing."""
        self._scorer.close()


class _WorkerDiedError(Exception):
    """A worker process that ended without an answer; the text is its last words."""


class _Worker:
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
            [sys.executable, "-c", "from pelnas.scoring import serve; serve()"],
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
                raise _WorkerDiedError(self._last_words())
        except ValueError:  # a closed pipe: somebody ended this worker
            raise _WorkerDiedError("it was ended") from None
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
    job = Job(**settings | {"proxies": tuple(settings["proxies"])})
    images, labels = _receive_array(source), _receive_array(source)
    space = get_space(job.space)
    for line in source:
        try:
            found = score_architecture(space, job, json.loads(line), images, labels)
            _send(answers, {"proxies": found})
        except InputError as error:
            _send(answers, {"problem": str(error)})
