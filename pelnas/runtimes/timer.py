"""Latencies of networks on this machine, timed beside a reference network."""

import platform
from collections.abc import Callable, Sequence
from contextlib import ExitStack
from dataclasses import dataclass
from functools import lru_cache
from pathlib import Path
from statistics import median
from typing import TypeVar

import numpy as np

from pelnas.architecture import Shape
from pelnas.cache import Cache, Key, cache_key, is_number
from pelnas.config import Measurement
from pelnas.runtimes.base import Pass, Runtime
from pelnas.runtimes.deployed import Deployed
from pelnas.runtimes.timing import Once, middle, relative_times
from pelnas.spaces import get_space

T = TypeVar("T")

TOGETHER = 12  # networks at most that are timed in alternation
SESSIONS = 5  # in which networks are timed whose order matters, each with its share of the passes
FEWEST = 10  # passes of a session at least, unless fewer are asked for in all
WORK = 2e9  # multiply-accumulates of these together, so that a group ends within seconds
METHOD = 1  # version of the reference and of how it is timed
#: A small network with each kind of operation: of those tried it follows best how a disturbance
#: slows down others, large and small.
_SPACE, _CELL = "nasbench201", (2, 1, 0, 3, 4, 1)
_SHAPE = Shape.square(10, 32)


@dataclass(frozen=True)
class Loaded:
    """A network that is ready to run; ``shape`` of one of its input images."""

    run: Pass
    shape: Shape

    def once(self, batch: int) -> Once:
        """A pass over so many random images, the same each time."""
        pixels = (batch, *self.shape.pixels)
        images = np.random.default_rng(0).standard_normal(pixels, np.float32)
        return lambda: self.run(images)


class Timer:
    """Times networks by one runtime, as ``pelnas.runtimes.timing`` describes.

    Latencies are milliseconds: a network's time relative to the reference network, times the
    reference's own latency. That is established once for a machine, runtime, number
    of threads and way to measure, when the first networks are timed, and kept in the cache; so
    latencies from different hours compare, though the clock may have drifted between.
    """

    def __init__(self, runtime: Runtime, measurement: Measurement, cache: Cache) -> None:
        self._runtime, self._measurement, self._cache = runtime, measurement, cache
        self.clock, self._now = runtime.clock(measurement.threads)

    def measure(self, networks: Sequence[Deployed]) -> list[tuple[float, float]]:
        """Load these and time them together, see ``latencies``. DeviceError: see ``Runtime``."""
        with ExitStack() as held:
            return self.latencies(self.loaded(networks, held))

    def loaded(self, networks: Sequence[Deployed], held: ExitStack) -> list[Loaded]:
        """Ready to run until ``held`` is closed. DeviceError: see ``Runtime``."""
        threads = self._measurement.threads
        return [
            Loaded(held.enter_context(self._runtime.loaded(each, threads, self._cache)), each.input)
            for each in networks
        ]

    def over_sessions(
        self,
        networks: Sequence[T],
        work: Callable[[T], float],
        load: Callable[[Sequence[T], ExitStack], list[Loaded]],
    ) -> list[tuple[float, float]]:
        """Median and interquartile range in ms of each: the medians of those of several sessions.

        Where a network lies in memory, and which others it runs in turn with, makes it some
        percent faster or slower for as long as it stays loaded, however often it is timed. So
        each session loads all anew, in another order and other groups (``work``: as in
        ``groups``). Where the runtime holds one network at a time, there is one session.
        """
        found: list[list[tuple[float, float]]] = [[] for _ in networks]
        asked = self._measurement.repeats
        passes = min(asked, max(FEWEST, asked // SESSIONS))
        for session in range(SESSIONS if self._runtime.alternates else 1):
            order = np.random.default_rng(session).permutation(len(networks)).tolist()
            for group in groups(order, lambda place: work(networks[place])):
                with ExitStack() as held:
                    loaded = load([networks[place] for place in group], held)
                    timings = self.latencies(loaded, passes)
                for place, timing in zip(group, timings, strict=True):
                    found[place].append(timing)
        return [
            (median(half for half, _ in each), median(spread for _, spread in each))
            for each in found
        ]

    def latencies(
        self, networks: Sequence[Loaded], repeats: int | None = None
    ) -> list[tuple[float, float]]:
        """Median and interquartile range in ms of each, all timed in alternation.

        ``repeats``: instead of the measurement's.
        """
        if not self._runtime.alternates:
            return self.plain(networks)
        measurement = self._measurement
        if repeats is not None:
            measurement = measurement.model_copy(update={"repeats": repeats})
        passes = [network.once(measurement.batch) for network in networks]
        with self._runtime.loaded(reference(), measurement.threads, self._cache) as run:
            beside = Loaded(run, _SHAPE).once(1)
            found, own = relative_times(passes, beside, measurement, self._now)
        level = self._reference_ms(own)
        return [(level * half, level * spread) for half, spread in map(middle, found)]

    def plain(self, networks: Sequence[Loaded]) -> list[tuple[float, float]]:
        """The same without reference, one network after the other: what drift does to it."""
        return [middle(self._alone(each.once(self._measurement.batch))) for each in networks]

    def _alone(self, once: Once) -> list[float]:
        ((times,), _) = relative_times([once], None, self._measurement, self._now)
        return times

    def _reference_ms(self, times: Sequence[float]) -> float:
        """The kept latency of the reference; that of these passes if there is none yet."""
        key = self._key()
        kept = self._cache.get_many([key], _is_latency).get(key)
        if kept is None:
            kept = median(times)
            self._cache.put(key, kept)
        return float(kept)

    def _key(self) -> Key:
        measurement = self._measurement
        return cache_key(
            "reference latency",
            method=METHOD,
            runtime=self._runtime.name,
            **self._runtime.versions,
            processor=self._runtime.processor or processor(),
            clock=self.clock,
            threads=measurement.threads,
            warmup=measurement.warmup,
            repeats=measurement.repeats,
        )


@lru_cache(maxsize=1)
def reference() -> Deployed:
    """The network that all others are timed beside."""
    space = get_space(_SPACE)
    return Deployed(space, space.of(_CELL), _SHAPE)


def groups(networks: Sequence[T], work: Callable[[T], float]) -> list[list[T]]:
    """Networks in order, cut into those that are timed in alternation.

    ``work``: multiply-accumulates of a pass of one; at most ``TOGETHER`` networks and ``WORK``,
    unless one alone has more.
    """
    found: list[list[T]] = []
    total = 0.0
    for network in networks:
        own = work(network)
        if not found or len(found[-1]) == TOGETHER or total + own > WORK:
            found.append([])
            total = 0.0
        found[-1].append(network)
        total += own
    return found


def _is_latency(value: object) -> bool:
    return is_number(value, 0) and value != 0


def processor() -> str:
    """The model of this machine's processor, as far as the system reports it."""
    info = Path("/proc/cpuinfo")
    if info.is_file():
        for line in info.read_text(encoding="utf-8", errors="replace").splitlines():
            if line.startswith("model name"):
                return line.partition(":")[2].strip()
    return platform.processor() or platform.machine()
