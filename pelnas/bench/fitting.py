"""Fits the trees of the predictor ``transfer``, and trees that have not seen what they judge.

Half of the members see standings of proxies and the structure of the cells
that were scored; the other half see the structure alone, but of every cell that
was trained. Isomorphic cells share their accuracy up to noise, so whatever is
held out is held out with its whole isomorphism class.
"""

import zlib
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from functools import cached_property
from pathlib import Path

import numpy as np
from numpy.typing import NDArray
from sklearn.ensemble import GradientBoostingRegressor

from pelnas.architecture import Architecture
from pelnas.bench.validation import sample_texts
from pelnas.cache import Cache
from pelnas.config import Scoring
from pelnas.images import ImageSet
from pelnas.predictors.reference import Reference
from pelnas.predictors.transfer import (
    PROXIES,
    SPACE,
    Fitted,
    columns_of,
    exponential_scores,
    row_of,
)
from pelnas.predictors.trees import LEAF, Floats, Trees
from pelnas.proxies.scoring import ProxyScores
from pelnas.spaces import SearchSpace, get_space
from pelnas.tables import true_accuracy

MEMBERS = 3  # that see proxies, and as many that see the structure alone
FOLDS = 5
DATASETS = ("cifar10", "cifar100")
CELLS = 3200
CELLS_SEED = 201  # draws the cells
SCORING_SEED = 0  # draws weights and images
REFERENCE = 64  # cells whose scores on new images set the scale of proxies there
BOOSTING: Mapping[str, float | int] = {
    "n_estimators": 300,
    "learning_rate": 0.04,
    "max_depth": 5,
    "min_samples_leaf": 5,
    "subsample": 0.5,
    "max_features": 0.3,
}
BOOSTING_STRUCTURE = {**BOOSTING, "learning_rate": 0.06, "max_depth": 6}  # ten times the cells


@dataclass(frozen=True, eq=False)
class Sample:
    """Trained cells, some of them with raw proxies on one batch of images.

    ``targets``: for each data set the mid-rank of test accuracy among all
    ``cells``, between 0 and 1, (n,). ``scored`` (k,): which of the cells have ``proxies``.
    """

    space: SearchSpace
    cells: tuple[Architecture, ...]
    targets: Mapping[str, Floats]
    scored: NDArray[np.int64]
    proxies: tuple[Mapping[str, float], ...]

    @classmethod
    def of(
        cls,
        space: SearchSpace,
        accuracies: Mapping[str, Mapping[str, float]],
        proxies: Mapping[str, Mapping[str, float]],
    ) -> "Sample":
        """``accuracies``: of test, by text, by data set; ``proxies``: by name, by text."""
        texts = list(next(iter(accuracies.values())))
        place = {text: row for row, text in enumerate(texts)}
        ranks = {
            dataset: _ranks(np.array([accuracy[text] for text in texts]))
            for dataset, accuracy in accuracies.items()
        }
        scored = np.array([place[text] for text in proxies])
        cells = tuple(map(space.parse, texts))
        return cls(space, cells, ranks, scored, tuple(proxies.values()))

    @cached_property
    def names(self) -> tuple[str, ...]:
        """The columns of the trees."""
        return columns_of(self.space, self.cells)

    def reference(self) -> Reference:
        """The first scored cells, with their standings among all scored ones."""
        cells = tuple(self.space.index(self.cells[i]) for i in self.scored[:REFERENCE])
        standings = [_ranks(np.array([v[name] for v in self.proxies])) for name in PROXIES]
        return Reference(PROXIES, cells, np.column_stack(standings)[:REFERENCE])

    def rows(self, reference: Reference) -> Floats:
        """Columns (k, names) of the scored cells, with standings as a predictor gets them."""
        known = self.proxies[:REFERENCE]
        scales = {name: reference.scale(name, [v[name] for v in known]) for name in PROXIES}
        return np.array(
            [
                row_of(
                    self.space,
                    self.names,
                    self.cells[i],
                    [scale(values[name]) for name, scale in scales.items()],
                )
                for i, values in zip(self.scored, self.proxies, strict=True)
            ]
        )

    def structure(self) -> Floats:
        """The columns (n, names without proxies) of all cells."""
        return np.array([row_of(self.space, self.names, cell) for cell in self.cells])


def load_sample(
    folder: Path,
    images: ImageSet,
    scoring: Scoring,
    cache: Cache,
    cells: int = CELLS,
    progress: Callable[[int], None] = lambda _done: None,
) -> Sample:
    """Seeded random cells of NAS-Bench-201, dead ones too, with proxies from the cache or scored.

    ``folder`` holds test accuracies of ``DATASETS``. DataError, DatasetError: what it lacks.
    """
    space = get_space(SPACE)
    accuracies = {dataset: true_accuracy(folder, dataset) for dataset in DATASETS}
    texts = sample_texts(list(accuracies[DATASETS[0]]), cells, CELLS_SEED)
    scores = ProxyScores(space, images, PROXIES, scoring, SCORING_SEED, cache)
    found: list[Mapping[str, float]] = []
    try:
        for values in scores.of(texts):
            found.append(values)
            progress(len(found))
    finally:
        scores.close()
    return Sample.of(space, accuracies, dict(zip(texts, found, strict=True)))


def fit(sample: Sample, datasets: Sequence[str], seed: int) -> Fitted:
    """Trees for the mean rank on ``datasets``, as exponential scores; ``scale`` by cross-fitting.

    Deterministic for equal arguments.
    """
    scale = cross_fit(sample, datasets, seed)[0].scale
    everything = np.ones(len(sample.cells), dtype=np.bool_)
    trees = _Fit(sample, datasets).on(everything, np.random.default_rng(seed))
    return Fitted(replace(trees, scale=scale), sample.reference())


def cross_fit(sample: Sample, datasets: Sequence[str], seed: int) -> tuple[Trees, ...]:
    """For each fold of isomorphism classes (``fold_of``) trees that saw no cell of it."""
    fitting = _Fit(sample, datasets)
    folds = np.array([fold_of(sample.space, cell) for cell in sample.cells])
    held = folds[sample.scored]
    fitted, expected, deviation = [], np.zeros(len(held)), np.zeros(len(held))
    for fold in range(FOLDS):
        trees = fitting.on(folds != fold, np.random.default_rng((seed, fold)))
        expected[held == fold], deviation[held == fold] = trees.predict(fitting.rows[held == fold])
        fitted.append(trees)
    errors = fitting.target[sample.scored] - expected
    scale = float(np.sqrt(np.mean(errors**2) / np.mean(deviation**2)))
    return tuple(replace(trees, scale=scale) for trees in fitted)


def fold_of(space: SearchSpace, cell: Architecture) -> int:
    """The fold of any cell of the space, by its isomorphism key."""
    return zlib.crc32(space.key(cell).encode()) % FOLDS


class _Fit:
    """What every fold of one fit shares."""

    def __init__(self, sample: Sample, datasets: Sequence[str]) -> None:
        self._sample = sample
        self.rows = sample.rows(sample.reference())
        self._structure = sample.structure()
        ranks = np.mean([sample.targets[name] for name in datasets], axis=0)
        self.target = exponential_scores(ranks)

    def on(self, cells: NDArray[np.bool_], rng: np.random.Generator) -> Trees:
        """Trees from the cells of a mask (n,), with ``scale`` 1."""
        scored = cells[self._sample.scored]
        seen = self.rows[scored], self.target[self._sample.scored][scored]
        more = self._structure[cells], self.target[cells]
        models = []
        for _ in range(MEMBERS):
            for settings, (columns, target) in ((BOOSTING, seen), (BOOSTING_STRUCTURE, more)):
                model = GradientBoostingRegressor(**settings, random_state=int(rng.integers(2**31)))
                models.append(model.fit(columns, target))
        return as_arrays(self._sample.names, models)


def as_arrays(names: tuple[str, ...], fitted: Sequence[GradientBoostingRegressor]) -> Trees:
    """The trees of scikit-learn's models, one node after the other.

    A model of fewer columns than there are names was fitted to the last ones.
    """
    roots, parts, count = [], [], 0
    for model in fitted:
        own = []
        skipped = len(names) - model.n_features_in_
        for tree in (stage.tree_ for stage in model.estimators_[:, 0]):
            leaf = tree.children_left < 0
            parts.append(
                (
                    np.where(leaf, LEAF, tree.feature + skipped),
                    np.where(leaf, 0.0, tree.threshold),
                    np.where(leaf, 0, tree.children_left + count),
                    np.where(leaf, 0, tree.children_right + count),
                    np.where(leaf, model.learning_rate * tree.value[:, 0, 0], 0.0),
                )
            )
            own.append(count)
            count += tree.node_count
        roots.append(own)
    feature, threshold, left, right, value = (np.concatenate(p) for p in zip(*parts, strict=True))
    start = [float(model.init_.constant_[0, 0]) for model in fitted]
    return Trees(
        names=names,
        scale=1.0,
        start=np.array(start, dtype=np.float32),
        roots=np.array(roots, dtype=np.int32),
        feature=feature.astype(np.int16),
        threshold=threshold.astype(np.float32),
        left=left.astype(np.int32),
        right=right.astype(np.int32),
        value=value.astype(np.float32),
    )


def _ranks(values: Floats) -> Floats:
    from scipy.stats import rankdata

    ranks: Floats = (rankdata(values) - 0.5) / len(values)
    return ranks
