"""How far a predictor can be trusted: its order against accuracies that somebody trained.

A global correlation hides that all niches may be sorted badly inside, so
every figure is given for each niche too.
"""

import io
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from pelnas.errors import DataError
from pelnas.partition import Partition
from pelnas.predictors.base import AccuracyPredictor
from pelnas.report.canvas import blank, plain
from pelnas.store import write_atomically

Floats = NDArray[np.float64]

RESAMPLES = 200  # bootstrap samples behind an error bar
TOP = 0.01  # share that counts as the best


@dataclass(frozen=True)
class Interval:
    """A statistic with the 2.5 % and 97.5 % quantiles of its bootstrap; NaN where it has no meaning."""

    value: float
    low: float
    high: float


@dataclass(frozen=True)
class Agreement:
    """How a predictor orders one group of architectures; 1 is perfect, 0 is chance.

    ``top_recall``: share of the truly best 1 % (at least one) among the 1 % predicted best.
    """

    group: str
    count: int
    kendall: Interval
    spearman: Interval
    top_recall: float


@dataclass(frozen=True)
class Point:
    """One architecture as predicted and as trained (test accuracy, percent)."""

    architecture: str
    niche: int
    score: float
    uncertainty: float
    accuracy: float


@dataclass(frozen=True)
class Validation:
    """A predictor against a table, over one seeded sample."""

    predictor: str
    source: str
    seed: int
    overall: Agreement
    niches: tuple[Agreement, ...]
    points: tuple[Point, ...]


def validate(
    predictor: AccuracyPredictor,
    partition: Partition,
    truth: Mapping[str, float],
    sample: int,
    seed: int,
    progress: Callable[[int], None] = lambda _done: None,
) -> Validation:
    """A predictor's order of ``sample`` architectures drawn from ``truth`` by the seed.

    ``truth``: test accuracy in percent by official text (``pelnas.tables.true_accuracy``);
    a smaller sample of the same seed is a part of a larger one. ``progress``
    hears how many are predicted. DataError: a table with fewer than 10 architectures.
    """
    texts = sample_texts(list(truth), sample, seed)
    space = partition.space
    architectures = [space.parse(text) for text in texts]
    points = []
    for text, architecture, found in zip(
        texts, architectures, predictor.predict(architectures), strict=True
    ):
        niche = partition.locate(architecture)
        points.append(Point(text, niche, found.score, found.uncertainty, truth[text]))
        progress(len(points))
    rng = np.random.default_rng(seed)
    niches = tuple(
        _agreement(niche.label, [p for p in points if p.niche == niche.index], rng)
        for niche in partition.niches
    )
    overall = _agreement("all", points, rng)
    return Validation(predictor.name, predictor.source, seed, overall, niches, tuple(points))


def sample_texts(texts: Sequence[str], sample: int, seed: int) -> list[str]:
    """The first ``sample`` of the texts in the seed's random order. DataError: fewer than 10."""
    if min(len(texts), sample) < 10:
        raise DataError(
            f"expected at least 10 architectures to validate on, found {len(texts)} in the table"
            f" and a sample of {sample}: use a larger one"
        )
    return [texts[i] for i in np.random.default_rng(seed).permutation(len(texts))[:sample]]


def _agreement(group: str, points: Sequence[Point], rng: np.random.Generator) -> Agreement:
    scores = np.array([point.score for point in points])
    truth = np.array([point.accuracy for point in points])
    return Agreement(
        group,
        len(points),
        _figure(kendall, scores, truth, rng),
        _figure(spearman, scores, truth, rng),
        top_recall(scores, truth),
    )


def _figure(
    statistic: Callable[[Floats, Floats], float],
    scores: Floats,
    truth: Floats,
    rng: np.random.Generator,
) -> Interval:
    value = statistic(scores, truth)
    if not np.isfinite(value):
        return Interval(float("nan"), float("nan"), float("nan"))
    drawn = (rng.integers(len(scores), size=len(scores)) for _ in range(RESAMPLES))
    found = np.array([statistic(scores[each], truth[each]) for each in drawn])
    low, high = np.nanquantile(found, [0.025, 0.975])
    return Interval(value, float(low), float(high))


def kendall(scores: Floats, truth: Floats) -> float:
    """Kendall's tau-b; NaN for fewer than 3 or for equal values only."""
    from scipy.stats import kendalltau

    return float(kendalltau(scores, truth).statistic) if _ordered(scores, truth) else float("nan")


def spearman(scores: Floats, truth: Floats) -> float:
    """Spearman's rho; NaN for fewer than 3 or for equal values only."""
    from scipy.stats import spearmanr

    return float(spearmanr(scores, truth).statistic) if _ordered(scores, truth) else float("nan")


def _ordered(scores: Floats, truth: Floats) -> bool:
    return len(scores) >= 3 and bool(np.ptp(scores) > 0 and np.ptp(truth) > 0)


def top_recall(scores: Floats, truth: Floats) -> float:
    """Share of the truly best 1 % among as many predicted best; NaN for none."""
    if len(scores) == 0:
        return float("nan")
    count = max(1, round(TOP * len(scores)))
    best = np.argsort(-truth, kind="stable")[:count]
    believed = np.argsort(-scores, kind="stable")[:count]
    return len(set(best.tolist()) & set(believed.tolist())) / count


@plain()
def draw_scatter(validation: Validation, labels: Sequence[str], path: Path) -> None:
    """A picture of predicted score against test accuracy, one colour a niche, written to ``path``.

    ``labels``: of the niches by index. Accuracies below the lowest twentieth are
    drawn at the edge, since networks that learned nothing would squeeze the rest.
    """
    picture = blank((7, 5), 150, layout="constrained")
    axes = picture.add_subplot()
    floor = float(np.quantile([point.accuracy for point in validation.points], 0.05))
    for index, label in enumerate(labels):
        own = [point for point in validation.points if point.niche == index]
        axes.scatter(
            [point.score for point in own],
            [max(point.accuracy, floor) for point in own],
            s=8,
            alpha=0.6,
            label=label,
        )
    tau = validation.overall.kendall
    axes.set_title(
        f"{validation.predictor}: Kendall {tau.value:.3f} ({tau.low:.3f} to {tau.high:.3f}),"
        f" {validation.overall.count} architectures"
    )
    axes.set_xlabel("predicted score")
    axes.set_ylabel("test accuracy, % (trained)")
    axes.legend(fontsize="small", frameon=False)
    buffer = io.BytesIO()
    picture.savefig(buffer, format="png", metadata={"Software": "pelnas"})
    write_atomically(path, buffer.getvalue(), shared=True)
