"""A table device charges what its table says, and never takes -1 for fast."""

from pathlib import Path

import numpy as np
import pyarrow as pa
import pytest
from pyarrow import parquet

from pelnas.architecture import Cost
from pelnas.devices.table import TableDevice
from pelnas.errors import DataError, DatasetError, DeviceError
from pelnas.spaces import get_space

TINY = get_space("tiny")


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    latency = np.arange(1.0, TINY.size + 1)
    latency[:3] = [-1.0, np.nan, 0.0]
    energy = latency * 10
    energy[4] = -1.0
    columns = {
        "arch_str": [TINY.format(TINY.at(index)) for index in range(TINY.size)],
        "flowers__phone_latency": latency,
        "flowers__phone_energy": energy,
        "flowers__toaster_latency": latency,
    }
    parquet.write_table(pa.table(columns), tmp_path / "mine.parquet")
    return tmp_path


def test_latency_and_energy_are_those_of_the_row(folder: Path) -> None:
    device = TableDevice(folder, "flowers", "phone", TINY)
    costs = list(device.costs([TINY.at(n) for n in (3, 4, 9, 3)]))
    assert costs == [
        Cost(4.0, energy_mj=40.0),
        Cost(5.0, energy_mj=None),
        Cost(10.0, energy_mj=100.0),
        Cost(4.0, energy_mj=40.0),
    ]
    assert device.name == "phone"
    assert device.source == "looked up in column flowers__phone_latency of mine.parquet"


def test_what_the_device_cannot_run_is_infeasible(folder: Path) -> None:
    negative, missing, zero = TableDevice(folder, "", "phone", TINY).costs(
        [TINY.at(n) for n in range(3)]
    )
    assert negative == missing == Cost(None)
    assert not negative.feasible
    assert zero.latency_ms == 0.0


def test_a_device_without_energy_tells_none(folder: Path) -> None:
    (cost,) = TableDevice(folder, "", "toaster", TINY).costs([TINY.at(9)])
    assert cost == Cost(10.0)


def test_what_is_not_there_is_refused_at_once(folder: Path) -> None:
    with pytest.raises(DeviceError, match="did you mean 'phone'"):
        TableDevice(folder, "", "phon", TINY)
    with pytest.raises(DatasetError, match="use one of these"):
        TableDevice(folder, "birds", "phone", TINY)
    with pytest.raises(DataError, match="another space"):
        TableDevice(folder, "", "phone", get_space("nasbench201"))


def test_the_edge_tpu_cannot_run_4699_cells(data_folder: Path) -> None:
    space = get_space("nasbench201")
    device = TableDevice(data_folder, "cifar10", "edgetpu", space)
    costs = list(device.costs([space.at(index) for index in range(space.size)]))
    assert sum(not cost.feasible for cost in costs) == 4699
    assert min(cost.latency_ms for cost in costs if cost.latency_ms is not None) > 0
