"""An accelerator against the processor: its values, its speed, and what networks take on it."""

import time
from collections.abc import Callable, Sequence
from contextlib import ExitStack
from dataclasses import dataclass, replace
from math import isfinite
from pathlib import Path
from tempfile import TemporaryDirectory

import numpy as np
import torch

from pelnas.accelerator import CPU, CUDA, Accelerator, title
from pelnas.architecture import Architecture
from pelnas.cache import Cache
from pelnas.config import Measurement
from pelnas.images import ImageSet, load_images
from pelnas.proxies.table import PROXIES
from pelnas.proxies.worker import Job, score_architecture
from pelnas.runtimes import get_runtime
from pelnas.runtimes.deployed import Deployed
from pelnas.runtimes.timer import Timer
from pelnas.runtimes.timing import interval, relative_times
from pelnas.spaces import SearchSpace, get_space
from pelnas.training import TrainingSettings, initial, split, train

SPACE = "nasbench201"
TIMED = 10  # networks whose latency is measured
LIMIT = 150.0  # seconds in which networks are scored on the processor; as many as that are compared
ALIKE, RANKED = 1e-3, 0.99  # what values and rankings of an accelerator have to reach


@dataclass(frozen=True)
class Proxy:
    """One proxy on both. ``apart``: the largest difference, relative to the larger of value and median."""

    name: str
    apart: float
    kendall: float  # tau-b of the two rankings

    @property
    def holds(self) -> bool:
        """Whether both bars are reached."""
        return self.apart <= ALIKE and self.kendall >= RANKED


@dataclass(frozen=True)
class Latency:
    """Milliseconds of one network: the median, and its 95 % interval."""

    architecture: str
    low: float
    median: float
    high: float


@dataclass(frozen=True)
class Check:
    """What was measured. ``loss_apart``: relative difference of the first epoch's loss."""

    accelerator: str
    networks: int
    proxies: tuple[Proxy, ...]
    seconds: float  # a network, on the accelerator
    seconds_cpu: float
    loss: float
    loss_apart: float
    runtime: str  # '' where the accelerator is none that latency is measured on
    latencies: tuple[Latency, ...]

    @property
    def speed(self) -> float:
        """How many times as many networks per second the accelerator scores."""
        return self.seconds_cpu / self.seconds

    @property
    def holds(self) -> bool:
        """Whether all proxies reach both bars, and a training step is the processor's."""
        return all(proxy.holds for proxy in self.proxies) and self.loss_apart <= 10 * ALIKE


def check(
    accelerator: Accelerator, networks: int = 100, runtime: str = "torch", seed: int = 0
) -> Check:
    """Score, train and time the same networks on the accelerator and on the processor.

    ``networks``: of a seeded sample, at most; fewer where the processor would take too long.
    """
    space, images = get_space(SPACE), load_images(None, 32)
    rng = np.random.default_rng(seed)
    sample = [space.sample(rng) for _ in range(networks)]
    mine, seconds = _scored(space, images, sample, accelerator, float("inf"))
    theirs, seconds_cpu = _scored(space, images, sample, CPU, LIMIT)
    loss, loss_cpu = (_loss(space, images, sample[0], on) for on in (accelerator, CPU))
    timed = _timed(space, images, sample[:TIMED], runtime) if accelerator == CUDA else ()
    return Check(
        accelerator=title(accelerator),
        networks=len(theirs),
        proxies=tuple(_compared(name, mine, theirs) for name in PROXIES),
        seconds=seconds,
        seconds_cpu=seconds_cpu,
        loss=loss,
        loss_apart=abs(loss - loss_cpu) / loss_cpu,
        runtime=runtime if timed else "",
        latencies=timed,
    )


Scores = list[dict[str, float]]


def _scored(
    space: SearchSpace,
    images: ImageSet,
    sample: Sequence[Architecture],
    on: Accelerator,
    limit: float,
) -> tuple[Scores, float]:
    """The proxies of the sample, and seconds of one after the first, which loads libraries."""
    job = Job(space.name, tuple(PROXIES), images.shape, 0, torch.get_num_threads(), on)
    batch = images.batch(32, 0)

    def score(one: Architecture) -> dict[str, float]:
        return score_architecture(space, job, space.format(one), *batch)

    score(sample[0])
    began, found = time.perf_counter(), []
    for one in sample:
        found.append(score(one))
        if time.perf_counter() - began > limit:
            break
    return found, (time.perf_counter() - began) / len(found)


def _compared(name: str, mine: Scores, theirs: Scores) -> Proxy:
    from scipy.stats import kendalltau

    both = list(zip(mine, theirs, strict=False))
    one = np.array([values[name] for values, _ in both])
    other = np.array([values[name] for _, values in both])
    size = np.maximum(np.abs(other), np.median(np.abs(other)))
    apart = np.abs(one - other) / np.where(size > 0, size, 1.0)
    tau = float(kendalltau(one, other).statistic)
    return Proxy(name, float(apart.max()), tau if isfinite(tau) else 1.0)  # all values are equal


def _loss(
    space: SearchSpace, images: ImageSet, architecture: Architecture, on: Accelerator
) -> float:
    """Of two steps at the same rate: the second has what the first one learned."""
    data = split(images, 0)
    few = replace(data.train, pixels=data.train.pixels[:64], labels=data.train.labels[:64])
    data = replace(data, train=few, digest="few")
    network = initial(space, architecture, data, 0)
    settings = TrainingSettings(epochs=1, batch=32, warmup=0.0)
    return train(network, data, settings, accelerator=on).history[0].loss


def _timed(
    space: SearchSpace, images: ImageSet, sample: Sequence[Architecture], runtime: str
) -> tuple[Latency, ...]:
    """Of each network by itself, in alternation with the others."""
    measurement = Measurement.model_validate({"runtime": runtime})
    with TemporaryDirectory() as folder, ExitStack() as held:
        engine = get_runtime(runtime, CUDA)
        timer = Timer(engine, measurement, Cache(Path(folder) / "cache"))
        loaded = timer.loaded([Deployed(space, each, images.shape) for each in sample], held)
        passes: list[Callable[[], object]] = [each.once(measurement.batch) for each in loaded]
        _, now = engine.clock(measurement.threads)
        times, _ = relative_times(passes, None, measurement, now)
    return tuple(
        Latency(space.format(each), *interval(own)) for each, own in zip(sample, times, strict=True)
    )
