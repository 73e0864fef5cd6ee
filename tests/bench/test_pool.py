"""The simulation of many workers by laws that it must obey, and two pools side by side."""

from pathlib import Path

import pytest
from fakes import PoolHere

from pelnas.architecture import Shape
from pelnas.bench.pool import Driver, compared, enough, recording_seconds, simulated
from pelnas.images import load_images
from pelnas.proxies.worker import Job, work_of
from pelnas.spaces import get_space

FREE = Driver(0.0, 0.0, 0.0)


def test_one_worker_and_a_free_driver_are_as_fast_as_the_networks() -> None:
    found = simulated([0.5], FREE, workers=1, networks=20)
    assert found.a_second == pytest.approx(2)
    assert (found.busy, found.driver) == (pytest.approx(1), 0)
    assert found.limit == "workers"


def test_workers_share_a_round_and_wait_for_its_last_network() -> None:
    found = simulated([1.0], FREE, workers=8, networks=12, rounds=3)
    assert found.a_second == pytest.approx(12 / 2)  # two turns a round, the second half empty
    assert found.busy == pytest.approx(0.75)
    assert found.limit == "rounds"


def test_a_round_that_is_ahead_fills_the_gap() -> None:
    found = simulated([1.0], FREE, workers=8, networks=12, rounds=30, ahead=1)
    assert found.busy > 0.95
    assert found.limit == "workers"


def test_rounds_that_overlap_keep_many_workers_busy_when_they_are_smaller() -> None:
    driver = Driver(0.0, 0.0, 1.0)
    alone, overlapping = (enough([1.0], driver, ahead) for ahead in (0, 1))
    assert (alone, overlapping) == (600, 100)
    assert enough([0.001], Driver(0.0, 0.01, 0.0), 1) is None


def test_a_driver_is_no_faster_than_its_own_work() -> None:
    slow = Driver(handing=0.01, recording=0.03, designing=0.0)
    found = simulated([1.0], slow, workers=1_000, networks=5_000)
    assert found.a_second == pytest.approx(1 / 0.04, rel=0.05)
    assert found.limit == "driver"


def test_designing_is_waited_for_between_rounds() -> None:
    found = simulated([1.0], Driver(0.0, 0.0, 2.0), workers=4, networks=4, rounds=5)
    assert found.a_second == pytest.approx(4 / 3)


def test_two_pools_are_compared_by_every_value() -> None:
    space, batch = get_space("tiny"), load_images(None, 8).batch(8, 0)
    job = Job("tiny", ("params", "nwot"), Shape.square(10, 8), seed=0, threads=1)
    texts = [space.format(space.at(index)) for index in range(16)]
    found = compared([PoolHere(), PoolHere()], work_of(job, *batch), texts, 2)
    assert found.equal
    assert [one.networks for one in found.throughputs] == [16, 16]
    assert len(found.times) == 32
    assert found.ratio > 0


def test_storing_is_timed_in_a_run_of_its_own(tmp_path: Path) -> None:
    assert recording_seconds(tmp_path) > 0
