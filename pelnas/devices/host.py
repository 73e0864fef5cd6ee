"""This machine as a device: each network is built and timed here."""

from collections.abc import Iterator, Mapping, Sequence

from pelnas.accelerator import CPU, Accelerator
from pelnas.architecture import Architecture, Cost, Shape
from pelnas.cache import Cache, Key, cache_key, is_number
from pelnas.config import Measurement
from pelnas.devices.base import Device
from pelnas.runtimes import get_runtime
from pelnas.runtimes.deployed import Deployed
from pelnas.runtimes.timer import SESSIONS, TOGETHER, Timer, groups, processor
from pelnas.spaces import SearchSpace

COLOUR = 3  # channels
METHOD = 2  # version of how it is measured; a new one leaves old cached values alone
FIRST = 1  # of release 0.1.0: each network timed by itself

Timing = tuple[float, float]  # median and spread in ms


class HostDevice(Device):
    """Latency of a forward pass on this machine, by the runtime that the measurement names.

    ``latency_ms`` is the median and ``spread_ms`` the interquartile range of passes that are
    timed in alternation with a reference network and with up to eleven of the others asked for
    (``pelnas.runtimes.timer``). Results are kept in the cache by everything they depend on.
    Torch's threads and random state are as before after each measurement.
    DeviceError: no such runtime, or it does not work here. AcceleratorError: no graphics processor.
    """

    measures = True

    def __init__(
        self,
        space: SearchSpace,
        shape: Shape,
        measurement: Measurement,
        cache: Cache,
        on: Accelerator = CPU,
    ) -> None:
        """``on``: ``cuda`` for this machine's graphics processor, the device ``host-cuda``."""
        self.name = "host" if on == CPU else f"host-{on}"
        self._runtime = get_runtime(measurement.runtime, on)
        self._processor = self._runtime.processor or processor()
        self.confirms = self._runtime.alternates
        self._timer = Timer(self._runtime, measurement, cache)
        self.source = (
            f"measured on this machine ({self._processor}, {self._runtime.title},"
            f" {measurement.threads} thread{'s' * (measurement.threads > 1)}, {self._timer.clock} time)"
        )
        self._space, self._shape = space, shape
        self._measurement, self._cache = measurement, cache

    def costs(self, architectures: Sequence[Architecture]) -> Iterator[Cost]:
        """In order; those that are timed together become known together."""
        known = self._kept(architectures)
        missing = [each for each in dict.fromkeys(architectures) if each not in known]
        networks = [Deployed(self._space, each, self._shape) for each in missing]
        self._runtime.prepare(networks, self._cache)
        left = iter(groups(networks, self._work))
        for architecture in architectures:
            if architecture not in known:
                known |= self._measured(next(left))
            latency, spread = known[architecture]
            yield Cost(latency_ms=latency, spread_ms=spread)

    def confirm(
        self, architectures: Sequence[Architecture], company: Sequence[Architecture] = ()
    ) -> Iterator[Cost]:
        """Each timed anew over several sessions, see ``Timer.over_sessions``.

        It replaces the first measurement, which says which networks looked fast.
        """
        known = self._confirmed(architectures)
        missing = [each for each in dict.fromkeys(architectures) if each not in known]
        if missing:
            beside = [each for each in dict.fromkeys(company) if each not in missing]
            beside = beside[: max(0, TOGETHER - len(missing))]
            networks = [Deployed(self._space, each, self._shape) for each in (*missing, *beside)]
            self._runtime.prepare(networks, self._cache)
            timings = self._timer.over_sessions(networks, self._work, self._timer.loaded)
            fresh = dict(zip(missing, timings, strict=False))  # company is not kept
            self._cache.put_many({self._key(a, sessions=SESSIONS): t for a, t in fresh.items()})
            known |= fresh
        for architecture in architectures:
            latency, spread = known[architecture]
            yield Cost(latency_ms=latency, spread_ms=spread)

    def _work(self, network: Deployed) -> float:
        return self._measurement.batch * self._space.flops(network.architecture, self._shape)

    def _kept(self, architectures: Sequence[Architecture]) -> dict[Architecture, Timing]:
        """What the cache has, confirmed or not; of torch also what release 0.1.0 measured."""
        methods = (FIRST, METHOD) if self._runtime.name == "torch" else (METHOD,)
        known: dict[Architecture, Timing] = {}
        for method in methods:
            known |= self._found({each: self._key(each, method) for each in architectures})
        return known | self._confirmed(architectures)

    def _confirmed(self, architectures: Sequence[Architecture]) -> dict[Architecture, Timing]:
        return self._found({each: self._key(each, sessions=SESSIONS) for each in architectures})

    def _found(self, keys: Mapping[Architecture, Key]) -> dict[Architecture, Timing]:
        found = self._cache.get_many(keys.values(), _is_timing)
        return {each: found[key] for each, key in keys.items() if key in found}

    def _measured(self, networks: Sequence[Deployed]) -> dict[Architecture, Timing]:
        timings = self._timer.measure(networks)
        found = {each.architecture: timing for each, timing in zip(networks, timings, strict=True)}
        self._cache.put_many({self._key(each): timing for each, timing in found.items()})
        return found

    def _key(self, architecture: Architecture, method: int = METHOD, sessions: int = 1) -> Key:
        measurement = self._measurement.model_dump()
        if self._runtime.name == "torch":
            del measurement["runtime"]  # the only one of the first release, whose values still hold
        return cache_key(
            "host latency",
            method=method,
            space=self._space.name,
            architecture=self._space.format(architecture),
            classes=self._shape.classes,
            **self._image_fields(),
            **self._runtime.versions,
            processor=self._processor,
            clock=self._timer.clock,
            **({"code": self._space.code} if self._space.code else {}),
            **({"sessions": sessions} if sessions > 1 else {}),
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


def _is_timing(value: object) -> bool:
    """Whether this is what was kept of a measurement: median and spread in ms."""
    if not isinstance(value, list) or len(value) != 2:
        return False
    latency, spread = value
    return is_number(latency, 0) and latency > 0 and is_number(spread, 0)
