"""This machine as a device: each network is built and timed here."""

import platform
from collections.abc import Iterator, Sequence
from pathlib import Path

from pelnas.architecture import Architecture, Cost, Shape
from pelnas.cache import Cache, Key, cache_key, is_number
from pelnas.config import Measurement
from pelnas.devices.base import Device
from pelnas.runtimes import get_runtime
from pelnas.runtimes.deployed import Deployed
from pelnas.runtimes.timing import clock, latency
from pelnas.spaces import SearchSpace

COLOUR = 3  # channels
METHOD = 1  # version of how it is measured; a new one leaves old cached values alone


class HostDevice(Device):
    """Latency of a forward pass on this machine, by the runtime that the measurement names.

    ``latency_ms`` is the median and ``spread_ms`` the interquartile range of the passes that
    ``pelnas.runtimes.timing`` takes. Results are kept in the cache by everything they depend
    on. Torch's threads and random state are as before after each measurement.
    DeviceError: no such runtime, or it does not work here.
    """

    name = "host"
    measures = True

    def __init__(
        self, space: SearchSpace, shape: Shape, measurement: Measurement, cache: Cache
    ) -> None:
        self._runtime = get_runtime(measurement.runtime)
        self._clock, _ = clock(measurement.threads)
        self.source = (
            f"measured on this machine ({processor()}, {self._runtime.title},"
            f" {measurement.threads} thread{'s' * (measurement.threads > 1)}, {self._clock} time)"
        )
        self._space, self._shape = space, shape
        self._measurement, self._cache = measurement, cache

    def costs(self, architectures: Sequence[Architecture]) -> Iterator[Cost]:
        keys = [self._key(architecture) for architecture in architectures]
        known = self._cache.get_many(keys, _is_timing)
        for architecture, key in zip(architectures, keys, strict=True):
            if key not in known:
                known[key] = self._measure(architecture)
                self._cache.put(key, known[key])
            latency, spread = known[key]
            yield Cost(latency_ms=latency, spread_ms=spread)

    def _key(self, architecture: Architecture) -> Key:
        measurement = self._measurement.model_dump()
        if self._runtime.name == "torch":
            del measurement["runtime"]  # the only one of the first release, whose values still hold
        return cache_key(
            "host latency",
            method=METHOD,
            space=self._space.name,
            architecture=self._space.format(architecture),
            classes=self._shape.classes,
            **self._image_fields(),
            **self._runtime.versions,
            processor=processor(),
            clock=self._clock,
            **({"code": self._space.code} if self._space.code else {}),
            **measurement,
        )

    def _image_fields(self) -> dict[str, int | str]:
        """Squares in colour by their side alone, as they always were."""
        height, width = self._shape.height, self._shape.width
        fields: dict[str, int | str] = {
            "resolution": height if height == width else self._shape.size
        }
        return (
            fields
            if self._shape.channels == COLOUR
            else fields | {"channels": self._shape.channels}
        )

    def _measure(self, architecture: Architecture) -> tuple[float, float]:
        deployed = Deployed(self._space, architecture, self._shape)
        with self._runtime.loaded(deployed, self._measurement.threads, self._cache) as run:
            return latency(run, deployed.input, self._measurement)


def _is_timing(value: object) -> bool:
    """Whether this is what was kept of a measurement: median and spread in ms."""
    if not isinstance(value, list) or len(value) != 2:
        return False
    latency, spread = value
    return is_number(latency, 0) and latency > 0 and is_number(spread, 0)


def processor() -> str:
    """The model of this machine's processor, as far as the system reports it."""
    info = Path("/proc/cpuinfo")
    if info.is_file():
        for line in info.read_text(encoding="utf-8", errors="replace").splitlines():
            if line.startswith("model name"):
                return line.partition(":")[2].strip()
    return platform.processor() or platform.machine()
