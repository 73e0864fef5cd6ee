"""A pass is timed until its median is known."""

from collections.abc import Iterator

import numpy as np
import pytest
from scipy.stats import binom

from pelnas.config import Measurement
from pelnas.runtimes.timing import MOST, clock, interval, milliseconds


class Clock:
    """A clock that moves on by so many seconds a pass; each is read twice."""

    def __init__(self, passes: Iterator[float]) -> None:
        self._passes, self._now, self._reads = passes, 0.0, 0

    def __call__(self) -> float:
        self._reads += 1
        if self._reads % 2 == 0:
            self._now += next(self._passes)
        return self._now


def timed(passes: Iterator[float]) -> list[float]:
    return milliseconds(lambda: None, Measurement(warmup=2, repeats=20), Clock(passes))


def test_steady_passes_are_timed_no_more_than_asked() -> None:
    assert timed(iter([0.002] * 20)) == pytest.approx([2.0] * 20)


def test_restless_passes_are_timed_until_the_median_is_known() -> None:
    rng = np.random.default_rng(0)
    times = timed(iter(rng.lognormal(-6, 0.06, 200)))
    low, median, high = interval(times)
    assert 20 < len(times) < 20 * MOST
    assert high - low <= 0.03 * median
    low, median, high = interval(times[:-20])
    assert high - low > 0.03 * median


def test_there_is_a_cap() -> None:
    rng = np.random.default_rng(0)
    assert len(timed(iter(rng.lognormal(-6, 2, 1000)))) == 20 * MOST


@pytest.mark.parametrize("count", [20, 57, 300])
def test_the_interval_holds_the_median_as_often_as_it_says(count: int) -> None:
    """Of the binomial distribution: how often the true median lies between the two ranks."""
    low, _, high = interval(list(map(float, range(count))))
    held = binom.cdf(high, count, 0.5) - binom.cdf(low, count, 0.5)
    assert 0.93 <= held <= 0.98


def test_of_few_times_the_interval_is_all() -> None:
    assert interval([3.0, 1.0]) == (1.0, 2.0, 3.0)


def test_warm_up_passes_are_made_and_not_counted() -> None:
    made = []
    times = milliseconds(
        lambda: made.append(1), Measurement(warmup=7, repeats=6), Clock(iter([1.0] * 6))
    )
    assert (len(made), len(times)) == (13, 6)


def test_one_thread_is_timed_by_its_own_time() -> None:
    assert clock(2)[0] == "wall"
    assert clock(1)[0] in ("thread", "wall")
