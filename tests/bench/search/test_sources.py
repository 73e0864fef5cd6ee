"""What guides the searches of a cell, and what judges them."""

from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pytest
from pyarrow import parquet

from pelnas.bench.search import unseen
from pelnas.bench.search.labelling import ordered_anew
from pelnas.bench.search.problem import Cell, Labels
from pelnas.bench.search.sources import problem_of
from pelnas.bench.search.unseen import base_of, others
from pelnas.bench.validation import kendall
from pelnas.config import SearchConfig
from pelnas.errors import ConfigError, DataError, Stopped
from pelnas.images import load_images
from pelnas.predictors.transfer import MODEL, Fitted
from pelnas.spaces import get_space

TINY = get_space("tiny")
EVERYTHING = [TINY.at(index) for index in range(TINY.size)]
TEXTS = [TINY.format(each) for each in EVERYTHING]


@pytest.fixture
def data(tmp_path: Path) -> Path:
    """A device that cannot run the first cell; validation accuracy is test accuracy less ten."""
    columns = {
        "arch_str": TEXTS,
        "toy10__toy_latency": [-1.0, *(1.0 + i % 7 for i in range(1, TINY.size))],
        "toy10_val_acc_9": [50.0 + i % 11 for i in range(TINY.size)],
        "toy10_test_acc_9": [60.0 + i % 11 for i in range(TINY.size)],
    }
    parquet.write_table(pa.table(columns), tmp_path / "all.parquet")
    return tmp_path


def test_what_is_seen_and_what_judges(data: Path) -> None:
    config = SearchConfig(data=data)
    for accuracy, seen in (("table", 60.0), ("validation", 50.0)):
        problem = problem_of(Cell("tiny", "toy10", "toy", accuracy), config)
        points = problem.see(EVERYTHING)
        assert points[0].tolist() == [float("inf"), -seen]
        assert points[5].tolist() == [6.0, -seen - 5]
        assert problem.true_points(EVERYTHING)[5].tolist() == [6.0, -65.0]
        front = problem.yardstick.front
        assert front.tolist() == problem.true_points(problem.exact).tolist()
        labels = problem.covered(EVERYTHING, front)
        assert sum(tried for _, tried, _, _ in labels) == TINY.size
        assert all(held == found for _, _, held, found in labels)


def test_a_table_that_lacks_cells_is_one_sentence(data: Path) -> None:
    table = parquet.read_table(data / "all.parquet")
    parquet.write_table(table.slice(0, 100), data / "all.parquet")
    with pytest.raises(DataError, match=r"expected a row for every architecture of tiny"):
        problem_of(Cell("tiny", "toy10", "toy", "table"), SearchConfig(data=data))
    holes = table.set_column(
        3, "toy10_test_acc_9", pa.array([None, *[9.0] * (TINY.size - 1)], pa.float64())
    )
    parquet.write_table(holes, data / "all.parquet")
    with pytest.raises(DataError, match="found none for 1 of them"):
        problem_of(Cell("tiny", "toy10", "toy", "table"), SearchConfig(data=data))


def test_few_shot_orders_what_was_tried_by_labels(tiny_tables: Path) -> None:
    """The guide has it the wrong way round; labels of a third say so."""
    problem = problem_of(Cell("tiny", "toy10", "toy", "table"), SearchConfig(data=tiny_tables))
    seen = problem.see(EVERYTHING)
    accuracy = dict(zip(TEXTS, (-seen[:, 1]).tolist(), strict=True))
    known = dict(problem._known)
    lowest, highest = seen[:, 1].min(), seen[:, 1].max()
    for each, found in known.items():
        share = (found.score + highest) / (highest - lowest)
        problem._known[each] = type(found)(1.0 - share, 0.1)
    again = ordered_anew(problem, Labels(40, accuracy), EVERYTHING, problem.see(EVERYTHING))
    assert again[:, 0].tolist() == seen[:, 0].tolist()
    assert kendall(-again[:, 1], -seen[:, 1]) > 0.6
    assert kendall(-problem.see(EVERYTHING)[:, 1], -seen[:, 1]) < 0


@pytest.mark.parametrize("name", ["few-shot", "few-shot-2-from-transfer", "few-shot-50-from-luck"])
def test_names_of_few_shot(data: Path, name: str) -> None:
    with pytest.raises(ConfigError, match="write for example few-shot-50-from-transfer"):
        problem_of(Cell("tiny", "toy10", "toy", name), SearchConfig(data=data))
    assert base_of("few-shot-50-from-transfer") == base_of("transfer") == "transfer"


def test_transfer_is_fitted_once_without_the_data_set_that_judges(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    fits: list[list[str]] = []

    def fit(_: Any, datasets: list[str]) -> list[Fitted]:
        fits.append(datasets)
        return [Fitted.load(MODEL)] * 5

    def load(*_: Any, progress: Callable[[int], None]) -> None:
        progress(1)

    monkeypatch.setattr(unseen, "load_sample", load)
    monkeypatch.setattr(unseen, "fit_folds", fit)
    pixels = np.random.default_rng(0).integers(0, 255, (200, 8, 8, 3), dtype=np.uint8)
    np.savez(tmp_path / "images.npz", images=pixels, labels=np.arange(200) % 2)
    cell = Cell("nasbench201", "cifar10", "edgegpu", "few-shot-50-from-transfer")
    config = SearchConfig(data=tmp_path, output=tmp_path / "to" / "runs")
    with pytest.raises(ConfigError, match="give them by --images"):
        unseen.prepare([cell], config)
    config = config.model_copy(update={"images": tmp_path / "images.npz"})
    with pytest.raises(DataError, match="begin the bench anew"):
        unseen.load(cell, config, TINY, load_images(config.images, (8, 8)))
    with pytest.raises(Stopped, match="go on by the same command"):
        unseen.prepare([cell], config, lambda: True)
    assert fits == []
    for _ in range(2):
        unseen.prepare([cell, cell._replace(accuracy="table")], config)
    assert fits == [["cifar100"]]
    space = get_space("nasbench201")
    found = unseen.load(cell, config, space, load_images(config.images, (8, 8)))
    assert found.source.startswith("fitted to cifar100, ")
    with pytest.raises(ConfigError, match="cifar10 or cifar100, found svhn"):
        others("svhn")
