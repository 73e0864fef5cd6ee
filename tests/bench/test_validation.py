"""The judge of predictors: figures from definitions, per niche, seeded."""

from collections.abc import Iterator, Sequence
from itertools import combinations
from math import isnan
from pathlib import Path

import numpy as np
import pytest

from pelnas.architecture import Architecture, Prediction, Shape
from pelnas.bench.validation import (
    draw_scatter,
    kendall,
    sample_texts,
    spearman,
    top_recall,
    validate,
)
from pelnas.errors import DataError
from pelnas.partition import partition_by_operations
from pelnas.predictors.base import AccuracyPredictor
from pelnas.spaces import get_space

SPACE = get_space("tiny")
PARTITION = partition_by_operations(SPACE, Shape.square(10, 8))
TRUTH = {SPACE.format(SPACE.at(i)): float(i) for i in range(SPACE.size)}


class ByIndex(AccuracyPredictor):
    """Knows the truth, turned upside down where it is told to."""

    name = "by-index"
    unit = "index"
    source = "the index"

    def __init__(self, sign: float = 1) -> None:
        self.sign = sign

    def predict(self, architectures: Sequence[Architecture]) -> Iterator[Prediction]:
        for architecture in architectures:
            yield Prediction(self.sign * SPACE.index(architecture), 2.0)


def test_a_perfect_order_and_its_reverse() -> None:
    best = validate(ByIndex(), PARTITION, TRUTH, 100, 3)
    worst = validate(ByIndex(-1), PARTITION, TRUTH, 100, 3)
    assert best.overall.kendall.value == pytest.approx(1.0)
    assert best.overall.kendall.low == pytest.approx(1.0)
    assert best.overall.top_recall == 1.0
    assert worst.overall.spearman.value == pytest.approx(-1.0)
    assert worst.overall.top_recall == 0.0
    assert best.points[0].uncertainty == 2.0


def test_niches_hold_the_sample_between_them() -> None:
    found = validate(ByIndex(), PARTITION, TRUTH, 60, 3)
    assert [niche.group for niche in found.niches] == [niche.label for niche in PARTITION.niches]
    assert sum(niche.count for niche in found.niches) == found.overall.count == 60
    for point in found.points:
        assert point.niche == PARTITION.locate(SPACE.parse(point.architecture))
        assert point.accuracy == TRUTH[point.architecture]


def test_the_sample_is_seeded_and_a_smaller_one_is_part_of_it() -> None:
    texts = list(TRUTH)
    assert sample_texts(texts, 20, 5) == sample_texts(texts, 50, 5)[:20]
    assert sample_texts(texts, 20, 5) != sample_texts(texts, 20, 6)
    assert validate(ByIndex(), PARTITION, TRUTH, 30, 5) == validate(
        ByIndex(), PARTITION, TRUTH, 30, 5
    )


def test_progress_is_told() -> None:
    heard: list[int] = []
    validate(ByIndex(), PARTITION, TRUTH, 12, 3, heard.append)
    assert heard == list(range(1, 13))


@pytest.mark.parametrize(("sample", "truth"), [(5, TRUTH), (50, dict(list(TRUTH.items())[:9]))])
def test_too_few_to_judge(sample: int, truth: dict[str, float]) -> None:
    with pytest.raises(DataError, match="at least 10 architectures"):
        validate(ByIndex(), PARTITION, truth, sample, 0)


def test_kendall_pair_by_pair() -> None:
    rng = np.random.default_rng(0)
    scores, truth = rng.normal(size=30), rng.normal(size=30)
    signs = [
        np.sign((scores[i] - scores[j]) * (truth[i] - truth[j]))
        for i, j in combinations(range(30), 2)
    ]
    assert kendall(scores, truth) == pytest.approx(float(np.mean(signs)))


def test_figures_without_meaning_are_nan() -> None:
    flat, rising = np.zeros(5), np.arange(5.0)
    assert isnan(kendall(flat, rising))
    assert isnan(spearman(rising[:2], rising[:2]))
    assert isnan(top_recall(rising[:0], rising[:0]))


def test_top_recall_counts_the_best_hundredth() -> None:
    truth = np.arange(200.0)
    half = truth.copy()
    half[198] = -1  # one of the two best is believed worst
    assert top_recall(truth, truth) == 1.0
    assert top_recall(half, truth) == 0.5


def test_the_scatter_is_a_picture(tmp_path: Path) -> None:
    found = validate(ByIndex(), PARTITION, TRUTH, 40, 3)
    path = tmp_path / "scatter.png"
    draw_scatter(found, [niche.label for niche in PARTITION.niches], path)
    assert path.read_bytes().startswith(b"\x89PNG")
