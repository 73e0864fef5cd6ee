"""Zero-cost proxies of many architectures, cached, in worker processes that share the cores."""

import os
from collections.abc import Generator, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import closing
from functools import partial
from queue import SimpleQueue

import numpy as np
from numpy.typing import NDArray

from pelnas.cache import Cache, cache_key, is_number
from pelnas.config import Scoring
from pelnas.errors import ProxyError
from pelnas.images import ImageSet
from pelnas.plugins import package_of
from pelnas.proxies import GROUP, VERSION
from pelnas.proxies.memory import batch_and_workers
from pelnas.proxies.worker import Job, Worker, WorkerDiedError, score_architecture
from pelnas.spaces import SearchSpace

FEW = 8  # tasks that are done before a worker has imported torch


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
        self._workers: list[Worker] = []
        self._idle: SimpleQueue[Worker] = SimpleQueue()

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
            # The workers of now: where they are ended meanwhile, no task waits for later ones.
            yield from threads.map(partial(self._ask, self._idle), texts)
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
            worker = Worker(self._job, self._images, self._labels)
            self._workers.append(worker)
            self._idle.put(worker)

    def _ask(self, idle: "SimpleQueue[Worker]", text: str) -> dict[str, float]:
        worker = idle.get()
        try:
            try:
                return worker.score(text)
            except WorkerDiedError:
                worker.restart()
                return worker.score(text)
        except WorkerDiedError as death:
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


def _are_proxies(value: object) -> bool:
    """Whether this is what was kept of an architecture: numbers by name, or null: undefined."""
    return isinstance(value, dict) and all(
        number is None or is_number(number) for number in value.values()
    )


def _plugin_fields(space: SearchSpace, names: Sequence[str]) -> dict[str, str]:
    """What else values depend on where other packages have a part in them; nothing otherwise."""
    brought = {f"proxy {name}": package_of(GROUP, name) for name in names}
    return {name: value for name, value in (brought | {"code": space.code}).items() if value}


class ProxyScores:
    """Proxies of a space's architectures on one batch of images: cached, else scored in workers.

    One cached record an architecture, space, batch and seed holds whatever
    proxies were ever asked of it, so that predictors share them; null for one that is
    not defined. Weights are drawn from ``seed``, the batch too; of large images it
    is smaller than ``scoring.batch``, so that scoring keeps within 4 GiB.
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
        wanted, _ = workers_and_threads(scoring.workers)
        batch, most = batch_and_workers(space, images.shape, scoring.batch, wanted)
        workers, threads = workers_and_threads(most)
        job = Job(space.name, tuple(names), images.shape, seed, threads)
        self._names = tuple(names)
        self._cache = cache
        self._scorer = Scorer(space, job, *images.batch(batch, seed), workers)
        self._key_fields: dict[str, str | int] = {
            "version": VERSION,
            "space": space.name,
            "images": images.digest,
            "batch": batch,
            "resolution": scoring.resolution,
            "seed": seed,
            **_plugin_fields(space, self._names),
        }

    def of(self, texts: Sequence[str]) -> Generator[dict[str, float], None, None]:
        """The proxies of each architecture (official text), in order, each as soon as it is known.

        A proxy that is not defined for an architecture is absent.
        """
        keys = {text: cache_key("proxies", architecture=text, **self._key_fields) for text in texts}
        cached = self._cache.get_many(keys.values(), _are_proxies)
        known: dict[str, dict[str, float | None]] = {
            text: cached.get(key, {}) for text, key in keys.items()
        }
        missing = {text for text, record in known.items() if not record.keys() >= set(self._names)}
        in_order = [text for text in keys if text in missing]
        with closing(self._scorer.score(in_order)) as scored:
            for text in texts:
                if text in missing:
                    known[text] |= dict.fromkeys(self._names) | next(scored)
                    self._cache.put(keys[text], known[text])
                    missing.remove(text)
                values = ((name, known[text][name]) for name in self._names)
                yield {name: value for name, value in values if value is not None}

    def close(self) -> None:
        """End the workers; a second call does nothing."""
        self._scorer.close()
