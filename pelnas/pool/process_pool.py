"""Worker processes that share the cores of this machine."""

from collections.abc import Callable, Generator, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from queue import Empty, SimpleQueue

from pelnas.errors import WorkerDiedError
from pelnas.pool import base
from pelnas.pool.base import LOOK, Done, Pool, Task, Work, Workers, never, stopped
from pelnas.pool.process import Worker
from pelnas.processes import cores

Idle = SimpleQueue[Worker]
Ended = SimpleQueue["Future[Done]"]


class ProcessPool(Pool):
    """Each worker is a process; a thread of this one waits for it."""

    name = "processes"
    here = True

    def cores(self) -> int:
        return cores()

    def workers(
        self, work: Work, count: int, threads: int = 1, device: str = "", gpus: int = 0
    ) -> Workers:
        return _Processes(work, count or max(1, cores() // threads), threads)


class _Processes(Workers):
    def __init__(self, work: Work, count: int, threads: int) -> None:
        self._work, self._count, self._threads = work, count, threads
        self._workers: list[Worker] = []
        self._idle: Idle = SimpleQueue()

    def done(
        self, tasks: Sequence[Task], stop: Callable[[], bool] = never
    ) -> Generator[Done, None, None]:
        if not tasks:
            return
        self._start(min(self._count, len(tasks)))
        # The workers of now: where they are ended meanwhile, no task waits for later ones.
        idle, ended = self._idle, Ended()
        threads = ThreadPoolExecutor(len(self._workers), thread_name_prefix="pelnas-pool")
        complete = False
        try:
            for place, task in enumerate(tasks):
                threads.submit(_ask, idle, place, task).add_done_callback(ended.put)
            for left in reversed(range(len(tasks))):
                found = _next(ended, stop).result()
                complete = not left  # whoever has the last one need not ask for more
                yield found
        finally:
            if not complete:
                self.close()  # whoever waits for a worker wakes up
            threads.shutdown(wait=complete, cancel_futures=True)

    def close(self) -> None:
        workers, self._workers = self._workers, []
        self._idle = SimpleQueue()
        for worker in workers:
            worker.end()

    def _start(self, wanted: int) -> None:
        while len(self._workers) < wanted:
            worker = Worker(self._work, self._threads)
            self._workers.append(worker)
            self._idle.put(worker)


def _ask(idle: Idle, place: int, task: Task) -> Done:
    worker = idle.get()
    try:
        try:
            return base.done(place, worker.ask(task))
        except WorkerDiedError:
            worker.restart()
            return base.done(place, worker.ask(task))
    except WorkerDiedError as death:
        return Done(place, error=WorkerDiedError(f"its worker process ended twice ({death})"))
    finally:
        idle.put(worker)


def _next(ended: Ended, stop: Callable[[], bool]) -> "Future[Done]":
    """The next task that has ended. Stopped: somebody asked for it, and none has ended by now."""
    while not (stop() and ended.empty()):
        try:
            return ended.get(timeout=LOOK)
        except Empty:
            continue
    raise stopped()
