"""Where a search proposes, against the space, and who designed what it shows."""

from collections import Counter
from collections.abc import Iterable, Mapping, Sequence

import numpy as np

from pelnas.architecture import Architecture
from pelnas.pareto import Floats
from pelnas.spaces import SearchSpace

FIFTHS = (0.2, 0.4, 0.6, 0.8)  # quantiles of the latency of the space that bound its fifths
BLOCK = 60  # evaluations over which an entropy is taken: a round of the default search


def fifths(latencies: Floats, space: Floats) -> list[float]:
    """Share of proposals in each fifth of the space by latency, fastest first, then what cannot run.

    ``latencies`` (n,): of the proposals, infinite where the device cannot run one; ``space`` (m,):
    of the feasible space. Proposals that follow the space have a fifth in each.
    """
    runs = latencies[np.isfinite(latencies)]
    places = np.searchsorted(np.quantile(space, FIFTHS), runs, side="left")
    counts = [*np.bincount(places, minlength=len(FIFTHS) + 1), len(latencies) - len(runs)]
    return [float(count) / len(latencies) for count in counts]


def operations(space: SearchSpace, proposed: Sequence[Architecture]) -> dict[str, float]:
    """Share of each operation among all choices of the proposals."""
    counts = Counter(op for each in proposed for op in space.chosen(each))
    total = sum(counts.values())
    return {op: counts[op] / total for op in space.operations}


def operations_of(space: SearchSpace) -> dict[str, float]:
    """The same where every network is as likely as any other."""
    shares = dict.fromkeys(space.operations, 0.0)
    for options in space.choices:
        for op in options:
            shares[op] += 1 / len(options) / len(space.choices)
    return shares


def entropies(proposed: Sequence[Architecture]) -> list[float]:
    """Mean entropy of the choices over positions in bits, for each block of proposals."""
    genes = np.array([each.genes for each in proposed])
    blocks = [genes[start : start + BLOCK] for start in range(0, len(genes), BLOCK)]
    return [float(np.mean([_entropy(column) for column in block.T])) for block in blocks]


def _entropy(values: Iterable[int]) -> float:
    shares = np.array(list(Counter(np.asarray(values).tolist()).values()), dtype=float)
    shares /= shares.sum()
    return float(-(shares * np.log2(shares)).sum())


def designed(authors: Sequence[str], front: Iterable[int]) -> Mapping[str, tuple[int, int]]:
    """Of each author: designs, and those on the front. ``front``: places among ``authors``."""
    if not authors:
        return {}
    made, shown = Counter(authors), Counter(authors[place] for place in front)
    return {author: (count, shown[author]) for author, count in made.most_common()}
