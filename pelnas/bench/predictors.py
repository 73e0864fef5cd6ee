"""Evidence on ``transfer`` and ``few-shot``: order and fronts, on what their fits did not see.

*Leave one data set out*: fitted to accuracies of one data set only and judged
on the other; within that, each cell is judged by trees that saw no cell of
its isomorphism class. *As shipped*: fitted on both data sets, with classes
held out alike. The two are never mixed in one figure. There are CIFAR-10
images only, so proxies are those of CIFAR-10 images with a head of ten classes
whatever the data set of the accuracies.
"""

from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import closing
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path

import numpy as np

from pelnas.architecture import Architecture, Prediction, Shape
from pelnas.bench.fitting import CELLS_SEED, DATASETS, SCORING_SEED, Sample, cross_fit, fold_of
from pelnas.bench.truth import Truth
from pelnas.bench.validation import Agreement, validate
from pelnas.cache import Cache
from pelnas.config import Scoring, SearchConfig
from pelnas.errors import DataError
from pelnas.graph.runs.search import Search
from pelnas.graph.session.problem import sources_of
from pelnas.images import ImageSet
from pelnas.pareto import minimised, non_dominated
from pelnas.partition import partition_by_operations
from pelnas.predictors.base import AccuracyPredictor
from pelnas.predictors.few_shot import FewShot, HeldOut, Known, suggest_labels
from pelnas.predictors.labels import Label
from pelnas.predictors.rank_sum import RankSum
from pelnas.predictors.transfer import Fitted, Transfer
from pelnas.predictors.trees import Trees
from pelnas.spaces import SearchSpace, get_space
from pelnas.store import RunStore
from pelnas.tables import accuracy_column, true_accuracy

LABELS = 50  # trained accuracies that few-shot gets
BATCH = 10  # of them at once: the predictor chooses the next with what the last taught it


class Unseen(Transfer):
    """``transfer`` with trees that were fitted without the isomorphism class of what they judge."""

    def __init__(
        self,
        space: SearchSpace,
        folds: Sequence[Fitted],
        datasets: Sequence[str],
        images: ImageSet,
        scoring: Scoring,
        cache: Cache,
    ) -> None:
        """``folds``: as ``fit_folds`` makes them, of the accuracies of ``datasets``."""
        super().__init__(space, images, scoring, SCORING_SEED, cache, folds[0])
        self._folds = [fitted.trees for fitted in folds]
        self.source = f"fitted to {' and '.join(datasets)}, isomorphism classes held out"

    def _trees(self, architecture: Architecture) -> Trees:
        return self._folds[fold_of(self._space, architecture)]


def fit_folds(sample: Sample, datasets: Sequence[str]) -> list[Fitted]:
    """For each fold of isomorphism classes a fit that saw no cell of it; takes some minutes."""
    reference = sample.reference()
    return [Fitted(trees, reference) for trees in cross_fit(sample, datasets, seed=0)]


@dataclass(frozen=True)
class Order:
    """How ``transfer`` orders cells that it did not see. ``fitted``: the data sets of the fit.

    ``within``: share of cells whose rank is less than one stated deviation from the truth
    (0.68 where errors are normal).
    """

    fitted: tuple[str, ...]
    judged: str
    agreement: Agreement
    within: float


@dataclass(frozen=True)
class Front:
    """A front that a predictor found, judged by test accuracy against the true front.

    ``ratio``: of hypervolumes, 1 is the true front; ``igd``: lower is better.
    ``held_out``: of few-shot's fit, ``None`` for the others.
    """

    predictor: str
    judged: str
    device: str
    seed: int
    evaluations: int
    ratio: float
    igd: float
    held_out: HeldOut | None = None


@dataclass(frozen=True, eq=False)
class Evidence:
    """Everything that the figures need, from one sample of cells."""

    data: Path
    sample: Sample
    images: ImageSet
    scoring: Scoring
    cache: Cache

    def predictor(self, name: str, judged: str) -> AccuracyPredictor:
        """``rank-sum``, or ``transfer`` fitted on every data set but the one that judges."""
        if name == "transfer":
            return self._transfer[judged]
        return RankSum(self.sample.space, self.images, self.scoring, SCORING_SEED, self.cache)

    @cached_property
    def _transfer(self) -> dict[str, Unseen]:
        return {judged: self._unseen([d for d in DATASETS if d != judged]) for judged in DATASETS}

    def _unseen(self, datasets: Sequence[str]) -> Unseen:
        folds = fit_folds(self.sample, datasets)
        space = self.sample.space
        return Unseen(space, folds, datasets, self.images, self.scoring, self.cache)

    def orders(self, cells: int) -> Iterator[Order]:
        """Leave one data set out in both directions, then as shipped on both."""
        for judged in DATASETS:
            predictor = self._transfer[judged]
            yield self._order(predictor, [d for d in DATASETS if d != judged], judged, cells)
        shipped = self._unseen(DATASETS)
        for judged in DATASETS:
            yield self._order(shipped, DATASETS, judged, cells)

    def _order(
        self, predictor: AccuracyPredictor, fitted: Sequence[str], judged: str, cells: int
    ) -> Order:
        partition = partition_by_operations(self.sample.space, Shape(10, *self.scoring.size))
        truth = true_accuracy(self.data, judged)
        with closing(predictor):
            found = validate(predictor, partition, truth, cells, CELLS_SEED)
        ranks = dict(zip(self.sample.cells, self.sample.targets[judged].tolist(), strict=True))
        space = self.sample.space
        near = [
            abs(point.score - ranks[space.parse(point.architecture)]) < point.uncertainty
            for point in found.points
        ]
        return Order(tuple(fitted), judged, found.overall, float(np.mean(near)))

    def fronts(
        self,
        name: str,
        config: SearchConfig,
        devices: Sequence[str],
        seeds: Sequence[int],
        on_front: Callable[[Front], None] = lambda _: None,
    ) -> Iterator[Front]:
        """For each data set, device and seed: the front of a whole search, then of few-shot.

        Few-shot gets validation accuracies of ``LABELS`` architectures, chosen by
        itself among those that the search evaluated, and orders the same
        candidates anew. ``config`` names tables and images.
        """
        for judged in DATASETS:
            accuracy = accuracy_column(self.data, judged, "val").read()
            predictor = self.predictor(name, judged)
            for device in devices:
                truth = Truth.load(self.data, judged, device)
                for seed in seeds:
                    changed = {"dataset": judged, "device": device, "seed": seed}
                    own = config.model_copy(update={**changed, "accuracy": name})
                    folder = search_with(own, predictor)
                    for each in (
                        _searched(folder, name, judged, truth),
                        _labelled(folder, predictor, judged, truth, accuracy),
                    ):
                        on_front(each)
                        yield each


def search_with(config: SearchConfig, predictor: AccuracyPredictor) -> Path:
    """The run's folder of a whole search guided by a predictor that no configuration names."""
    search = Search(config)
    bench = search.session.problem
    bench.evaluator.predictor.close()
    bench.evaluator.predictor = predictor
    search.session.store.set_sources(sources_of(bench))
    return search.run().folder


def _searched(folder: Path, name: str, judged: str, truth: Truth) -> Front:
    known, _ = _evaluated(folder, name)
    return _front(folder, name, judged, truth, known, None)


def _labelled(
    folder: Path,
    base: AccuracyPredictor,
    judged: str,
    truth: Truth,
    accuracy: Mapping[str, float],
) -> Front:
    known, stored = _evaluated(folder, base.name)
    found, predictor = relabelled(known, stored, stored.space, accuracy, LABELS)
    if predictor is None:
        raise DataError(f"expected feasible candidates in {folder}, found none: search longer")
    name = f"few-shot from {base.name}"
    return _front(folder, name, judged, truth, found, predictor.held_out)


def relabelled(
    known: Sequence[Known],
    base: AccuracyPredictor,
    space: SearchSpace,
    accuracy: Mapping[str, float],
    count: int,
) -> tuple[Sequence[Known], FewShot | None]:
    """What few-shot expects of candidates once ``count`` of them, chosen by itself, have labels.

    ``base``: predicts the candidates; ``accuracy``: percent, by architecture. ``None``: there
    was nothing to label.
    """
    labels: list[Label] = []
    found, predictor = known, None
    while len(labels) < count:
        wanted = min(BATCH, count - len(labels))
        texts = suggest_labels(found, [label.architecture for label in labels], wanted)
        if not texts:
            break
        labels += [Label(text, accuracy[text]) for text in texts]
        predictor = FewShot(space, base, labels)
        again = predictor.predict([space.parse(each.architecture) for each in known])
        found = [
            Known(each.architecture, new.score, new.uncertainty, each.latency_ms)
            for each, new in zip(known, again, strict=True)
        ]
    return found, predictor


def _front(
    folder: Path,
    name: str,
    judged: str,
    truth: Truth,
    known: Sequence[Known],
    held_out: HeldOut | None,
) -> Front:
    points = minimised([each.latency_ms for each in known], [each.score for each in known])
    mask = non_dominated(points)
    chosen = [each.architecture for each, kept in zip(known, mask, strict=True) if kept]
    ratio, distance = truth.judge(chosen)
    with RunStore.read(folder) as store:
        device, seed = store.config.device, store.config.seed
    return Front(name, judged, device, seed, len(known), ratio, distance, held_out)


def _evaluated(folder: Path, name: str) -> tuple[list[Known], "_Stored"]:
    with RunStore.read(folder) as store:
        evaluations = store.evaluations()
        stored = _Stored(store, name)
    known = [
        Known(e.candidate.architecture, e.score, e.prediction.uncertainty, e.latency_ms)
        for e in evaluations
    ]
    return known, stored


class _Stored(AccuracyPredictor):
    """A run's stored predictions, once more."""

    source = "as recorded"

    def __init__(self, store: RunStore, name: str) -> None:
        self.name, self.unit = name, store.sources().unit
        self.space = get_space(store.config.space)
        self._known = {
            self.space.parse(e.candidate.architecture): e.prediction for e in store.evaluations()
        }

    def predict(self, architectures: Sequence[Architecture]) -> Iterator[Prediction]:
        return (self._known[each] for each in architectures)
