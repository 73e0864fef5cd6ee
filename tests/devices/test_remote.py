"""A device that is a node: measured there as this machine is here, or one clear sentence."""

import pytest
from fakes import PoolHere

from pelnas.architecture import Shape
from pelnas.cache import default_cache
from pelnas.config import Measurement, SearchConfig
from pelnas.devices import get_device, measured
from pelnas.devices.host import HostDevice
from pelnas.devices.remote import RemoteDevice
from pelnas.errors import DeviceError
from pelnas.spaces import get_space

TINY = get_space("tiny")
SHAPE = Shape.square(10, 8)
QUICK = Measurement(runtime="torch", warmup=1, repeats=3)


def test_a_node_measures_as_this_machine_does() -> None:
    networks = [TINY.at(3), TINY.at(80), TINY.at(3)]
    device = RemoteDevice("pi", PoolHere(devices=["pi"]), TINY, SHAPE, QUICK)
    found = list(device.costs(networks))
    assert found == list(HostDevice(TINY, SHAPE, QUICK, default_cache()).costs(networks))
    assert device.measures
    assert device.source.startswith("measured (")
    assert device.source.endswith("on the node of pi")
    device.close()


@pytest.mark.parametrize(
    ("devices", "there"), [([], "found none"), (["nano", "phone"], "found only nano, phone")]
)
def test_a_device_that_no_node_offers(devices: list[str], there: str) -> None:
    device = RemoteDevice("pi", PoolHere(devices=devices), TINY, SHAPE, QUICK)
    with pytest.raises(DeviceError, match=f"the device pi, {there}: start one"):
        list(device.costs([TINY.at(3)]))
    with pytest.raises(DeviceError, match=there):
        _ = device.source


def test_only_a_search_on_a_pool_has_devices_elsewhere() -> None:
    config = SearchConfig.model_validate({"device": "pi", "space": "tiny"})
    assert not measured(config)
    with pytest.raises(DeviceError, match="looked up in a table"):
        get_device(config, TINY, SHAPE, default_cache())
    far = SearchConfig.model_validate({"device": "pi", "scoring": {"pool": "ray://10.0.0.9:10001"}})
    assert measured(far)
    device = get_device(far, TINY, SHAPE, default_cache())  # nothing is connected to by this
    assert isinstance(device, RemoteDevice)
    assert measured(far.model_copy(update={"device": "host"}))
