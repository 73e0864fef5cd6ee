"""How long forward passes take: medians, and when they are known well enough."""

from collections.abc import Callable, Sequence
from math import sqrt
from statistics import median
from time import get_clock_info, perf_counter, thread_time

import numpy as np

from pelnas.config import Measurement

Once = Callable[[], object]  # one forward pass
Clock = tuple[str, Callable[[], float]]  # its name, and what tells its seconds

FINE_SECONDS = 1e-5  # a coarser clock of thread time cannot time a pass
KNOWN = 0.03  # width of the median's 95 % interval, relative to it, at which timing ends
MOST = 3  # times ``repeats`` that are timed at most until then
_SIGMAS = 1.96  # of 95 % of a normal distribution


def clock(threads: int) -> Clock:
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


def relative_times(
    passes: Sequence[Once],
    reference: Once | None,
    measurement: Measurement,
    now: Callable[[], float],
) -> tuple[list[list[float]], list[float]]:
    """Time several networks in alternation with a reference network, after ``warmup`` passes each.

    First, for each of ``passes``, its times relative to the reference; second, the milliseconds
    of the reference's passes. Without a reference the former are milliseconds, and there are
    none of the latter.

    A sweep times each network once, and the reference before it; a network's time counts
    relative to the median of the reference in the same sweep. So a clock that drifts from
    second to second (frequency, other guests of a host) cancels out, and the passes of a network
    are spread over the time of all. ``repeats`` sweeps, and then as many again and again
    for the networks whose median is not yet known (``is_known``), ``MOST * repeats`` at most.
    """
    for once in (*passes, *([reference] if reference else [])):
        for _ in range(measurement.warmup):
            once()
    found: list[list[float]] = [[] for _ in passes]
    own: list[float] = []
    unknown = list(range(len(passes)))
    for _ in range(MOST):
        for _ in range(measurement.repeats):
            times, beside = _sweep([passes[place] for place in unknown], reference, now)
            level = median(beside) if beside else 1.0
            own += beside
            for place, time in zip(unknown, times, strict=True):
                found[place].append(time / level)
        unknown = [place for place in unknown if not is_known(found[place])]
        if not unknown:
            break
    return found, own


def _sweep(
    passes: Sequence[Once], reference: Once | None, now: Callable[[], float]
) -> tuple[list[float], list[float]]:
    """Milliseconds of one pass each, and of the reference before each."""
    times, beside = [], []
    for once in passes:
        if reference is not None:
            beside.append(_timed(reference, now))
        times.append(_timed(once, now))
    return times, beside


def _timed(once: Once, now: Callable[[], float]) -> float:
    start = now()
    once()
    return 1000 * (now() - start)


def is_known(times: Sequence[float]) -> bool:
    """Whether the 95 % interval of the median is at most ``KNOWN`` of it."""
    low, middle, high = interval(times)
    return high - low <= KNOWN * middle


def middle(times: Sequence[float]) -> tuple[float, float]:
    """Median and interquartile range."""
    low, half, high = np.percentile(times, [25, 50, 75])
    return float(half), float(high - low)


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
