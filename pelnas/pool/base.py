"""The protocol of pools: work as plain values, workers that do it, tasks answered as they end."""

from abc import ABC, abstractmethod
from collections.abc import Callable, Generator, Iterator, Mapping, Sequence
from contextlib import closing
from dataclasses import dataclass, field
from importlib import import_module
from typing import TYPE_CHECKING, Any, TypeAlias

from pelnas.cache import Cache, default_cache
from pelnas.errors import InputError, Stopped, TaskFailedError, rebuilt

if TYPE_CHECKING:
    from numpy.typing import NDArray

LOOK = 0.5  # seconds between two looks at whether somebody asked to stop

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


class Workers(ABC):
    """Workers with one ``Work``, started when they are needed. For one thread at a time."""

    @abstractmethod
    def done(
        self, tasks: Sequence[Task], stop: Callable[[], bool] = never
    ) -> Generator[Done, None, None]:
        """Each task once, as soon as it has ended.

        A worker that dies is replaced, and its task done again. WorkerDiedError, as the error of
        a task: it took its workers with it each time. PoolError: the pool itself is lost.
        Stopped: ``stop`` said so. Breaking off ends the workers; the next call starts new ones.
        """

    def map(self, tasks: Sequence[Task]) -> Generator[Any, None, None]:
        """The answers in order, each as soon as it and all before it are known.

        InputError: of the first task, in order, that has no answer.
        """
        early: dict[int, Done] = {}
        with closing(self.done(tasks)) as ended:
            for place in range(len(tasks)):
                yield _at(place, early, ended).value()

    @abstractmethod
    def close(self) -> None:
        """End the workers; a second call does nothing."""


def _at(place: int, early: dict[int, Done], ended: Iterator[Done]) -> Done:
    """The task of this place; those that end before it are kept in ``early``."""
    while place not in early:
        one = next(ended)
        early[one.place] = one
    return early.pop(place)


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
