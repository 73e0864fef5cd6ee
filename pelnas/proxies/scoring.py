"""Zero-cost proxies of many architectures, cached, in worker processes that share the cores."""

import logging
from collections.abc import Generator, Mapping, Sequence
from concurrent.futures import Future
from contextlib import closing
from threading import Lock

import numpy as np
from numpy.typing import NDArray

from pelnas.accelerator import CPU, CUDA, Accelerator, found, title
from pelnas.cache import Cache, Key, cache_key, is_number
from pelnas.config import Scoring
from pelnas.errors import InputError, ProxyError, TaskFailedError, WorkerDiedError
from pelnas.images import ImageSet
from pelnas.plugins import package_of
from pelnas.pool import PROCESSES, Done, Pool, get_pool
from pelnas.processes import cores
from pelnas.proxies import GROUP, VERSION
from pelnas.proxies.memory import batch_and_workers, batch_that_fits, large
from pelnas.proxies.worker import Job, score_architecture, work_of
from pelnas.spaces import SearchSpace

Record = dict[str, float | None]  # proxies by name; None: not defined
FEW = 8  # tasks that are done before a worker has imported torch


class Scorer:
    """Scores architectures of a space on one batch, in order, each as soon as it is known.

    ``workers``: how many of the pool's; 0 for all. Without a task nothing is started, and where the pool is
    on this machine, a handful of tasks, or those of a single worker, are scored in this process.
    """

    def __init__(
        self,
        space: SearchSpace,
        job: Job,
        images: NDArray[np.float32],
        labels: NDArray[np.int64],
        workers: int,
        pool: Pool | None = None,
    ) -> None:
        """``pool``: where the workers run; processes of this machine unless given."""
        pool = pool or get_pool(PROCESSES)
        self._space = space
        self._job = job
        self._images = images
        self._labels = labels
        self._alone = pool.here and workers == 1
        self._few = FEW if pool.here else 0
        gpus = int(job.accelerator == CUDA)
        self._workers = pool.workers(work_of(job, images, labels), workers, job.threads, gpus=gpus)
        self._begun = False
        self._ahead: dict[str, Future[Done]] = {}  # by architecture, what was begun beforehand

    def begin(self, texts: Sequence[str]) -> None:
        """Have workers score these behind all that is asked for; ``score`` takes their answers.

        Nothing happens where ``score`` does not use workers for so few, nor with an accelerator of
        this machine, whose memory would have to hold two networks. PoolError: the pool is lost.
        """
        if not self._begun and len(texts) <= self._few:
            return
        if self._alone and self._job.accelerator != CPU:
            return
        self._begun = True
        for text in texts:
            if text not in self._ahead:
                self._ahead[text] = self._workers.submit(text, later=True)

    def score(self, texts: Sequence[str]) -> Generator[dict[str, float], None, None]:
        """The proxies of each architecture, in order.

        Breaking off ends the workers; the next call starts new ones.
        ProxyError: an architecture that cannot be scored, or on which its worker ended twice.
        """
        if not self._begun and (self._alone or len(texts) <= self._few):
            yield from (self._here(text) for text in texts)
            return
        self._begun = True
        found, left = self._workers.in_order([self._submitted(text) for text in texts]), len(texts)
        try:
            for text in texts:
                try:
                    values = next(found)
                except InputError as error:
                    raise _not_scored(text, error) from None
                left -= 1  # whoever has the last one need not ask for more
                yield values
        finally:
            if left:
                self.close()

    def close(self) -> None:
        """End the workers; a second call does nothing."""
        self._begun = False
        self._ahead.clear()
        self._workers.close()

    def _submitted(self, text: str) -> Future[Done]:
        return self._ahead.pop(text, None) or self._workers.submit(text)

    def _here(self, text: str) -> dict[str, float]:
        return score_architecture(self._space, self._job, text, self._images, self._labels)


def _not_scored(text: str, error: InputError) -> InputError:
    if not isinstance(error, WorkerDiedError | TaskFailedError):
        return error  # a sentence that says what to do
    remedy = "see whether it can be built and run for one image"
    if isinstance(error, WorkerDiedError):
        remedy = "use fewer workers or a smaller batch (scoring.workers, scoring.batch)"
    return ProxyError(f"expected a score of {text}, found that {error}: {remedy}")


def workers_and_threads(workers: int) -> tuple[int, int]:
    """Processes (0: one a core) and torch threads of each, together no more than the cores."""
    count = workers or cores()
    return count, max(1, cores() // count)


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
    is smaller than ``scoring.batch``, so that scoring keeps within 4 GiB. An accelerator without
    memory for the batch gets the half, for all networks, with a warning. ``on``: for reports, '' or
    the accelerator.
    """

    def __init__(
        self,
        space: SearchSpace,
        images: ImageSet,
        names: Sequence[str],
        scoring: Scoring,
        seed: int,
        cache: Cache,
        pool: Pool | None = None,
    ) -> None:
        """``pool``: in place of the one that ``scoring`` names."""
        pool = pool or get_pool(scoring.pool)
        pool.check()
        accelerator = found(scoring.accelerator) if pool.here else _named(scoring.accelerator)
        # One process has an accelerator to itself: several would share its memory.
        asked = scoring.workers if accelerator == CPU else scoring.workers or 1
        wanted, _ = workers_and_threads(asked)
        batch, most = batch_and_workers(space, images.shape, scoring.batch, wanted)
        # Elsewhere a worker is a core, so that values do not depend on what a node has.
        workers, threads = workers_and_threads(most) if pool.here else (scoring.workers, 1)
        job = Job(space.name, tuple(names), images.shape, seed, threads, accelerator)
        self._names = tuple(names)
        self._cache = cache
        self.on = "" if accelerator == CPU else f" on {accelerator}"

        def begin(count: int) -> Scorer:
            return Scorer(space, job, *images.batch(count, seed), workers, pool)

        self._begin = begin
        self._space, self._job, self._here = space, job, pool.here
        self._turn = Lock()  # agents that work side by side may begin the same
        self._scorer = self._begin(batch)
        self._is_fitted = accelerator == CPU
        self._key_fields: dict[str, str | int] = {
            "version": VERSION,
            "space": space.name,
            "images": images.digest,
            "batch": batch,
            "resolution": scoring.resolution,
            "seed": seed,
            **({} if accelerator == CPU else {"accelerator": accelerator}),
            **_plugin_fields(space, self._names),
        }

    def of(self, texts: Sequence[str]) -> Generator[dict[str, float], None, None]:
        """The proxies of each architecture (official text), in order, each as soon as it is known.

        A proxy that is not defined for an architecture is absent.
        """
        self._fit()
        keys, known = self._looked_up(texts)
        in_order = self._incomplete(known)
        missing = set(in_order)
        with closing(self._scorer.score(in_order)) as scored:
            for text in texts:
                if text in missing:
                    known[text] |= dict.fromkeys(self._names) | next(scored)
                    self._cache.put(keys[text], known[text])
                    missing.remove(text)
                values = ((name, known[text][name]) for name in self._names)
                yield {name: value for name, value in values if value is not None}

    def begin(self, texts: Sequence[str]) -> None:
        """Have workers compute what the cache lacks; ``of`` of the same architectures takes it then.

        Nothing that is asked for meanwhile waits for it. See ``Scorer.begin``.
        """
        with self._turn:
            self._fit()
            _, known = self._looked_up(texts)
            self._scorer.begin(self._incomplete(known))

    def _looked_up(self, texts: Sequence[str]) -> tuple[dict[str, Key], dict[str, Record]]:
        """For each architecture the key of its record in the cache, and the record, empty without one."""
        keys = {text: cache_key("proxies", architecture=text, **self._key_fields) for text in texts}
        cached = self._cache.get_many(keys.values(), _are_proxies)
        return keys, {text: cached.get(key, {}) for text, key in keys.items()}

    def _incomplete(self, known: Mapping[str, Record]) -> list[str]:
        """The architectures whose records lack a proxy."""
        return [text for text, record in known.items() if not record.keys() >= set(self._names)]

    def _fit(self) -> None:
        """Take the batch that the accelerator holds, found with a large network before all others.

        It is kept in the cache, so that a run that goes on scores on the same images.
        """
        if self._is_fitted:
            return
        asked = int(self._key_fields["batch"])
        key = self._key_of_fit(asked)
        kept = self._cache.get_many([key], lambda value: value in range(1, asked + 1)).get(key)
        if kept is None:
            text = self._space.format(large(self._space, self._job.shape))
            kept = batch_that_fits(lambda count: self._try(count, text), asked)
            self._cache.put(key, kept)
        if kept < asked:
            self._scorer.close()
            self._scorer = self._begin(kept)
            self._key_fields["batch"] = kept
            logging.getLogger("pelnas").warning(
                "pelnas: %s has no memory for batches of %d images; all networks are scored on %d",
                self._job.accelerator,
                asked,
                kept,
            )
        self._is_fitted = True

    def _key_of_fit(self, asked: int) -> Key:
        name = self._job.accelerator
        return cache_key(
            "accelerator batch",
            accelerator=title(name) if self._here else name,
            space=self._space.name,
            images="x".join(map(str, self._job.shape.pixels)),
            batch=asked,
        )

    def _try(self, count: int, text: str) -> None:
        with closing(self._begin(count)) as scorer:
            list(scorer.score([text]))

    def close(self) -> None:
        """End the workers; a second call does nothing."""
        self._scorer.close()


def _named(asked: str) -> Accelerator:
    """What the nodes of a cluster shall compute with; they say so themselves where they lack it."""
    return found(asked) if asked == "auto" else asked  # type: ignore[return-value]
