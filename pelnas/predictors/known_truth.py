"""A made accuracy whose exact front can be found: for benchmarks of searches on large spaces.

Named by a data set: ``additive-3`` is the truth of kind ``additive`` drawn by seed 3.
"""

import hashlib
import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from itertools import pairwise
from typing import Literal, Self, get_args

import numpy as np

from pelnas.architecture import Architecture, Prediction, Shape
from pelnas.errors import DatasetError
from pelnas.predictors.base import AccuracyPredictor
from pelnas.predictors.trees import Floats
from pelnas.spaces import SearchSpace

Kind = Literal["additive", "adjacent", "noisy"]
KINDS: tuple[Kind, ...] = get_args(Kind)

MEAN, RANGE = 60.0, 20.0  # percent: of the average network; best minus worst sum over positions
PERSONAL = 0.35  # deviation of an operation's worth at one position from its worth anywhere
PAIRS = 0.3  # variance of the interactions of neighbours, as a share of that of the sum
NOISE = 0.05  # standard deviation of what is observed, as a share of the range
_NAME = re.compile(r"(?P<kind>[a-z]+)-(?P<seed>[0-9]{1,9})")


@dataclass(frozen=True, eq=False)
class Truth:
    """Accuracies in percent: a sum over positions and over pairs of neighbouring positions.

    ``worth[position][operation]``; ``pairs[position]`` (operations, operations of the next
    position); ``noise``: standard deviation of an observed accuracy, one draw a network.
    """

    worth: tuple[Floats, ...]
    pairs: tuple[Floats, ...]
    noise: float
    seed: int

    @classmethod
    def draw(cls, space: SearchSpace, kind: Kind, seed: int) -> Self:
        """The truth of a kind and seed over the positions of a space.

        What takes more FLOPs is worth more, uniform draws in their order, beside a part that is
        drawn for each operation at each position. A position has a weight, drawn from an
        exponential distribution: some matter, some do not, and it is unknown which.
        ``adjacent``: each pair of neighbouring choices adds a term besides. ``noisy``:
        accuracies are observed through normal noise.
        """
        rng = np.random.default_rng(seed)
        worth = []
        for position, options in enumerate(space.choices):
            shared = np.sort(rng.random(len(options)))[_by_flops(space, position)]
            own = PERSONAL * rng.standard_normal(len(options))
            worth.append(rng.exponential() * (shared + own))
        scale = RANGE / sum(float(np.ptp(values)) for values in worth)
        worth = [scale * (values - values.mean()) for values in worth]
        worth = [values + MEAN / len(worth) for values in worth]
        sizes = [(len(a), len(b)) for a, b in pairwise(worth)]
        pairs = [np.zeros(size) for size in sizes]
        if kind == "adjacent":
            spread = np.sqrt(PAIRS * sum(float(v.var()) for v in worth) / max(len(pairs), 1))
            pairs = [spread * rng.standard_normal(size) for size in sizes]
        return cls(tuple(worth), tuple(pairs), NOISE * RANGE if kind == "noisy" else 0.0, seed)

    def accuracy(self, architecture: Architecture) -> float:
        """Percent, without noise; higher is better."""
        genes = architecture.genes
        alone = sum(values[gene] for values, gene in zip(self.worth, genes, strict=True))
        neighbours = zip(self.pairs, genes, genes[1:], strict=False)
        return float(alone + sum(pair[one, two] for pair, one, two in neighbours))

    def observed(self, architecture: Architecture) -> float:
        """Percent, through this network's noise."""
        if not self.noise:
            return self.accuracy(architecture)
        name = f"{self.seed} {architecture.genes}".encode()
        rng = np.random.default_rng(int.from_bytes(hashlib.sha256(name).digest()[:8], "big"))
        return self.accuracy(architecture) + self.noise * float(rng.standard_normal())


def _by_flops(space: SearchSpace, position: int) -> list[int]:
    """The rank of each choice of a position by the FLOPs of a network with it, from 0 on."""
    first = (0,) * len(space.choices)
    sizes = [
        space.flops(space.of((*first[:position], gene, *first[position + 1 :])), Shape())
        for gene in range(len(space.choices[position]))
    ]
    order = sorted(range(len(sizes)), key=sizes.__getitem__)
    return [order.index(gene) for gene in range(len(sizes))]


class KnownTruthPredictor(AccuracyPredictor):
    """Observes a made truth. DatasetError: ``dataset`` names none."""

    name = "known-truth"
    unit = "made accuracy, %"

    def __init__(self, space: SearchSpace, dataset: str) -> None:
        self.truth = Truth.draw(space, *named(dataset))
        self.source = f"made up for benchmarks: {dataset}"

    def predict(self, architectures: Sequence[Architecture]) -> Iterator[Prediction]:
        for architecture in architectures:
            yield Prediction(self.truth.observed(architecture), self.truth.noise)


def is_made(dataset: str) -> bool:
    """Whether a data set is the name of a made truth, ``KIND-SEED``."""
    match = _NAME.fullmatch(dataset)
    return match is not None and match["kind"] in KINDS


def named(dataset: str) -> tuple[Kind, int]:
    """The kind and the seed of ``KIND-SEED``. DatasetError: anything else."""
    match = _NAME.fullmatch(dataset)
    kind = next((kind for kind in KINDS if match and match["kind"] == kind), None)
    if match is None or kind is None:
        raise DatasetError(
            f"accuracy 'known-truth' takes a data set KIND-SEED with KIND one of"
            f" {', '.join(KINDS)}, found {dataset[:40]!r}: write for example additive-0"
        )
    return kind, int(match["seed"])
