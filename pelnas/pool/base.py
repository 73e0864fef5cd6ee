"""The protocol of pools: work as plain values, workers that do it, tasks answered as they end."""

from abc import ABC, abstractmethod
from collections import deque
from collections.abc import Callable, Generator, Mapping, Sequence
from concurrent.futures import Future, wait
from dataclasses import dataclass, field, replace
from functools import partial
from importlib import import_module
from queue import Empty, SimpleQueue
from typing import TYPE_CHECKING, Any, TypeAlias, TypeVar

from pelnas.cache import Cache, default_cache
from pelnas.errors import InputError, Stopped, TaskFailedError, rebuilt

if TYPE_CHECKING:
    from numpy.typing import NDArray

LOOK = 0.5  # seconds between two looks at whether somebody asked to stop
HEARD = 0.2  # seconds after which a signal is heard that did not end a wait by itself

T = TypeVar("T")

Array: TypeAlias = "NDArray[Any]"
Task = Any  # what JSON can hold, as are answers
Do = Callable[[Task], Any]


@dataclass(frozen=True)
class Work:
    """What every worker does, as another interpreter or another machine can read it.

    ``maker``: ``module:function`` of this package. It is called once in each worker with
    ``settings`` (what JSON can hold) and ``arrays`` (by name, not to be changed), and returns the
    function that answers one task. Tasks and answers are what JSON can hold.
    """

    maker: str
    settings: Mapping[str, Any]
    arrays: Mapping[str, Array] = field(default_factory=dict)

    def opened(self) -> Do:
        """The function that answers one task; where the maker refuses, it raises the InputError."""
        module, _, name = self.maker.partition(":")
        try:
            do: Do = getattr(import_module(module), name)(self.settings, self.arrays)
        except InputError as refused:
            do = _refusing(refused)
        return do


def _refusing(error: InputError) -> Do:
    def refuse(_: Task) -> Any:
        raise error

    return refuse


@dataclass(frozen=True)
class Done:
    """A task that has ended: its place among the tasks, and its answer or why there is none."""

    place: int
    answer: Any = None
    error: InputError | None = None

    def value(self) -> Any:
        """The answer. InputError: there is none."""
        if self.error is not None:
            raise self.error
        return self.answer


def answered(do: Do, task: Task) -> dict[str, Any]:
    """What a worker sends back for a task, whatever becomes of it; read by ``done``."""
    try:
        return {"answer": do(task)}
    except InputError as error:
        return {"problem": str(error), "kind": type(error).__name__}
    except Exception as error:  # noqa: BLE001 - one task has failed, and not its worker
        first = " ".join(str(error).split())[:300]
        return {"failure": f"{type(error).__name__}: {first}" if first else type(error).__name__}


def done(place: int, found: Mapping[str, Any]) -> Done:
    """The other side of ``answered``."""
    if "failure" in found:
        return Done(place, error=TaskFailedError(found["failure"]))
    if "problem" in found:
        return Done(place, error=rebuilt(found["kind"], found["problem"]))
    return Done(place, found["answer"])


def never() -> bool:
    """Nobody asks to stop."""
    return False


@dataclass(eq=False)
class Job:
    """A task that waits for a worker. ``tried``: how often its worker was lost."""

    task: Task
    ended: Future[Done] = field(default_factory=Future)
    tried: int = 0


class Waiting:
    """Tasks that wait for a worker, those for later behind all others. For one thread at a time."""

    def __init__(self) -> None:
        self._soon, self._later = deque[Job](), deque[Job]()

    def __len__(self) -> int:
        return len(self._soon) + len(self._later)

    def add(self, job: Job, *, later: bool) -> None:
        """Behind those of its kind."""
        (self._later if later else self._soon).append(job)

    def add_first(self, job: Job) -> None:
        """Before all others: it has been under way."""
        self._soon.appendleft(job)

    def take(self) -> Job | None:
        """The one that comes next; ``None``: nothing waits."""
        line = self._soon or self._later
        return line.popleft() if line else None


def result_of(future: Future[T]) -> T:
    """Its result, or its error, in the main thread, in which Python calls what a signal calls.

    A wait without a limit would end by the signal alone; one that came the moment before, or to
    another thread, is not heard until the wait is over.
    """
    while not future.done():
        wait([future], HEARD)
    return future.result()


class Workers(ABC):
    """Workers with one ``Work``, started when they are needed. Safe to use from several threads."""

    @abstractmethod
    def submit(self, task: Task, *, later: bool = False) -> Future[Done]:
        """Have a task done beside all others; its place is 0. ``later``: behind those without it.

        A worker that dies is replaced, and its task done again. WorkerDiedError, as the error of
        a task: it took its workers with it each time, or was ended. PoolError, raised here or by
        the future: the pool itself is lost.
        """

    def done(
        self, tasks: Sequence[Task], stop: Callable[[], bool] = never
    ) -> Generator[Done, None, None]:
        """Each task once, as soon as it has ended.

        Errors: as of ``submit``. Stopped: ``stop`` said so. Breaking off ends the workers, whatever
        else they do; the next call starts new ones.
        """
        ended: Ended = SimpleQueue()
        complete = not tasks
        try:
            for place, task in enumerate(tasks):
                self.submit(task).add_done_callback(partial(_ended, ended, place))
            for left in reversed(range(len(tasks))):
                place, future = _next(ended, stop)
                found = replace(future.result(), place=place)
                complete = not left  # whoever has the last one need not ask for more
                yield found
        finally:
            if not complete:
                self.close()

    def map(self, tasks: Sequence[Task]) -> Generator[Any, None, None]:
        """The answers in order, each as soon as it and all before it are known.

        InputError: of the first task, in order, that has no answer. Breaking off: as of ``done``.
        """
        yield from self.in_order([self.submit(task) for task in tasks])

    def in_order(self, submitted: Sequence[Future[Done]]) -> Generator[Any, None, None]:
        """``map`` of tasks that were submitted before."""
        left = len(submitted)
        try:
            for future in submitted:
                value = result_of(future).value()
                left -= 1
                yield value
        finally:
            if left:
                self.close()

    @abstractmethod
    def close(self) -> None:
        """End the workers; a second call does nothing. Tasks that were submitted end with errors."""


Ended = SimpleQueue[tuple[int, "Future[Done]"]]


def _ended(ended: Ended, place: int, future: "Future[Done]") -> None:
    ended.put((place, future))


def _next(ended: Ended, stop: Callable[[], bool]) -> tuple[int, "Future[Done]"]:
    """The next task that has ended. Stopped: somebody asked for it, and none has ended by now."""
    while not (stop() and ended.empty()):
        try:
            return ended.get(timeout=LOOK)
        except Empty:
            continue
    raise stopped()


def stopped() -> Stopped:
    """What ``Workers.done`` raises where somebody asked to stop."""
    return Stopped("the work was asked to stop: begin it again to go on")


class Pool(ABC):
    """Where workers run."""

    name: str
    here: bool  # whether that is this machine alone

    @abstractmethod
    def cores(self) -> int:
        """The processor cores on which workers may run. PoolError: the pool cannot be reached."""

    @abstractmethod
    def workers(
        self, work: Work, count: int, threads: int = 1, device: str = "", gpus: int = 0
    ) -> Workers:
        """At most ``count`` workers that compute with so many threads each; none is started yet.

        ``count``: 0 for as many as have a core for each thread, and the graphics processors they need.
        ``device``: one of ``devices``, on which nothing but these workers runs.
        ``gpus``: graphics processors that each worker has to itself, where machines are shared out.
        """

    def check(self) -> None:
        """PoolError: it is plain, without starting anything, that the pool cannot be used."""

    def devices(self) -> tuple[str, ...]:
        """The names of the devices that are reached through the pool."""
        return ()

    def cache(self) -> Cache:
        """Of measurements and scores, for all searches that run in this pool or by it."""
        return default_cache()

    def close(self) -> None:
        """Let go of what the pool holds; a second call does nothing."""
