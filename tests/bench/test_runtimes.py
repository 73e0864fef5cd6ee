"""What clocks that disagree cost."""

from pathlib import Path

import numpy as np
import pytest

from pelnas.architecture import Shape
from pelnas.bench.runtimes import (
    FLOPS,
    _repeat,
    agreements,
    duels,
    front_losses,
    latencies,
    repeated,
)
from pelnas.cache import Cache
from pelnas.config import Budget, Measurement, Scoring, SearchConfig
from pelnas.spaces import get_space


def test_agreement_by_its_definition() -> None:
    columns = {
        "onnxruntime": np.array([1.0, 2.0, 3.0, 4.0]),
        "torch": np.array([2.0, 8.0, 6.0, 16.0]),
        FLOPS: np.array([1.0, 2.0, 3.0, 4.0]),
    }
    first, counted, _ = agreements(columns)
    assert (first.first, first.second, first.networks) == ("onnxruntime", "torch", 4)
    assert first.spearman == pytest.approx(1 - 6 * 2 / (4 * 15))  # two neighbours swapped
    assert first.kendall == pytest.approx(4 / 6)
    assert first.ratio == pytest.approx(np.median([1 / 2, 2 / 8, 3 / 6, 4 / 16]))
    assert (counted.spearman, counted.ratio) == (pytest.approx(1.0), None)


def test_a_front_by_another_clock_loses_what_that_clock_does_not_see() -> None:
    scores = np.array([0.0, 0.5, 1.0])
    columns = {"onnxruntime": np.array([0.0, 0.5, 1.0]), "torch": np.array([1.0, 3.0, 2.0])}
    (loss,) = front_losses(columns, scores, "onnxruntime")
    assert (loss.runtime, loss.members, loss.kept) == ("torch", 2, 2)
    assert loss.share == pytest.approx(0.0)  # the two ends alone dominate no area of their box


def test_every_network_is_measured_by_every_clock(tmp_path: Path) -> None:
    space, shape = get_space("tiny"), Shape.square(10, 16)
    chosen = [space.at(3), space.at(80)]
    few = Measurement(warmup=1, repeats=6)
    columns = latencies(
        space, shape, chosen, ["onnxruntime", "torch"], few, Cache(tmp_path / "c.sqlite")
    )
    assert list(columns) == ["onnxruntime", "torch", FLOPS]
    assert all(column.shape == (2,) and (column > 0).all() for column in columns.values())
    assert columns[FLOPS].tolist() == [space.flops(each, shape) for each in chosen]


def test_measurements_are_repeated_in_both_ways(tmp_path: Path) -> None:
    space, shape = get_space("tiny"), Shape.square(10, 16)
    few = Measurement(warmup=1, repeats=6)
    chosen = [space.at(place) for place in (0, 80, 124)]
    found = repeated(space, shape, chosen, few, 2, Cache(tmp_path / "c.sqlite"))
    assert [one.way for one in found] == ["beside a reference", "by itself"]
    assert all((one.times, one.networks) == (2, 3) for one in found)
    assert all(-1 <= one.lowest <= one.spearman <= 1 for one in found)
    assert all(one.deviation >= 0 and one.seconds > 0 for one in found)


def test_a_deviation_by_its_definition() -> None:
    latencies = np.array([[1.0, 2.0, 4.0], [1.1, 2.2, 1.0]])
    found = _repeat("a", latencies, 0.5)
    # of two values the variance is half of the squared difference
    squares = [np.log(1.1) ** 2, np.log(1.1) ** 2, np.log(4.0) ** 2]
    assert found.deviation == pytest.approx(np.sqrt(np.mean(squares) / 2))
    assert found.spearman == found.lowest == pytest.approx(-0.5)  # orders 123 and 231


def test_searches_by_either_clock_are_judged_in_one_box(tmp_path: Path) -> None:
    config = SearchConfig(
        space="tiny",
        output=tmp_path,
        rounds=1,
        per_niche=2,
        budget=Budget(evaluations=6),
        scoring=Scoring(resolution=8, batch=8, workers=1),
        measurement=Measurement(warmup=1, repeats=6),
    )
    (duel,) = duels(config, [0])
    assert min(duel.deployed, duel.interpreter) >= 0
    assert max(duel.deployed, duel.interpreter) <= 1
    assert duel.wins == (duel.deployed > duel.interpreter)
    names = sorted(path.name.split("-", 2)[2] for path in tmp_path.glob("2*"))
    assert names == ["search-onnxruntime", "search-torch"]
