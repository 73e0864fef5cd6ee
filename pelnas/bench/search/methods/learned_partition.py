"""A learned partition in the manner of LaMOO (Zhao et al., ICLR 2022).

A tree over what was tried: at each node a support vector machine separates the half with the
lower dominance numbers (how many others dominate a network) from the rest. The path of the
largest upper confidence bound, by the hypervolume of a node's networks, leads to the leaf in
which new networks are sampled. LaMOO samples the leaf by CMA-ES or qEHVI; here, with categorical
choices, by mutation and crossover within it and by uniform draws, rejected outside of it.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from pelnas.architecture import Architecture
from pelnas.bench.search.methods.encoding import children, one_hot, strangers
from pelnas.bench.search.problem import Trial
from pelnas.pareto import Floats, hypervolume

BATCH = 10  # networks evaluated between two trees
FEWEST = 20  # networks of a node below which it is not split
DEPTH = 6
EXPLORATION = 0.1  # of the upper confidence bound, times the largest hypervolume, as in the paper
CANDIDATES = 200  # networks drawn for a batch before those outside the leaf are rejected


@dataclass(frozen=True, eq=False)
class Split:
    """One decision on the way to a leaf: the side of a classifier that was taken."""

    classifier: Any
    good: bool

    def holds(self, rows: Floats) -> NDArray[np.bool_]:
        """Mask (n,) of the rows on that side."""
        return np.asarray(self.classifier.predict(rows) == self.good)


def search(trial: Trial) -> None:
    """A tree and a batch from its most promising leaf, in turn."""
    trial.evaluate(trial.first)
    while True:
        members = list(trial.tried)
        seen = trial.finite(trial.points)
        path, inside = _descend(trial, members, seen)
        trial.evaluate(_sampled(trial, path, [members[i] for i in inside]))


def dominance(points: Floats) -> NDArray[np.int64]:
    """How many of the points (n, k) dominate each (n,)."""
    no_worse = np.all(points[:, None] <= points[None], axis=2)
    better = np.any(points[:, None] < points[None], axis=2)
    return np.asarray((no_worse & better).sum(axis=0))


def _descend(
    trial: Trial, members: Sequence[Architecture], seen: Floats
) -> tuple[list[Split], NDArray[np.intp]]:
    """The decisions on the way to the most promising leaf, and its members."""
    rows, numbers = one_hot(trial.space, members), dominance(seen)
    box = seen.min(axis=0), seen.max(axis=0)
    bonus = EXPLORATION * hypervolume(seen, box)
    path: list[Split] = []
    inside = np.arange(len(members))
    while len(inside) >= FEWEST and len(path) < DEPTH:
        split = _split(rows[inside], numbers[inside], trial.rng)
        if split is None:
            break
        good = split.predict(rows[inside]).astype(bool)
        if good.all() or not good.any():
            break
        bounds = [
            hypervolume(seen[inside[side]], box)
            + 2 * bonus * np.sqrt(2 * np.log(len(inside)) / side.sum())
            for side in (good, ~good)
        ]
        taken = bounds[0] >= bounds[1]
        path.append(Split(split, taken))
        inside = inside[good if taken else ~good]
    return path, inside


def _split(rows: Floats, numbers: NDArray[np.int64], rng: np.random.Generator) -> Any:
    """A classifier of the better half; ``None`` where all are equally good."""
    from sklearn.svm import SVC

    good = numbers <= np.median(numbers)
    if good.all():
        good = numbers < np.median(numbers)
    if not good.any():
        return None
    machine = SVC(kernel="rbf", gamma="scale", random_state=int(rng.integers(2**31)))
    return machine.fit(rows, good)


def _sampled(
    trial: Trial, path: Sequence[Split], members: Sequence[Architecture]
) -> list[Architecture]:
    """New networks of the leaf; where there are none, random ones."""
    drawn = [*children(trial, members, CANDIDATES), *strangers(trial, CANDIDATES)]
    drawn = list(dict.fromkeys(drawn))
    if not drawn:
        return [trial.space.sample(trial.rng)]
    rows = one_hot(trial.space, drawn)
    kept = np.ones(len(drawn), dtype=bool)
    for split in path:
        kept &= split.holds(rows)
    inside = np.flatnonzero(kept)
    chosen = trial.rng.permutation(inside if len(inside) else len(drawn))[:BATCH]
    return [drawn[i] for i in chosen.tolist()]
