"""How long a forward pass takes: a median, and when it is known well enough."""

from collections.abc import Callable, Sequence
from math import sqrt
from time import get_clock_info, perf_counter, thread_time

import numpy as np

from pelnas.architecture import Shape
from pelnas.config import Measurement
from pelnas.runtimes.base import Pass

FINE_SECONDS = 1e-5  # a coarser clock of thread time cannot time a pass
KNOWN = 0.03  # width of the median's 95 % interval, relative to it, at which timing ends
MOST = 10  # times ``repeats`` that are timed at most until then
_SIGMAS = 1.96  # of 95 % of a normal distribution


def clock(threads: int) -> tuple[str, Callable[[], float]]:
    """``thread`` or ``wall``, and the clock in seconds.

    With one thread a pass is timed by the processor time of its thread: what it takes when
    nothing else wants the core. On a busy machine wall time says who else was running (on two
    shared cores repeated medians of wall time differed by 22 % and ranked the cells at
    a Spearman of 0.53 with each other; those of thread time by 2.6 % and 0.985;
    undisturbed passes have both equal within 0.1 %). With several threads, or
    on a system without a fine clock of thread time, it is wall time.
    """
    fine = get_clock_info("thread_time").resolution <= FINE_SECONDS
    return ("thread", thread_time) if threads == 1 and fine else ("wall", perf_counter)


def latency(run: Pass, shape: Shape, measurement: Measurement) -> tuple[float, float]:
    """Median and interquartile range in ms of a forward pass over ``batch`` random images."""
    pixels = (measurement.batch, *shape.pixels)
    images = np.random.default_rng(0).standard_normal(pixels, np.float32)
    _, now = clock(measurement.threads)
    low, median, high = np.percentile(
        milliseconds(lambda: run(images), measurement, now), [25, 50, 75]
    )
    return float(median), float(high - low)


def milliseconds(
    once: Callable[[], object], measurement: Measurement, now: Callable[[], float]
) -> list[float]:
    """Of each pass that counts, after ``warmup`` passes that do not.

    ``repeats`` passes, and then as many again and again until the 95 % interval of their median
    is at most ``KNOWN`` of it, or ``MOST * repeats`` are timed.
    """
    for _ in range(measurement.warmup):
        once()
    times: list[float] = []
    while len(times) < MOST * measurement.repeats:
        times += _timed(once, measurement.repeats, now)
        low, median, high = interval(times)
        if high - low <= KNOWN * median:
            break
    return times


def _timed(once: Callable[[], object], passes: int, now: Callable[[], float]) -> list[float]:
    times = []
    for _ in range(passes):
        start = now()
        once()
        times.append(1000 * (now() - start))
    return times


def interval(times: Sequence[float]) -> tuple[float, float, float]:
    """(low, median, high): the median and its 95 % interval by order statistics.

    Of ranks n/2 -+ 0.98 sqrt(n), the normal approximation of the binomial distribution
    (Conover, Practical Nonparametric Statistics, 1999, section 3.2); all of few times.
    """
    ordered = sorted(times)
    count = len(ordered)
    reach = _SIGMAS * sqrt(count) / 2
    low = max(0, int(count / 2 - reach))
    high = min(count - 1, int(count / 2 + reach))
    return ordered[low], float(np.median(ordered)), ordered[high]
