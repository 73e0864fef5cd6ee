"""This machine as a device: each network is built and timed here."""

import platform
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from time import get_clock_info, perf_counter, thread_time
from typing import TYPE_CHECKING

import numpy as np

from pelnas.architecture import Architecture, Cost, Shape
from pelnas.cache import Cache, Key, cache_key, is_number
from pelnas.config import Measurement
from pelnas.devices.base import Device
from pelnas.spaces import SearchSpace

if TYPE_CHECKING:
    from torch import Tensor, nn

COLOUR = 3  # channels
METHOD = 1  # version of how it is measured; a new one leaves old cached values alone
FINE_SECONDS = 1e-5  # a coarser clock of thread time cannot time a pass


class HostDevice(Device):
    """Latency of a forward pass in eval mode by torch on this machine.

    ``latency_ms`` is the median and ``spread_ms`` the interquartile range of
    ``repeats`` passes after ``warmup`` ones. With one thread a pass is timed by
    the processor time of its thread: what it takes when nothing else wants the
    core. On a busy machine wall time says who else was running (on two shared
    cores repeated medians of wall time differed by 22 % and ranked the cells at
    a Spearman of 0.53 with each other; those of thread time by 2.6 % and 0.985;
    undisturbed passes have both equal within 0.1 %). With several threads, or
    on a system without a fine clock of thread time, it is wall time.

    Results are kept in the cache by everything they depend on. Torch's threads
    and random state are as before after each measurement.
    """

    name = "host"
    measures = True

    def __init__(
        self,
        space: SearchSpace,
        shape: Shape,
        measurement: Measurement,
        cache: Cache,
    ) -> None:
        self._clock = "thread" if measurement.threads == 1 and _fine_thread_time() else "wall"
        self.source = (
            f"measured on this machine ({processor()}, {measurement.threads} torch"
            f" thread{'s' * (measurement.threads > 1)}, {self._clock} time)"
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
        import torch

        return cache_key(
            "host latency",
            method=METHOD,
            space=self._space.name,
            architecture=self._space.format(architecture),
            classes=self._shape.classes,
            **self._image_fields(),
            torch=torch.__version__,
            processor=processor(),
            clock=self._clock,
            **({"code": self._space.code} if self._space.code else {}),
            **self._measurement.model_dump(),
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
        import torch

        with torch.random.fork_rng(devices=[]):
            torch.manual_seed(0)
            network = self._space.build(architecture, self._shape)
            images = torch.randn(self._measurement.batch, *self._shape.pixels)
        clock = thread_time if self._clock == "thread" else perf_counter
        with _threads(self._measurement.threads), torch.inference_mode():
            times = _time_passes(network.eval(), images, self._measurement, clock)
        low, median, high = np.percentile(times, [25, 50, 75])
        return float(median), float(high - low)


def _time_passes(
    network: "nn.Module", images: "Tensor", measurement: Measurement, clock: Callable[[], float]
) -> list[float]:
    """Milliseconds of each pass that counts."""
    for _ in range(measurement.warmup):
        network(images)
    times = []
    for _ in range(measurement.repeats):
        start = clock()
        network(images)
        times.append(1000 * (clock() - start))
    return times


def _is_timing(value: object) -> bool:
    """Whether this is what was kept of a measurement: median and spread in ms."""
    if not isinstance(value, list) or len(value) != 2:
        return False
    latency, spread = value
    return is_number(latency, 0) and latency > 0 and is_number(spread, 0)


def _fine_thread_time() -> bool:
    return get_clock_info("thread_time").resolution <= FINE_SECONDS


def processor() -> str:
    """The model of this machine's processor, as far as the system reports it."""
    info = Path("/proc/cpuinfo")
    if info.is_file():
        for line in info.read_text(encoding="utf-8", errors="replace").splitlines():
            if line.startswith("model name"):
                return line.partition(":")[2].strip()
    return platform.processor() or platform.machine()


@contextmanager
def _threads(count: int) -> Iterator[None]:
    import torch

    before = torch.get_num_threads()
    torch.set_num_threads(count)
    try:
        yield
    finally:
        torch.set_num_threads(before)
