"""Devices: one file per kind, one entry in the table; any other name is one of a table."""

from collections.abc import Callable
from pathlib import Path

from pelnas import tables
from pelnas.accelerator import CUDA
from pelnas.architecture import Shape
from pelnas.cache import Cache
from pelnas.config import SearchConfig
from pelnas.devices.base import Device
from pelnas.errors import DataError, DeviceError
from pelnas.plugins import Group
from pelnas.pool import PROCESSES, get_pool
from pelnas.spaces import SearchSpace

__all__ = ["DEVICES", "PLUGINS", "Device", "devices_in", "get_device", "known_devices", "measured"]


def _host(config: SearchConfig, space: SearchSpace, shape: Shape, cache: Cache) -> Device:
    from pelnas.devices.host import HostDevice

    return HostDevice(space, shape, config.measurement, cache)


def _host_cuda(config: SearchConfig, space: SearchSpace, shape: Shape, cache: Cache) -> Device:
    from pelnas.devices.host import HostDevice

    return HostDevice(space, shape, config.measurement, cache, CUDA)


def _looked_up(config: SearchConfig, space: SearchSpace, shape: Shape, *_: object) -> Device:
    """From costs per layer where they are of this space, else from a table of architectures."""
    from pelnas.devices.layered import LayeredDevice, layer_tables, of_dataset

    folder = tables.folder_of(config.data)
    if folder is None:
        raise DeviceError(
            f"device {config.device!r} is looked up in a table, found no folder of tables:"
            f" give one with --data (setting data), or use one of {', '.join(known_devices())}"
        )
    layered = layer_tables(folder)
    tabled = _tabled(folder) if layered else (config.device,)  # said there if it is not
    by_layer = layered.get(config.device, {})
    fitting = {name: table for name, table in by_layer.items() if not table.misfit(space)}
    if fitting:
        # The name of a made accuracy says nothing of images.
        named = "" if config.accuracy == "known-truth" else config.dataset
        return LayeredDevice(of_dataset(fitting, named), space)
    if by_layer and config.device not in tabled:
        return LayeredDevice(next(iter(by_layer.values())), space)  # says in which way it does not
    if config.device not in tabled:
        known = sorted({*tabled, *layered})
        raise DeviceError(tables.unknown("device", config.device, known, folder))
    return _of_table(folder, config, space, shape)


def _of_table(folder: Path, config: SearchConfig, space: SearchSpace, shape: Shape) -> Device:
    """Looked up where the table is complete, else where it has a row and predicted elsewhere."""
    from pelnas.devices.partial import PartialDevice
    from pelnas.devices.table import TableDevice

    latency = tables.cost_columns(folder, config.dataset, config.device)["latency"]
    rows = len(tables.Lookup(latency, space, partial=True).values)
    if PartialDevice.suffices(rows, space):
        return PartialDevice(folder, config.dataset, config.device, space, shape)
    return TableDevice(folder, config.dataset, config.device, space)


def _of_pool(config: SearchConfig, space: SearchSpace, shape: Shape) -> Device | None:
    """A node of the pool, where there is another pool than this machine and no table of that name."""
    pool = get_pool(config.scoring.pool)
    folder = tables.folder_of(config.data)
    if pool.here or (folder is not None and config.device in _names_in(folder)):
        return None
    from pelnas.devices.remote import RemoteDevice

    return RemoteDevice(config.device, pool, space, shape, config.measurement)


def _names_in(folder: Path) -> set[str]:
    try:
        return {name for names in devices_in(folder).values() for name in names}
    except DataError:
        return set()  # no tables there: said where one is needed


def _tabled(folder: Path) -> tuple[str, ...]:
    """The devices of a folder's tables of architectures, of which there may be none."""
    try:
        return tables.devices(folder)
    except DataError:
        return ()


def devices_in(folder: Path) -> dict[str, tuple[str, ...]]:
    """The devices of a data folder by kind: ``tables`` of architectures, and ``layered``.

    DataError: neither, or a damaged table.
    """
    from pelnas.devices.layered import layer_tables

    layered = tuple(layer_tables(folder))
    return {"tables": _tabled(folder) if layered else tables.devices(folder), "layered": layered}


Maker = Callable[[SearchConfig, SearchSpace, Shape, Cache], Device]

#: Each kind of device with a name of its own; any other name is one of another package, or is
#: looked up in ``config.data``.
DEVICES: dict[str, Maker] = {"host": _host, "host-cuda": _host_cuda}
#: Devices of other packages; an entry point names a ``Maker``.
PLUGINS = Group("pelnas.devices", "device", Device, DeviceError)  # type: ignore[type-abstract]


def measured(config: SearchConfig) -> bool:
    """Whether the costs of a configuration's device are measured, not looked up. It is not loaded."""
    if config.device in known_devices() or config.scoring.pool == PROCESSES:
        return config.device in known_devices()
    folder = tables.folder_of(config.data)
    return folder is None or config.device not in _names_in(folder)


def known_devices() -> tuple[str, ...]:
    """The devices that need no table: built in, then of other packages. None of these is loaded."""
    return (*DEVICES, *PLUGINS.names(besides=DEVICES))


def get_device(config: SearchConfig, space: SearchSpace, shape: Shape, cache: Cache) -> Device:
    """The device that a configuration names, for networks of a shape.

    Raises DeviceError, DatasetError or DataError with what there is.
    """
    if config.device in DEVICES:
        return DEVICES[config.device](config, space, shape, cache)
    device = PLUGINS.make(config.device, config, space, shape, cache)
    if device is None:
        device = _of_pool(config, space, shape) or _looked_up(config, space, shape)
    return device
