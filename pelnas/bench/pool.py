"""Two pools on the same networks, and what limits a search with many workers, by simulation."""

import heapq
import time
from collections import Counter, deque
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import closing
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal

import numpy as np

from pelnas.architecture import Cost, Design, Prediction
from pelnas.config import SearchConfig
from pelnas.pool import Pool, Work
from pelnas.pool.base import Array
from pelnas.proxies import worker
from pelnas.store import RunStore

CHUNKS = 8  # turns in which two pools score alternately, so that both meet the same machine
ECHOES = 400  # tasks without work, of which the driver's time for one is told
RECORDS = 200  # evaluations that are stored to time one
A_MOMENT = 10  # answers of a hundred workers in a tenth of a second, each of one a second
MANY = 100  # workers of which it is told which rounds keep them busy
SIZES = tuple(digits * 10**power for power in (2, 3, 4) for digits in (1, 2, 3, 4, 6, 8))
ROUNDS = 10  # of a simulated search
ENOUGH = 0.85  # share of the time that workers are busy from which on they are the limit

Limit = Literal["workers", "driver", "rounds"]


@dataclass(frozen=True, slots=True)
class Throughput:
    """One pool on some networks.

    ``seconds``: by the clock, workers under way before; ``cpu``: of the workers' processors, all
    together, which says the same on a machine that does other work, too.
    """

    pool: str
    workers: int
    networks: int
    seconds: float
    cpu: float

    @property
    def a_second(self) -> float:
        """Networks that were scored in a second."""
        return self.networks / self.seconds


@dataclass(frozen=True, slots=True)
class Comparison:
    """Pools side by side. ``equal``: every value to the last bit; ``times``: seconds of a network."""

    throughputs: tuple[Throughput, ...]
    equal: bool
    times: tuple[float, ...]

    @property
    def ratio(self) -> float:
        """The throughput of the last pool over that of the first."""
        return self.throughputs[-1].a_second / self.throughputs[0].a_second

    @property
    def cpu_ratio(self) -> float:
        """The same for a second of the workers' processors."""
        return self.throughputs[0].cpu / self.throughputs[-1].cpu


def timing(settings: Mapping[str, Any], arrays: Mapping[str, Array]) -> Callable[[str], Any]:
    """What a worker does: it scores, and tells the seconds by the clock and of its processor."""
    score = worker.scoring(settings, arrays)

    def timed(text: str) -> Any:
        began, processor = time.perf_counter(), time.process_time()
        values = score(text)
        return values, time.perf_counter() - began, time.process_time() - processor

    return timed


def echoing(*_: Any) -> Callable[[Any], Any]:
    """A worker that has nothing to do."""
    return lambda task: task


def compared(pools: Sequence[Pool], scoring: Work, texts: Sequence[str], count: int) -> Comparison:
    """Score the same networks by ``count`` workers of each pool, in turns.

    ``scoring``: of ``pelnas.proxies.worker.work_of``. The first ``2 * count`` networks start the
    workers, and are not timed.
    """
    work = Work("pelnas.bench.pool:timing", scoring.settings, scoring.arrays)
    workers = [pool.workers(work, count) for pool in pools]
    try:
        for each in workers:
            list(each.map(texts[: 2 * count]))
        found: list[list[Any]] = [[] for _ in pools]
        seconds = [0.0 for _ in pools]
        for number in range(CHUNKS):
            turn = list(enumerate(workers))
            for place, each in turn if number % 2 else reversed(turn):
                began = time.perf_counter()
                found[place] += each.map(texts[number::CHUNKS])
                seconds[place] += time.perf_counter() - began
    finally:
        for each in workers:
            each.close()
    values = [[answer[0] for answer in answers] for answers in found]
    throughputs = tuple(
        Throughput(pool.name, count, len(texts), own, sum(answer[2] for answer in answers))
        for pool, own, answers in zip(pools, seconds, found, strict=True)
    )
    return Comparison(
        throughputs,
        all(own == values[0] for own in values),
        tuple(answer[1] for answers in found for answer in answers),
    )


def handing_seconds(pool: Pool) -> float:
    """What it takes the driver to hand one task out and take its answer, at most."""
    with closing(pool.workers(Work("pelnas.bench.pool:echoing", {}), 0)) as workers:
        list(workers.map(list(range(ECHOES))))
        began = time.perf_counter()
        list(workers.map(list(range(ECHOES))))
        return (time.perf_counter() - began) / ECHOES


def recording_seconds(folder: Path) -> float:
    """What it takes to store one evaluation, as a search does it with many workers.

    Answers that arrive in a moment share a transaction: scores as workers give them, and then the
    costs, which a table has at once.
    """
    with RunStore.create(SearchConfig(output=folder, name="records")) as store:
        designs = [Design(f"|a~{number}|", "bench", "random") for number in range(RECORDS)]
        store.replace_designs(0, 0, designs, [])
        candidates = store.candidates()
        began = time.perf_counter()
        for start in range(0, RECORDS, A_MOMENT):
            with store.together():
                for candidate in candidates[start : start + A_MOMENT]:
                    store.record_prediction(candidate.id, Prediction(0.5), 1, 1.0)
                    store.event("predicted", candidate=candidate.id)
        with store.together():
            for candidate in candidates:
                store.record_cost(candidate.id, Cost(latency_ms=1.0))
                store.event("evaluated", candidate=candidate.id)
        return (time.perf_counter() - began) / RECORDS


@dataclass(frozen=True, slots=True)
class Driver:
    """What a search does between scores, in seconds."""

    handing: float  # one task to a worker, and its answer back
    recording: float  # one evaluation into the store
    designing: float  # a round: plan, designs, reflection


@dataclass(frozen=True, slots=True)
class Simulated:
    """A search in simulation. ``busy``, ``driver``: shares of the time, of workers and driver."""

    workers: int
    networks: int  # of a round
    ahead: int  # rounds that are designed before the one before them has ended
    a_second: float
    busy: float
    driver: float

    @property
    def limit(self) -> Limit:
        """What more workers would not make faster."""
        if self.busy >= ENOUGH:
            return "workers"
        return "driver" if self.driver > ENOUGH else "rounds"


def simulated(
    times: Sequence[float],
    driver: Driver,
    *,
    workers: int,
    networks: int,
    rounds: int = ROUNDS,
    ahead: int = 0,
    seed: int = 0,
) -> Simulated:
    """A search of ``rounds`` rounds of ``networks`` each, whose scoring times are drawn from ``times``.

    A worker computes one network at a time. The driver hands tasks out, takes answers and stores
    them one after the other, as ``Workers.done`` and a search do; a worker waits for it. A round
    is designed when all of the round before it are stored, or of ``ahead`` rounds before that.
    """
    service = _drawn(times, rounds * networks, seed)
    waiting: deque[int] = deque()
    idle, clock, working, end = workers, 0.0, 0.0, 0.0
    left = Counter(dict.fromkeys(range(rounds), networks))
    opened, ended = min(ahead + 1, rounds), 0
    events = [(driver.designing * (place + 1), 0, place) for place in range(opened)]
    heapq.heapify(events)

    def hand_out(now: float) -> float:
        nonlocal idle, working
        while idle and waiting:
            now += driver.handing
            working += driver.handing
            idle -= 1
            task = waiting.popleft()
            heapq.heappush(events, (now + service[task], 1, task))
        return now

    while events:
        at, kind, number = heapq.heappop(events)
        if at > clock:
            clock = at
        if kind == 0:
            waiting.extend(range(number * networks, (number + 1) * networks))
            clock = hand_out(clock)
            continue
        idle += 1
        if waiting:  # seldom: a worker ends more often than a round
            clock = hand_out(clock)
        clock += driver.recording
        working += driver.recording
        left[number // networks] -= 1
        while ended < rounds and not left[ended]:
            ended += 1
            if opened < rounds:
                heapq.heappush(events, (clock + driver.designing, 0, opened))
                opened += 1
        end = clock
    total = rounds * networks
    return Simulated(
        workers, networks, ahead, total / end, float(service.sum()) / (workers * end), working / end
    )


def _drawn(times: Sequence[float], count: int, seed: int) -> Array:
    return np.random.default_rng(seed).choice(np.asarray(times), size=count)


def table(
    times: Sequence[float], driver: Driver, counts: Sequence[int], networks: Sequence[int]
) -> Iterator[Simulated]:
    """Every number of workers with every size of a round, one after the other and overlapping."""
    for workers in counts:
        for size in networks:
            for ahead in (0, 1):
                yield simulated(times, driver, workers=workers, networks=size, ahead=ahead)


def enough(times: Sequence[float], driver: Driver, ahead: int) -> int | None:
    """The networks of a round, of ``SIZES``, with which ``MANY`` workers are the limit; ``None``: more."""
    for size in SIZES:
        if _busy_at_most(times, driver, size) < ENOUGH:
            continue  # a simulation of so many networks takes seconds
        if simulated(times, driver, workers=MANY, networks=size, ahead=ahead).busy >= ENOUGH:
            return size
    return None


def _busy_at_most(times: Sequence[float], driver: Driver, networks: int) -> float:
    """The share that ``MANY`` workers are busy if the driver's work is all that they wait for."""
    total = ROUNDS * networks
    alone = total * (driver.handing + driver.recording)  # one after the other, whatever else is
    return float(_drawn(times, total, 0).sum()) / (MANY * alone) if alone else 1.0
