"""Workers on the nodes of a Ray cluster, each an actor that Ray makes again where it is lost."""

import json
import time
from collections import deque
from concurrent.futures import Future
from dataclasses import replace
from threading import Lock, Thread
from typing import Any

from pelnas.cache import Cache, default_cache
from pelnas.errors import InputError, PoolError, WorkerDiedError
from pelnas.pool import base
from pelnas.pool.base import LOOK, Done, Job, Pool, Task, Waiting, Work, Workers
from pelnas.pool.ray_cache import RayEntries
from pelnas.pool.ray_cluster import HEAD, Cluster, devices_of, said
from pelnas.pool.ray_worker import RayWorker, versions

ATTEMPTS = (
    4  # at one task, each ended by the loss of its worker: nodes are lost for reasons of their own
)
WAIT = LOOK / 5  # seconds after which tasks are noticed that were submitted meanwhile
PATIENCE = 120.0  # seconds in which some node has to have room for some worker


class RayPool(Pool):
    """Each worker is an actor with as many cores as threads, on any node but those of devices."""

    name = "ray"
    here = False

    def __init__(self, cluster: Cluster) -> None:
        self._cluster = cluster

    def check(self) -> None:
        self._cluster.check()

    def cores(self) -> int:
        nodes = (node for node in self._cluster.nodes() if not devices_of(node))
        return max(1, int(sum(node["Resources"].get("CPU", 0) for node in nodes)))

    def devices(self) -> tuple[str, ...]:
        return tuple(sorted({name for node in self._cluster.nodes() for name in devices_of(node)}))

    def workers(
        self, work: Work, count: int, threads: int = 1, device: str = "", gpus: int = 0
    ) -> Workers:
        return _Actors(self, self._cluster, work, count, threads, device, gpus)

    def room(self, threads: int, gpus: int) -> int:
        """How many workers fit at a time. PoolError: none, for want of graphics processors."""
        fits = self.cores() // threads
        if gpus:
            there = sum(node["Resources"].get("GPU", 0) for node in self._cluster.nodes())
            if there < gpus:
                raise PoolError(
                    "expected a node of the Ray cluster with a graphics processor, found none: start"
                    " one with `ray start --num-gpus=1`, or use --accelerator cpu"
                )
            fits = min(fits, int(there) // gpus)
        return max(1, fits)

    def cache(self) -> Cache:
        """Shared with the cluster, unless that begins here and is this machine alone."""
        if not self._cluster.address:
            return default_cache()
        return replace(default_cache(), shared=RayEntries(self._cluster))

    def close(self) -> None:
        """Disconnect; a cluster that began here ends."""
        self._cluster.close()


class _Actors(Workers):
    def __init__(
        self,
        pool: RayPool,
        cluster: Cluster,
        work: Work,
        count: int,
        threads: int,
        device: str,
        gpus: int = 0,
    ) -> None:
        self._pool, self._cluster, self._work = pool, cluster, work
        self._count, self._threads, self._device, self._gpus = count, threads, device, gpus
        self._actors: list[Any] = []
        self._idle: deque[Any] = deque()
        self._shared: tuple[Any, Any] | None = None  # the class of the actors, and the arrays
        #: By the reference of an answer: who gives it, and to which task; no task: it begins.
        self._asked: dict[Any, tuple[Any, Job | None]] = {}
        self._waiting, self._left = Waiting(), set[Job]()  # without a worker, without an answer
        self._turn = Lock()  # over both, and over what follows
        self._thread: Thread | None = None
        self._are_new = self._ends = False
        self._since = 0.0  # when something happened last

    def submit(self, task: Task, *, later: bool = False) -> Future[Done]:
        ray, job = self._cluster.ray(), Job(task)
        with self._turn:
            self._waiting.add(job, later=later)
            self._left.add(job)
            self._are_new = True
            if self._thread is None:
                work = Thread(target=self._work_off, args=(ray,), name="pelnas-pool", daemon=True)
                self._thread = work
                work.start()
        return job.ended

    def close(self) -> None:
        self._ends = True
        thread = self._thread
        if thread is not None:
            thread.join(PATIENCE)
        self._let_go(
            PoolError("expected workers, found that they were ended meanwhile: begin again")
        )
        self._ends = False

    def _work_off(self, ray: Any) -> None:
        """What a thread does, the only one that speaks to actors, until no task is left."""
        try:
            while self._goes_on():
                self._start(ray)
                self._hand_out()
                for reference in self._ready(ray):
                    self._answer(ray, reference)
                    self._hand_out()
        except (ConnectionError, ray.exceptions.RaySystemError):
            self._let_go(self._cluster.lost())
        except Exception as error:  # noqa: BLE001 - else whoever waits would wait for ever
            self._let_go(error)

    def _goes_on(self) -> bool:
        with self._turn:
            if self._left and not self._ends:
                return True
            self._thread = None
            return False

    def _let_go(self, error: Exception) -> None:
        """End the actors; whoever waits for one gets the error."""
        with self._turn:
            actors, self._actors = self._actors, []
            left, self._left, self._waiting = self._left, set(), Waiting()
            self._thread = self._shared = None
            self._idle.clear()
            self._asked.clear()
        for job in left:
            job.ended.set_exception(error)
        self._cluster.end(actors)

    # -- actors -----------------------------------------------------------------

    def _start(self, ray: Any) -> None:
        """As many as tasks want and there is room for; what a node lacks is told by its ``begin``."""
        with self._turn:
            left, are_new, self._are_new = len(self._left), self._are_new, False
        if not are_new:
            return
        self._since = time.monotonic()
        room = 1 if self._device else self._pool.room(self._threads, self._gpus)
        wanted = min(self._count or room, left)
        if self._shared is None:
            self._shared = self._kind(ray), self._put(ray)
        kind, work = self._shared[0], self._work
        while len(self._actors) < wanted:
            actor = kind.remote(work.maker, json.dumps(work.settings), self._threads)
            self._actors.append(actor)
            self._begin(actor, self._shared[1])

    def _begin(self, actor: Any, arrays: Any) -> None:
        """Where the cluster is named, others have its cache, too."""
        self._asked[actor.begin.remote(arrays, bool(self._cluster.address))] = (actor, None)

    def _kind(self, ray: Any) -> Any:
        places: dict[str, Any] = {"num_cpus": self._threads, "num_gpus": self._gpus}
        if self._device:
            places = {"num_cpus": 0, "resources": {HEAD + self._device: 1}}
        else:
            places |= self._cluster.apart_from_devices()
        return ray.remote(RayWorker).options(max_restarts=-1, max_task_retries=0, **places)

    def _put(self, ray: Any) -> Any:
        """The arrays in the object store, once for all workers. PoolError: it is full."""
        full = (ray.exceptions.ObjectStoreFullError, ray.exceptions.OutOfDiskError)
        try:
            return ray.put(dict(self._work.arrays))
        except full:
            size = sum(array.nbytes for array in self._work.arrays.values())
            raise PoolError(
                f"expected room for {size / 2**20:.0f} MiB of images in the object store of the Ray"
                " cluster, found it full: start its head with more (--object-store-memory), or take"
                " fewer or smaller images"
            ) from None

    # -- tasks ------------------------------------------------------------------

    def _hand_out(self) -> None:
        while self._idle:
            with self._turn:
                job = self._waiting.take()
            if job is None:
                return
            actor = self._idle.popleft()
            self._asked[actor.ask.remote(json.dumps(job.task))] = (actor, job)

    def _ready(self, ray: Any) -> list[Any]:
        """Calls that have ended, after a moment; the head is watched meanwhile."""
        ready = _ready(ray, list(self._asked))
        self._cluster.watch()
        if ready:
            self._since = time.monotonic()
        elif all(job is None for _, job in self._asked.values()) and _is_over(self._since):
            raise self._no_room()
        return ready

    def _answer(self, ray: Any, reference: Any) -> None:
        """See what became of one call."""
        actor, job = self._asked.pop(reference)
        try:
            answer = ray.get(reference)
        except ray.exceptions.RayActorError as loss:
            self._begin_again(actor, loss)
            if job is not None:
                self._again(job)
            return
        except ray.exceptions.RayTaskError as failure:
            raise self._misfit(said(failure.cause or failure)) from None
        self._idle.append(actor)
        if job is None:
            self._check(answer)
        else:
            self._end(job, base.done(0, json.loads(answer)))

    def _end(self, job: Job, found: Done) -> None:
        with self._turn:
            self._left.discard(job)
        job.ended.set_result(found)

    def _again(self, job: Job) -> None:
        """Its worker was lost: it comes next, unless too many were lost with it."""
        job.tried += 1
        if job.tried < ATTEMPTS:
            with self._turn:
                self._waiting.add_first(job)
        else:
            lost = WorkerDiedError(f"its worker was lost {ATTEMPTS} times")
            self._end(job, Done(0, error=lost))

    def _begin_again(self, actor: Any, loss: Exception) -> None:
        """Ray makes the actor anew, on whatever node has room. PoolError: it cannot be made at all."""
        if _refused(loss):
            raise self._misfit(said(loss))
        time.sleep(LOOK / 5)  # calls to one that is lost fail at once for a moment
        if self._shared is not None:
            self._begin(actor, self._shared[1])

    # -- nodes ------------------------------------------------------------------

    def _check(self, about: dict[str, Any]) -> None:
        """PoolError: a node whose values would be others."""
        for name, wanted in versions().items():
            found = about["versions"].get(name) or "none"
            if found != wanted:
                raise PoolError(
                    f"expected {name} {wanted} on every node of the Ray cluster, as it is here, found"
                    f" {found} on node {about['node']}: install the same there, or stop that node"
                )

    def _misfit(self, found: str) -> InputError:
        return PoolError(
            f"expected this package, installed alike, on every node of the Ray cluster, found:"
            f" {found}: install it there (pip install), or stop that node"
        )

    def _no_room(self) -> PoolError:
        need = f"the device {self._device}" if self._device else f"{self._threads} free cores"
        return PoolError(
            f"expected a node of the Ray cluster with {need}, found none in {PATIENCE:g} s: start"
            " one, or wait until others have ended"
        )


def _ready(ray: Any, references: list[Any]) -> list[Any]:
    """All that are ready, after a moment at most."""
    ready, rest = ray.wait(references, num_returns=1, timeout=WAIT)
    if ready and rest:
        more, _ = ray.wait(rest, num_returns=len(rest), timeout=0)
        ready = [*ready, *more]
    return list(ready)


def _is_over(began: float) -> bool:
    return time.monotonic() - began > PATIENCE


def _refused(loss: Exception) -> bool:
    """Whether an actor could not be made at all, such as for want of this package on its node."""
    return "creation task" in str(loss) or "ModuleNotFoundError" in str(loss)
