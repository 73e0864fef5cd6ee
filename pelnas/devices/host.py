"""This machine as a device: each network is built and timed here."""

import platform
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from time import perf_counter
from typing import TYPE_CHECKING

import numpy as np

from pelnas.architecture import Architecture, Cost
from pelnas.cache import Cache, Key, cache_key
from pelnas.config import Measurement
from pelnas.devices.base import Device
from pelnas.spaces import SearchSpace

if TYPE_CHECKING:
    from torch import Tensor, nn

BLOCKS = 3
METHOD = 1  # version of how it is measured; a new one leaves old cached values alone


class HostDevice(Device):
    """Latency of a forward pass in eval mode by torch on this machine.

    After ``warmup`` passes the ``repeats`` timed ones are read as three blocks;
    ``latency_ms`` is the lowest of the blocks' medians, ``spread_ms`` the
    interquartile range of all passes. Noise on a shared machine only ever
    lengthens a pass: short stalls fall to the median, a burst of other work
    that covers a whole block falls to the minimum, and unlike the fastest
    single pass the result is still what a pass usually takes.

    Results are kept in the cache by everything they depend on. Torch's threads
    and random state are as before after each measurement.
    """

    name = "host"

    def __init__(
        self,
        space: SearchSpace,
        classes: int,
        resolution: int,
        measurement: Measurement,
        cache: Cache,
    ) -> None:
        self.source = f"measured on this machine ({processor()}, {measurement.threads} thread(s))"
        self._space, self._classes, self._resolution = space, classes, resolution
        self._measurement, self._cache = measurement, cache

    def costs(self, architectures: Sequence[Architecture]) -> Iterator[Cost]:
        keys = [self._key(architecture) for architecture in architectures]
        known = self._cache.get_many(keys)
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
            classes=self._classes,
            resolution=self._resolution,
            torch=torch.__version__,
            processor=processor(),
            **self._measurement.model_dump(),
        )

    def _measure(self, architecture: Architecture) -> tuple[float, float]:
        import torch

        with torch.random.fork_rng(devices=[]):
            torch.manual_seed(0)
            network = self._space.build(architecture, self._classes, self._resolution)
            side = self._resolution
            images = torch.randn(self._measurement.batch, 3, side, side)
        with _threads(self._measurement.threads), torch.inference_mode():
            times = time_passes(
                network.eval(), images, self._measurement.warmup, self._measurement.repeats
            )
        return summary(times)


def time_passes(network: "nn.Module", images: "Tensor", warmup: int, repeats: int) -> list[float]:
    """Milliseconds of each of ``repeats`` forward passes, after ``warmup`` that do not count."""
    for _ in range(warmup):
        network(images)
    times = []
    for _ in range(repeats):
        start = perf_counter()
        network(images)
        times.append(1000 * (perf_counter() - start))
    return times


def summary(times: Sequence[float]) -> tuple[float, float]:
    """The lowest median of three consecutive blocks, and the interquartile range of all."""
    blocks = np.array_split(np.asarray(times), min(BLOCKS, len(times)))
    low, high = np.percentile(times, [25, 75])
    return float(min(np.median(block) for block in blocks)), float(high - low)


def processor() -> str:
    """The model of this machine's processor, as far as the system tells."""
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
