"""Devices: one file per kind, one entry in the table; any other name is a column of a table."""

from collections.abc import Callable

from pelnas.architecture import Shape
from pelnas.cache import Cache
from pelnas.config import SearchConfig
from pelnas.devices.base import Device
from pelnas.errors import DeviceError
from pelnas.spaces import SearchSpace

__all__ = ["DEVICES", "Device", "get_device"]


def _host(config: SearchConfig, space: SearchSpace, shape: Shape, cache: Cache) -> Device:
    from pelnas.devices.host import HostDevice

    return HostDevice(space, shape, config.measurement, cache)


def _table(config: SearchConfig, space: SearchSpace, *_: object) -> Device:
    from pelnas.devices.table import TableDevice

    if config.data is None:
        raise DeviceError(
            f"device {config.device!r} is looked up in a table, found no folder of tables:"
            f" give one with --data (setting data), or use one of {', '.join(DEVICES)}"
        )
    return TableDevice(config.data, config.dataset, config.device, space)


Maker = Callable[[SearchConfig, SearchSpace, Shape, Cache], Device]

#: Each kind of device with a name of its own; any other name is looked up in ``config.data``.
DEVICES: dict[str, Maker] = {"host": _host}


def get_device(config: SearchConfig, space: SearchSpace, shape: Shape, cache: Cache) -> Device:
    """The device that a configuration names, for networks of a shape.

    Raises DeviceError, DatasetError or DataError with what there is.
    """
    return DEVICES.get(config.device, _table)(config, space, shape, cache)
