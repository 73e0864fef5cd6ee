"""No network is on the front for a latency that was lucky."""

from collections.abc import Callable, Iterator, Sequence
from pathlib import Path
from typing import Any

import pytest

from pelnas import Search, SearchConfig
from pelnas.architecture import Architecture, Cost
from pelnas.devices.base import Device
from pelnas.errors import DeviceError
from pelnas.graph.runs.replay import replay
from pelnas.recording import Recording
from pelnas.report import front_points
from pelnas.spaces import get_space
from pelnas.store import RunStore

Settings = Callable[..., SearchConfig]
SPACE = get_space("tiny")


class Lucky(Device):
    """A device whose first measurements are off by up to a half; confirmed ones are exact."""

    name, source, measures, confirms = "lucky", "made up", True, True

    def __init__(self) -> None:
        self.measured: list[str] = []
        self.confirmed: list[str] = []

    def costs(self, architectures: Sequence[Architecture]) -> Iterator[Cost]:
        for each in architectures:
            text = SPACE.format(each)
            self.measured.append(text)
            yield Cost(exact(text) * (0.5 + (7 * SPACE.index(each) % 11) / 10))

    def confirm(
        self, architectures: Sequence[Architecture], company: Sequence[Architecture] = ()
    ) -> Iterator[Cost]:
        assert not set(architectures) & set(company)
        self.confirmed += map(SPACE.format, architectures)
        yield from (Cost(exact(SPACE.format(each))) for each in architectures)


def exact(text: str) -> float:
    features = SPACE.features(SPACE.parse(text))
    return 1 + 3 * features["nor_conv_3x3"] + features["nor_conv_1x1"]


@pytest.fixture
def device(monkeypatch: pytest.MonkeyPatch) -> Lucky:
    made = Lucky()
    monkeypatch.setattr("pelnas.graph.session.problem.get_device", lambda *_: made)
    return made


@pytest.fixture
def settings(toy: Settings, tmp_path: Path) -> Settings:
    def made(**changes: Any) -> SearchConfig:
        return toy(tmp_path, **({"device": "host", "rounds": 3, "per_niche": 6} | changes))

    return made


def test_what_is_on_the_front_was_confirmed_once_and_the_rest_was_not(
    settings: Settings, device: Lucky
) -> None:
    with RunStore.read(Search(settings()).run().folder) as store:
        front = [point.architecture for point in front_points(store)]
        assert {p.architecture: p.latency_ms for p in front_points(store)} == {
            text: exact(text) for text in front
        }
        assert set(front) <= set(device.confirmed)
        assert len(device.confirmed) == len(set(device.confirmed)) < len(device.measured)
        evaluated = [e.candidate.architecture for e in store.evaluations()]
        assert sorted(device.measured) == sorted(evaluated)
        assert store.ignored() == 0


def test_a_replay_finds_the_same_front(settings: Settings, device: Lucky, tmp_path: Path) -> None:
    folder = Search(settings()).run().folder
    asked = len(device.confirmed)
    with RunStore.read(folder) as store:
        again = replay(Recording(store), tmp_path / "again")
    assert again.same_front
    assert again.same_rules
    assert len(device.confirmed) == asked


def test_what_a_directive_decided_by_is_not_measured_again(
    settings: Settings, device: Lucky
) -> None:
    with RunStore.read(Search(settings(limits=("latency<=4",))).run().folder) as store:
        assert all(point.latency_ms <= 4 for point in front_points(store))
        for evaluation in store.evaluations():
            assert store.measured(evaluation.candidate.architecture) == evaluation.cost
    assert not device.confirmed


def test_where_latency_is_no_objective_nothing_is_confirmed(
    settings: Settings, device: Lucky
) -> None:
    Search(settings(objectives=("parameters",))).run()
    assert not device.confirmed


def test_a_search_that_was_stopped_while_it_measured_goes_on_to_a_confirmed_front(
    settings: Settings, device: Lucky, monkeypatch: pytest.MonkeyPatch
) -> None:
    search, costs = Search(settings(rounds=2)), device.costs

    def stopping(architectures: Sequence[Architecture]) -> Iterator[Cost]:
        for place, cost in enumerate(costs(architectures)):
            if place == 3:
                search.session.stop()
            yield cost

    monkeypatch.setattr(device, "costs", stopping)
    assert search.run().stopped
    with RunStore.read(search.folder) as store:
        assert store.evaluations() == []
    monkeypatch.setattr(device, "costs", costs)
    with RunStore.read(Search.resume(search.folder).run().folder) as store:
        assert all(p.latency_ms == exact(p.architecture) for p in front_points(store))
        assert store.ignored() == 0


def test_what_was_measured_before_a_limit_of_time_is_recorded(
    settings: Settings, device: Lucky, monkeypatch: pytest.MonkeyPatch
) -> None:
    config = settings(budget={"minutes": 5.0})
    search, costs = Search(config), device.costs

    def timed(architectures: Sequence[Architecture]) -> Iterator[Cost]:
        for place, cost in enumerate(costs(architectures)):
            if place == 3:
                monkeypatch.setattr(search.session.meter, "_minutes", lambda: 9.0)
            yield cost

    monkeypatch.setattr(device, "costs", timed)
    with RunStore.read(search.run().folder) as store:
        assert len(store.evaluations()) == 4
    assert not device.confirmed


def test_what_fails_to_be_confirmed_is_said(
    settings: Settings, device: Lucky, monkeypatch: pytest.MonkeyPatch
) -> None:
    def failing(*_: Any) -> Iterator[Cost]:
        raise DeviceError("expected a device that answers, found none: plug it in")

    monkeypatch.setattr(device, "confirm", failing)
    with pytest.raises(DeviceError, match="plug it in"):
        Search(settings()).run()
