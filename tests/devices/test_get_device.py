"""The configuration names a device; what it needs and lacks is said."""

from pathlib import Path

import pytest

from pelnas.architecture import Shape
from pelnas.cache import Cache, default_cache
from pelnas.config import SearchConfig
from pelnas.devices import DEVICES, get_device
from pelnas.errors import DeviceError
from pelnas.spaces import get_space


@pytest.fixture
def cache() -> Cache:
    return default_cache()


def test_the_default_is_this_machine(cache: Cache) -> None:
    device = get_device(SearchConfig(), get_space("tiny"), Shape(10), cache)
    assert device.name == "host"
    assert list(DEVICES) == ["host", "host-cuda"]


def test_any_other_name_is_looked_up_in_the_data_folder(cache: Cache, data_folder: Path) -> None:
    config = SearchConfig(device="raspi4", dataset="cifar100", data=data_folder)
    device = get_device(config, get_space("nasbench201"), Shape(100), cache)
    assert device.name == "raspi4"
    assert "cifar100__raspi4_latency" in device.source


def test_a_table_without_a_folder_is_refused(cache: Cache) -> None:
    with pytest.raises(DeviceError, match=r"'raspi4' is looked up .* --data .* use one of host"):
        get_device(SearchConfig(device="raspi4"), get_space("nasbench201"), Shape(10), cache)
