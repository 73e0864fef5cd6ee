"""A pass is timed until its median is known."""

from collections.abc import Callable, Iterator
from itertools import cycle

import numpy as np
import pytest
from scipy.stats import binom

from pelnas.config import Measurement
from pelnas.runtimes.timing import MOST, clock, interval, middle, relative_times


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
    (times,), beside = relative_times(
        [lambda: None], None, Measurement(warmup=2, repeats=20), Clock(passes)
    )
    assert beside == []
    return times


def test_steady_passes_are_timed_no_more_than_asked() -> None:
    assert timed(iter([0.002] * 20)) == pytest.approx([2.0] * 20)


def test_restless_passes_are_timed_until_the_median_is_known() -> None:
    rng = np.random.default_rng(0)
    times = timed(iter(rng.lognormal(-6, 0.04, 200)))
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
    (times,), _ = relative_times(
        [lambda: made.append(1)], None, Measurement(warmup=7, repeats=6), Clock(iter([1.0] * 6))
    )
    assert (len(made), len(times)) == (13, 6)


class Drifting:
    """A machine whose every pass takes longer by a factor that wanders, for all networks alike."""

    def __init__(self, seed: int) -> None:
        self._rng, self.now, self._level = np.random.default_rng(seed), 0.0, 0.0

    def network(self, milliseconds: float) -> Callable[[], None]:
        def once() -> None:
            self._level += float(self._rng.normal(0, 0.05))
            self.now += milliseconds / 1000 * float(np.exp(self._level))

        return once


@pytest.mark.parametrize("seed", range(5))
def test_a_drift_that_hits_all_alike_cancels_out(seed: int) -> None:
    machine = Drifting(seed)
    wanted = [3.0, 3.3, 12.0]
    found, beside = relative_times(
        list(map(machine.network, wanted)),
        machine.network(2.0),
        Measurement(warmup=1, repeats=30),
        lambda: machine.now,
    )
    assert [middle(times)[0] for times in found] == pytest.approx([1.5, 1.65, 6.0], rel=0.05)
    assert max(beside) > 1.3 * min(beside)  # and it did drift


def test_the_reference_is_timed_beside_each_network() -> None:
    made: list[str] = []
    passes = [lambda name=name: made.append(name) for name in "ab"]
    found, beside = relative_times(
        passes,
        lambda: made.append("r"),
        Measurement(warmup=1, repeats=6),
        Clock(iter([1.0] * 100)),
    )
    assert "".join(made) == "abr" + "rarb" * 6
    assert found == [[1.0] * 6, [1.0] * 6]
    assert beside == [1000.0] * 12


def test_what_is_known_is_timed_no_longer() -> None:
    """The first network is steady; the second takes 1 and 2 ms in turn, which no median settles."""
    made: list[str] = []
    restless = cycle([1e-3, 2e-3])
    spent = iter(lambda: 1e-3 if made[-1] == "a" else next(restless), None)
    found, _ = relative_times(
        [lambda: made.append("a"), lambda: made.append("b")],
        None,
        Measurement(warmup=1, repeats=10),
        Clock(spent),
    )
    assert [len(times) for times in found] == [10, 10 * MOST]


def test_middle_is_median_and_interquartile_range() -> None:
    assert middle([1.0, 2.0, 3.0, 4.0, 9.0]) == (3.0, 2.0)


def test_one_thread_is_timed_by_its_own_time() -> None:
    assert clock(2)[0] == "wall"
    assert clock(1)[0] in ("thread", "wall")
