"""Networks are timed in groups, on the scale of one reference network."""

from collections.abc import Sequence
from contextlib import ExitStack, contextmanager
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from pelnas.architecture import Shape
from pelnas.cache import Cache
from pelnas.config import Measurement
from pelnas.runtimes import Runtime
from pelnas.runtimes.timer import FEWEST, SESSIONS, TOGETHER, WORK, Loaded, Timer, groups

SHAPE = Shape.square(10, 8)
FEW = Measurement(warmup=1, repeats=10)


class Machine:
    """A machine whose clock moves on by what its networks take, times how slow it is at present."""

    def __init__(self) -> None:
        self.now, self.slowness = 0.0, 1.0

    def network(self, milliseconds: float) -> Loaded:
        def run(images: Any) -> Any:
            self.now += self.slowness * milliseconds / 1000
            return np.zeros((len(images), 10), np.float32)

        return Loaded(run, SHAPE)


class Made(Runtime):
    """A runtime of that machine, on which the reference takes half a millisecond."""

    name, title, versions = "made", "Made", {"made": "1"}

    def __init__(self, machine: Machine) -> None:
        self._machine = machine
        self.clock = lambda _: ("made", lambda: machine.now)

    @contextmanager
    def loaded(self, *_: Any) -> Any:
        yield self._machine.network(0.5).run


@pytest.fixture
def machine() -> Machine:
    return Machine()


@pytest.fixture
def cache(tmp_path: Path) -> Cache:
    return Cache(tmp_path / "cache.sqlite")


def latency(timer: Timer, machine: Machine, milliseconds: float) -> float:
    ((found, _),) = timer.latencies([machine.network(milliseconds)])
    return found


def test_a_machine_that_is_slower_now_gives_the_latencies_of_before(
    machine: Machine, cache: Cache
) -> None:
    assert latency(Timer(Made(machine), FEW, cache), machine, 3) == pytest.approx(3)
    machine.slowness = 1.4
    later = Timer(Made(machine), FEW, cache)
    assert latency(later, machine, 3) == pytest.approx(3)
    ((alone, _),) = later.plain([machine.network(3)])
    assert alone == pytest.approx(4.2)


def test_another_way_to_measure_has_a_reference_of_its_own(machine: Machine, cache: Cache) -> None:
    latency(Timer(Made(machine), FEW, cache), machine, 3)
    machine.slowness = 2
    other = FEW.model_copy(update={"repeats": 6})
    assert latency(Timer(Made(machine), other, cache), machine, 3) == pytest.approx(6)


def test_a_runtime_that_holds_one_network_is_timed_without_reference(
    machine: Machine, cache: Cache
) -> None:
    runtime = Made(machine)
    runtime.alternates = False
    for slowness in (1, 2):
        machine.slowness = slowness
        found = latency(Timer(runtime, FEW, cache), machine, 3)
        assert found == pytest.approx(3 * slowness)


def test_groups_keep_the_order_and_end_within_seconds() -> None:
    light = list(range(2 * TOGETHER + 1))
    assert groups(light, lambda _: 1.0) == [
        light[:TOGETHER],
        light[TOGETHER : 2 * TOGETHER],
        light[2 * TOGETHER :],
    ]
    assert groups([0.4, 0.5, 0.2, 3.0, 0.1], lambda share: share * WORK) == [
        [0.4, 0.5],
        [0.2],
        [3.0],
        [0.1],
    ]
    assert groups([], float) == []


class Placed:
    """Networks that are slower or faster by where they are loaded, each time somewhere else."""

    def __init__(self, machine: Machine, milliseconds: list[float]) -> None:
        self._machine, self._milliseconds = machine, milliseconds
        self.loads = [0] * len(milliseconds)
        self.groups: list[list[int]] = []
        self.passes = 0

    def load(self, places: Sequence[int], _: ExitStack) -> list[Loaded]:
        self.groups.append(list(places))
        return [self._loaded(place) for place in places]

    def _loaded(self, place: int) -> Loaded:
        luck = (0.8, 1.0, 1.3, 1.0, 1.0)[(self.loads[place] + place) % SESSIONS]
        self.loads[place] += 1
        network = self._machine.network(luck * self._milliseconds[place])

        def run(images: Any) -> Any:
            self.passes += 1
            return network.run(images)

        return Loaded(run, SHAPE)


def test_over_sessions_the_luck_of_one_place_in_memory_cancels_out(
    machine: Machine, cache: Cache
) -> None:
    wanted = [1.0 + place / 50 for place in range(TOGETHER + 3)]
    networks = Placed(machine, wanted)
    timer = Timer(Made(machine), Measurement(warmup=1, repeats=30), cache)
    found = timer.over_sessions(range(len(wanted)), lambda _: 1.0, networks.load)
    assert [latency for latency, _ in found] == pytest.approx(wanted)
    assert networks.loads == [SESSIONS] * len(wanted)
    assert len({tuple(group) for group in networks.groups}) == 2 * SESSIONS
    assert networks.passes == len(wanted) * SESSIONS * (1 + FEWEST)


def test_a_runtime_that_holds_one_network_has_one_session(machine: Machine, cache: Cache) -> None:
    runtime = Made(machine)
    runtime.alternates = False
    networks = Placed(machine, [1.0, 2.0])
    Timer(runtime, FEW, cache).over_sessions(range(2), lambda _: 1.0, networks.load)
    assert networks.loads == [1, 1]
