"""What every device keeps: one cost for each architecture, in order, lower is better."""

from collections.abc import Callable
from itertools import islice
from pathlib import Path

import pyarrow as pa
import pytest
import torch
from pyarrow import parquet

from pelnas.architecture import Architecture, Cost, Shape
from pelnas.cache import default_cache
from pelnas.config import Measurement, SearchConfig
from pelnas.devices import DEVICES, Device, get_device
from pelnas.spaces import get_space

TINY = get_space("tiny")
Maker = Callable[[], Device]


def write_table(folder: Path) -> None:
    texts = [TINY.format(TINY.at(index)) for index in range(TINY.size)]
    latency = [TINY.flops(TINY.at(index), Shape.square(10, 16)) for index in range(TINY.size)]
    columns = {"arch_str": texts, "flowers__phone_latency": latency}
    parquet.write_table(pa.table(columns), folder / "costs.parquet")


@pytest.fixture(params=[*DEVICES, "phone"])
def make(request: pytest.FixtureRequest, tmp_path: Path) -> Maker:
    """Makes the device anew, with the same settings and cache."""
    if request.param == "host-cuda" and not torch.cuda.is_available():
        pytest.skip("this machine has no graphics processor that torch reaches by CUDA")
    write_table(tmp_path)
    config = SearchConfig(
        device=request.param, data=tmp_path, measurement=Measurement(warmup=1, repeats=3)
    )
    cache = default_cache()
    return lambda: get_device(config, TINY, Shape(10), cache)


def some(*indices: int) -> list[Architecture]:
    return [TINY.at(index) for index in indices]


def test_it_has_a_name_and_a_source(make: Maker) -> None:
    device = make()
    assert device.name
    assert device.source


def test_there_is_one_cost_for_each_in_order(make: Maker) -> None:
    costs = list(make().costs(some(5, 90, 5, 31)))
    assert len(costs) == 4
    assert costs[0] == costs[2]
    assert all(isinstance(cost, Cost) for cost in costs)
    backwards = list(make().costs(some(31, 5, 90, 5)))
    assert [backwards[i] for i in (1, 2, 3, 0)] == costs


def test_costs_are_finite_and_not_negative(make: Maker) -> None:
    for cost in make().costs(some(0, 62, 124)):
        assert cost.latency_ms is not None
        assert 0 <= cost.latency_ms < float("inf")
        assert 0 <= cost.spread_ms < float("inf")
        assert cost.energy_mj is None or cost.energy_mj >= 0


def test_a_device_made_anew_charges_the_same(make: Maker) -> None:
    assert list(make().costs(some(7, 8))) == list(make().costs(some(7, 8)))


def test_the_first_cost_may_be_taken_alone_and_none_asked_for(make: Maker) -> None:
    device = make()
    (first,) = islice(device.costs(some(7, 8)), 1)
    assert first == next(iter(device.costs(some(7))))
    assert list(device.costs([])) == []


def test_it_may_be_closed_twice(make: Maker) -> None:
    device = make()
    device.close()
    device.close()
