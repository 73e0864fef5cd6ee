"""Worker processes that share the cores of this machine."""

from concurrent.futures import Future
from threading import Lock, Thread

from pelnas.errors import WorkerDiedError
from pelnas.pool import base
from pelnas.pool.base import Done, Job, Pool, Task, Waiting, Work, Workers
from pelnas.pool.process import Worker
from pelnas.processes import cores


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
        self._turn = Lock()
        self._crew = _Crew()

    def submit(self, task: Task, *, later: bool = False) -> Future[Done]:
        job = Job(task)
        with self._turn:
            crew = self._crew
            crew.waiting.add(job, later=later)
            if crew.busy < self._count:
                crew.busy += 1
                name = f"pelnas-pool-{crew.busy}"
                Thread(target=self._work_off, args=(crew,), name=name, daemon=True).start()
        return job.ended

    def close(self) -> None:
        with self._turn:
            crew, self._crew = self._crew, _Crew()
            crew.has_ended = True
        for worker in crew.workers:  # whoever waits for one hears that it has ended
            worker.end()

    def _work_off(self, crew: "_Crew") -> None:
        """What a thread does: one worker answers one task after another, until none waits."""
        worker: Worker | None = None
        while (job := self._take(crew, worker)) is not None:
            try:
                worker = worker or self._worker(crew)
                job.ended.set_result(_ask(worker, job.task))
            except Exception as error:  # noqa: BLE001 - else whoever waits would wait for ever
                job.ended.set_exception(error)

    def _take(self, crew: "_Crew", worker: Worker | None) -> Job | None:
        with self._turn:
            job = crew.waiting.take()
            if job is None:
                crew.busy -= 1
                crew.idle += [worker] if worker is not None else []
            return job

    def _worker(self, crew: "_Crew") -> Worker:
        """One that has nothing to do, or a new one; one that is ended where all of them are."""
        with self._turn:
            if crew.idle:
                return crew.idle.pop()
        worker = Worker(self._work, self._threads)
        with self._turn:
            crew.workers.append(worker)
        if crew.has_ended:
            worker.end()
        return worker


class _Crew:
    """The workers of now: where they are ended meanwhile, no task waits for later ones."""

    def __init__(self) -> None:
        self.waiting = Waiting()
        self.workers: list[Worker] = []
        self.idle: list[Worker] = []
        self.busy = 0  # threads, each with a worker
        self.has_ended = False


def _ask(worker: Worker, task: Task) -> Done:
    try:
        try:
            return base.done(0, worker.ask(task))
        except WorkerDiedError:
            worker.restart()
            return base.done(0, worker.ask(task))
    except WorkerDiedError as death:
        return Done(0, error=WorkerDiedError(f"its worker process ended twice ({death})"))
