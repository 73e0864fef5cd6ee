"""A device that is a node of the pool: networks are built and timed there."""

from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import closing
from dataclasses import asdict
from functools import cached_property
from typing import Any

from pelnas.architecture import Architecture, Cost, Shape
from pelnas.cache import default_cache
from pelnas.config import Measurement
from pelnas.devices.base import Device
from pelnas.errors import DeviceError
from pelnas.pool import Pool, Work
from pelnas.pool.base import Array
from pelnas.spaces import SearchSpace, get_space

ABOUT = ""  # the task that asks a node what it measures with


class RemoteDevice(Device):
    """Latency on a node that offers the resource ``pelnas_device:NAME``, measured as ``host`` does.

    One worker measures there, and one network at a time; nothing is scored on that node. The node
    keeps what it measured in its cache. Nothing is connected to before the first
    cost or the source is asked for. DeviceError then: no node offers the device.
    """

    measures = True

    def __init__(
        self, name: str, pool: Pool, space: SearchSpace, shape: Shape, measurement: Measurement
    ) -> None:
        self.name = name
        self._pool, self._space = pool, space
        settings = {
            "space": space.name,
            "shape": asdict(shape),
            "measurement": measurement.model_dump(mode="json"),
        }
        work = Work("pelnas.devices.remote:measuring", settings)
        self._workers = pool.workers(work, 1, measurement.threads, device=name)

    @cached_property
    def source(self) -> str:  # type: ignore[override]  # asked of the node, once
        """What is measured with, as the node says it."""
        self._check()
        (found,) = self._workers.map([ABOUT])
        return f"{found} on the node of {self.name}".replace("on this machine ", "", 1)

    def costs(self, architectures: Sequence[Architecture]) -> Iterator[Cost]:
        """In order, each as soon as it is known."""
        self._check()
        with closing(
            self._workers.map([self._space.format(each) for each in architectures])
        ) as found:
            for latency, spread in found:
                yield Cost(latency_ms=latency, spread_ms=spread)

    def close(self) -> None:
        self._workers.close()

    def _check(self) -> None:
        offered = self._pool.devices()
        if self.name not in offered:
            there = f"only {', '.join(offered)}" if offered else "none"
            raise DeviceError(
                f"expected a node of the pool that offers the device {self.name}, found {there}:"
                f" start one there (ray start --resources='{{\"pelnas_device:{self.name}\": 1}}'), or"
                " name another device"
            )


def measuring(settings: Mapping[str, Any], _: Mapping[str, Array]) -> Callable[[str], Any]:
    """The node's side: a task is an official text, its answer median and spread in ms."""
    from pelnas.devices.host import HostDevice

    space, shape = get_space(settings["space"]), Shape(**settings["shape"])
    measurement = Measurement.model_validate(settings["measurement"])
    device = HostDevice(space, shape, measurement, default_cache())

    def measure(text: str) -> Any:
        if text == ABOUT:
            return device.source
        (cost,) = device.costs([space.parse(text)])
        return cost.latency_ms, cost.spread_ms

    return measure
