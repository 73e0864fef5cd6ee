"""This machine measures what it builds, once, and leaves torch as it was."""

from collections.abc import Sequence
from pathlib import Path
from typing import Any

import pytest
import torch

from pelnas.architecture import Architecture, Cost, Shape
from pelnas.cache import Cache, cache_key
from pelnas.config import Measurement
from pelnas.devices.host import HostDevice, processor
from pelnas.runtimes.deployed import Deployed
from pelnas.runtimes.timer import TOGETHER, Timer
from pelnas.spaces import get_space
from pelnas.spaces.nasbench201 import NasBench201
from pelnas.spaces.tiny import Tiny

FEW = Measurement(warmup=1, repeats=5)
EAGER = Measurement(runtime="torch", warmup=1, repeats=5)  # it builds what it measures


class Counting(Tiny):
    """The tiny space, which counts the networks that are built."""

    def __init__(self) -> None:
        super().__init__()
        self.built: list[Architecture] = []

    def build(self, architecture: Architecture, shape: Shape) -> torch.nn.Module:
        self.built.append(architecture)
        return super().build(architecture, shape)


@pytest.fixture
def cache(tmp_path: Path) -> Cache:
    return Cache(tmp_path / "cache.sqlite")


def test_a_bigger_network_takes_longer(cache: Cache) -> None:
    space = NasBench201()
    empty, full = space.of((0,) * 6), space.of((3,) * 6)
    small, large = HostDevice(space, Shape.square(10, 32), FEW, cache).costs([empty, full])
    assert small.latency_ms is not None
    assert large.latency_ms is not None
    assert 0 < small.latency_ms < large.latency_ms  # 8 against 220 million multiplications
    assert small.spread_ms >= 0
    assert small.energy_mj is None


def test_a_measurement_is_made_once_and_kept(cache: Cache) -> None:
    space = Counting()
    wanted = [space.at(n) for n in (3, 7, 3)]
    first = list(HostDevice(space, Shape.square(10, 16), FEW, cache).costs(wanted))
    assert space.built == wanted[:2]
    assert first[0] == first[2]
    again = list(HostDevice(space, Shape.square(10, 16), FEW, cache).costs(wanted))
    assert again == first
    assert len(space.built) == 2


@pytest.mark.parametrize(
    ("classes", "resolution", "measurement"),
    [
        (11, 16, EAGER),
        (10, 24, EAGER),
        (10, 16, FEW),
        (10, 16, EAGER.model_copy(update={"warmup": 2})),
        (10, 16, EAGER.model_copy(update={"repeats": 6})),
        (10, 16, EAGER.model_copy(update={"batch": 2})),
        (10, 16, EAGER.model_copy(update={"threads": 2})),
    ],
)
def test_whatever_changes_the_measurement_is_measured_anew(
    cache: Cache, classes: int, resolution: int, measurement: Measurement
) -> None:
    space = Counting()
    list(HostDevice(space, Shape.square(10, 16), EAGER, cache).costs([space.at(3)]))
    list(
        HostDevice(space, Shape.square(classes, resolution), measurement, cache).costs(
            [space.at(3)]
        )
    )
    assert len(space.built) == 2


def test_a_group_of_costs_comes_as_soon_as_it_is_known(cache: Cache) -> None:
    space = Counting()
    wanted = [space.at(n) for n in range(TOGETHER + 3)]
    costs = HostDevice(space, Shape.square(10, 16), FEW, cache).costs(wanted)
    assert isinstance(next(costs), Cost)
    assert space.built == wanted[:TOGETHER]  # and they are kept, should nobody ask for the rest
    again = HostDevice(space, Shape.square(10, 16), FEW, cache).costs(wanted[:TOGETHER])
    assert all(cost.feasible for cost in again)
    assert len(space.built) == TOGETHER
    assert all(cost.feasible for cost in costs)
    assert space.built == wanted


def test_what_is_confirmed_is_measured_anew_and_replaces_the_first_measurement(
    cache: Cache, monkeypatch: pytest.MonkeyPatch
) -> None:
    timed: list[list[Architecture]] = []
    over_sessions = Timer.over_sessions

    def noted(timer: Timer, networks: Sequence[Deployed], *how: Any) -> Any:
        timed.append([each.architecture for each in networks])
        return over_sessions(timer, networks, *how)

    monkeypatch.setattr(Timer, "over_sessions", noted)
    space = get_space("tiny")
    one, other, third = (space.at(n) for n in (3, 7, 11))

    def device() -> HostDevice:
        return HostDevice(space, Shape.square(10, 16), FEW, cache)

    first = list(device().costs([one, other]))
    (found,) = device().confirm([one], [other, one, third])
    assert timed == [[one, other, third]]  # the others keep it company
    assert found != first[0]
    assert list(device().costs([one, other])) == [found, first[1]]
    assert list(device().confirm([one])) == [found]
    assert len(timed) == 1


def test_a_full_group_needs_no_company(cache: Cache, monkeypatch: pytest.MonkeyPatch) -> None:
    timed: list[int] = []

    def counted(_: Timer, networks: Sequence[Deployed], *how: Any) -> Any:
        timed.append(len(networks))
        return [(1.0, 0.0)] * len(networks)

    monkeypatch.setattr(Timer, "over_sessions", counted)
    space = get_space("tiny")
    device = HostDevice(space, Shape.square(10, 16), FEW, cache)
    networks = [space.at(n) for n in range(2 * TOGETHER)]
    assert list(device.confirm(networks[:TOGETHER], networks)) == [Cost(1.0, 0.0)] * TOGETHER
    assert timed == [TOGETHER]
    assert device.confirms
    eager = Measurement(runtime="torch-compile")
    assert not HostDevice(space, Shape.square(10, 16), eager, cache).confirms


@pytest.mark.parametrize("threads", [1, 2])
def test_threads_random_state_and_gradients_are_as_before(cache: Cache, threads: int) -> None:
    space = get_space("tiny")
    before, state = torch.get_num_threads(), torch.get_rng_state()
    measurement = Measurement(warmup=1, repeats=2, threads=threads)
    list(HostDevice(space, Shape.square(10, 16), measurement, cache).costs([space.at(9)]))
    assert torch.get_num_threads() == before
    assert torch.equal(torch.get_rng_state(), state)
    assert torch.is_grad_enabled()
    assert not torch.is_inference_mode_enabled()


def test_threads_are_as_before_when_a_network_fails(cache: Cache) -> None:
    class Failing(Tiny):
        def build(self, *arguments: object) -> torch.nn.Module:
            return torch.nn.Linear(3, 3)  # does not fit images

    before = torch.get_num_threads()
    measurement = Measurement(threads=before + 1)
    with pytest.raises(RuntimeError, match="shapes"):
        list(HostDevice(Failing(), Shape.square(10, 16), measurement, cache).costs([Tiny().at(0)]))
    assert torch.get_num_threads() == before


def test_its_source_says_how_it_was_measured(cache: Cache) -> None:
    one = HostDevice(get_space("tiny"), Shape.square(10, 16), FEW, cache)
    two = HostDevice(get_space("tiny"), Shape.square(10, 16), Measurement(threads=2), cache)
    assert one.name == "host"
    assert f"measured on this machine ({processor()}, ONNX Runtime " in one.source
    assert ", 1 thread, " in one.source
    assert two.source.endswith(", 2 threads, wall time)")
    eager = HostDevice(get_space("tiny"), Shape.square(10, 16), EAGER, cache)
    assert f"PyTorch {torch.__version__}, 1 thread" in eager.source


def test_another_measurement_of_a_network_needs_no_other_export(cache: Cache) -> None:
    space = Counting()
    first, second = (Measurement(warmup=1, repeats=repeats) for repeats in (5, 6))
    list(HostDevice(space, Shape.square(10, 16), first, cache).costs([space.at(3)]))
    list(HostDevice(space, Shape.square(10, 16), second, cache).costs([space.at(3)]))
    assert len(space.built) == 1


def test_what_torch_measured_for_an_earlier_release_still_counts(cache: Cache) -> None:
    space = Counting()
    device = HostDevice(space, Shape.square(10, 16), EAGER, cache)
    key = cache_key(  # as release 0.1.0 made it
        "host latency",
        method=1,
        space="tiny",
        architecture=space.format(space.at(3)),
        classes=10,
        resolution=16,
        torch=torch.__version__,
        processor=processor(),
        clock="thread" if "thread time" in device.source else "wall",
        code=space.code,
        batch=1,
        threads=1,
        warmup=1,
        repeats=5,
    )
    cache.put(key, [12.5, 0.5])
    assert list(device.costs([space.at(3)])) == [Cost(12.5, 0.5)]
    assert not space.built
