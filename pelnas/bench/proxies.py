"""What the proxies cost, and how they agree with the published ones."""

import re
from collections.abc import Callable, Mapping, Sequence
from contextlib import closing
from copy import deepcopy
from dataclasses import dataclass
from itertools import combinations
from pathlib import Path
from time import perf_counter

import numpy as np
import torch
from torch import Tensor, nn
from torch.nn.functional import cross_entropy

from pelnas.architecture import Architecture
from pelnas.bench.validation import Floats, sample_texts, spearman
from pelnas.cache import Cache
from pelnas.config import Scoring
from pelnas.errors import DataError, UnreadableError
from pelnas.images import ImageSet
from pelnas.inputs.formats import parquet_schema
from pelnas.proxies.engine import score_network
from pelnas.proxies.scoring import ProxyScores
from pelnas.proxies.table import PROXIES, SUITE_ZERO
from pelnas.spaces import SearchSpace
from pelnas.tables import TEXT_COLUMN, Column

#: The Spearman correlation with the published values that each proxy should reach.
BARS: Mapping[str, float] = (
    dict.fromkeys(("flops", "params", "synflow"), 0.99)
    | dict.fromkeys(("nwot", "l2_norm", "zen"), 0.95)
    | dict.fromkeys(("grad_norm", "snip", "fisher", "jacov", "plain", "grasp", "epe_nas"), 0.8)
)
FAILED = -1e8  # what NAS-Bench-Suite-Zero writes where a proxy could not be computed
_PUBLISHED = re.compile(r"(?P<dataset>.+)__nbsz_(?P<proxy>\w+)")


@dataclass(frozen=True)
class Speed:
    """Median seconds an architecture, on one machine in one run.

    ``step``: a plain training step of the same network and batch (forward and
    backward). ``apart``: each proxy alone on a copy of the network; ``shared``:
    all thirteen of NAS-Bench-Suite-Zero in shared passes, ``everything``: these
    and the five newer ones.
    """

    architectures: int
    batch: int
    threads: int
    step: float
    apart: Mapping[str, float]
    shared: float
    everything: float

    @property
    def steps(self) -> float:
        """The shared passes in training steps; the target is at most 5."""
        return self.shared / self.step

    @property
    def gain(self) -> float:
        """How many times faster than one by one with a copy each; the target is 2.5."""
        return sum(self.apart[name] for name in SUITE_ZERO) / self.shared


def bench_speed(
    space: SearchSpace,
    images: ImageSet,
    architectures: Sequence[Architecture],
    batch: int = 64,
    threads: int = 2,
    repeats: int = 3,
    progress: Callable[[int], None] = lambda _done: None,
) -> Speed:
    """Time every proxy apart and in shared passes, and a training step, on the built networks.

    Each is run once to warm up and ``repeats`` times to count, interleaved, so
    that a machine that slows down slows all of them down. The figures are
    medians over the repeats, averaged over the architectures.
    """
    data = _tensors(images, batch)
    before = torch.get_num_threads()
    torch.set_num_threads(threads)
    try:
        rows = []
        for architecture in architectures:
            network = space.build(architecture, images.shape)
            rows.append(_times(_tasks(network, *data), repeats))
            progress(len(rows))
    finally:
        torch.set_num_threads(before)
    mean = {name: float(np.mean([row[name] for row in rows])) for name in rows[0]}
    apart = {name: mean[name] for name in PROXIES}
    return Speed(len(rows), batch, threads, mean["step"], apart, mean["shared"], mean["everything"])


def _tensors(images: ImageSet, batch: int) -> tuple[Tensor, Tensor]:
    pixels, labels = images.batch(batch, 0)
    return torch.from_numpy(pixels), torch.from_numpy(labels)


def _tasks(network: nn.Module, images: Tensor, labels: Tensor) -> dict[str, Callable[[], object]]:
    trained = deepcopy(network).train()

    def step() -> None:
        trained.zero_grad()
        cross_entropy(trained(images), labels).backward()  # type: ignore[no-untyped-call]

    def alone(name: str) -> Callable[[], object]:
        return lambda: score_network(deepcopy(network), images, labels, [name])

    return {
        "step": step,
        "shared": lambda: score_network(network, images, labels, SUITE_ZERO),
        "everything": lambda: score_network(network, images, labels),
        **{name: alone(name) for name in PROXIES},
    }


def _times(tasks: Mapping[str, Callable[[], object]], repeats: int) -> dict[str, float]:
    for task in tasks.values():
        task()
    taken: dict[str, list[float]] = {name: [] for name in tasks}
    for _ in range(repeats):
        for name, task in tasks.items():
            start = perf_counter()
            task()
            taken[name].append(perf_counter() - start)
    return {name: float(np.median(seconds)) for name, seconds in taken.items()}


@dataclass(frozen=True)
class Reproduction:
    """Our values of one proxy beside the published ones; ``bar``: what should be reached.

    ``spearman``: of one draw of weights and images. What no single draw can reach is reported
    by the others, NaN where there was one draw only: ``repeated``, the mean Spearman between
    two draws of our own, and ``averaged``, that of the published values with the
    mean over our draws, from which the luck of our half is gone.
    """

    proxy: str
    count: int
    spearman: float
    bar: float
    repeated: float
    averaged: float

    @property
    def reached(self) -> bool:
        return self.spearman >= self.bar


def agreement_with_suite(
    folder: Path,
    space: SearchSpace,
    images: ImageSet,
    scoring: Scoring,
    cache: Cache,
    sample: int = 200,
    seed: int = 0,
    progress: Callable[[int], None] = lambda _done: None,
    proxies: Sequence[str] = SUITE_ZERO,
    draws: int = 1,
) -> list[Reproduction]:
    """Spearman correlation of proxies with NAS-Bench-Suite-Zero's, over a seeded sample.

    ``folder`` holds a parquet file with columns ``arch_str`` and
    ``DATASET__nbsz_PROXY``. Values that the suite marks as failed are left
    out. ``draws``: of weights and images, from as many seeds. DataError: no such table.
    """
    published = {name: column.read() for name, column in published_columns(folder).items()}
    texts = sample_texts(list(published[SUITE_ZERO[0]]), sample, seed)
    ours: list[list[Mapping[str, float]]] = []
    for number in range(draws):
        scores = ProxyScores(space, images, proxies, scoring, seed + number, cache)
        ours.append([])
        with closing(scores):
            for values in scores.of(texts):
                ours[-1].append(values)
                progress(number * len(texts) + len(ours[-1]))
    return [
        _reproduction(
            name,
            np.array([[values[name] for values in each] for each in ours]),
            np.array([published[name][text] for text in texts]),
        )
        for name in proxies
    ]


def _reproduction(name: str, ours: Floats, published: Floats) -> Reproduction:
    """``ours`` (draws, n) beside ``published`` (n,)."""
    known = np.isfinite(published) & (published > FAILED)
    ours, published = ours[:, known], published[known]
    several = len(ours) > 1
    pairs = [spearman(one, other) for one, other in combinations(ours, 2)]
    return Reproduction(
        name,
        int(known.sum()),
        spearman(ours[0], published),
        BARS[name],
        float(np.mean(pairs)) if several else float("nan"),
        spearman(ours.mean(axis=0), published) if several else float("nan"),
    )


def published_columns(folder: Path) -> dict[str, Column]:
    """The published column of each of the thirteen proxies. DataError: a folder without them."""
    for file in sorted(folder.glob("*.parquet")):
        try:
            names = parquet_schema(file).names
        except UnreadableError as error:
            raise DataError(
                f"expected a parquet file at {file}, found {error}; replace or remove it"
            ) from None
        matches = [_PUBLISHED.fullmatch(name) for name in names]
        found = {match["proxy"]: Column(file, match.string) for match in matches if match}
        if TEXT_COLUMN in names and found.keys() >= set(SUITE_ZERO):
            return found
    raise DataError(
        f"expected in {folder} a parquet file with {TEXT_COLUMN} and columns like"
        " cifar10__nbsz_synflow, found none: add the table of NAS-Bench-Suite-Zero"
    )
