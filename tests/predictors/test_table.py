"""Benchmark truth is looked up, labelled as such, and is the validation accuracy."""

from collections.abc import Callable
from pathlib import Path

import numpy as np
import pyarrow as pa
import pytest
from pyarrow import parquet

from pelnas.architecture import Prediction
from pelnas.cache import default_cache
from pelnas.config import SearchConfig
from pelnas.errors import ConfigError, DataError, DatasetError
from pelnas.predictors import PREDICTORS, get_predictor
from pelnas.predictors.table import TablePredictor
from pelnas.spaces import get_space
from pelnas.tables import true_accuracy

TINY = get_space("tiny")


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    accuracy = np.linspace(10, 90, TINY.size)
    columns = {
        "arch_str": [TINY.format(TINY.at(index)) for index in range(TINY.size)],
        "flowers_val_acc_12": accuracy / 2,
        "flowers_val_acc_200": np.where(np.arange(TINY.size) == 5, np.nan, accuracy),
        "flowers_test_acc_200": accuracy + 1,
    }
    parquet.write_table(pa.table(columns), tmp_path / "mine.parquet")
    return tmp_path


def test_the_score_is_the_validation_accuracy_and_says_so(folder: Path) -> None:
    predictor = TablePredictor(folder, "", TINY)
    predictions = list(predictor.predict([TINY.at(n) for n in (124, 0, 124)]))
    assert predictions == [Prediction(90.0), Prediction(10.0), Prediction(90.0)]
    assert predictor.unit == "validation accuracy, %"
    assert "benchmark truth" in predictor.source
    assert "flowers_val_acc_200 of mine.parquet" in predictor.source


def test_an_accuracy_that_is_missing_is_named(folder: Path) -> None:
    with pytest.raises(DataError, match="none for"):
        list(TablePredictor(folder, "flowers", TINY).predict([TINY.at(5)]))


@pytest.mark.parametrize(
    ("change", "message"),
    [
        (lambda accuracy: accuracy / 100, "in percent in column .* found none above 0.9: multiply"),
        (lambda accuracy: accuracy * 10, "from 0 to 100 percent in column .* found 900"),
        (lambda accuracy: -accuracy, "found -90"),
        (lambda accuracy: accuracy * np.inf, "found infinity"),
    ],
)
def test_what_is_no_percent_is_refused(
    tmp_path: Path, change: Callable[[np.ndarray], np.ndarray], message: str
) -> None:
    columns = {
        "arch_str": [TINY.format(TINY.at(index)) for index in range(TINY.size)],
        "flowers_val_acc_200": change(np.linspace(90, 10, TINY.size)),
        "flowers_test_acc_200": change(np.linspace(90, 10, TINY.size)),
    }
    parquet.write_table(pa.table(columns), tmp_path / "mine.parquet")
    with pytest.raises(DataError, match=message):
        TablePredictor(tmp_path, "flowers", TINY)
    with pytest.raises(DataError, match=message):
        true_accuracy(tmp_path, "flowers")


def test_an_unknown_dataset_is_refused(folder: Path) -> None:
    with pytest.raises(DatasetError, match="have flowers"):
        TablePredictor(folder, "birds", TINY)


def test_isomorphic_cells_keep_their_own_accuracy(data_folder: Path) -> None:
    space = get_space("nasbench201")
    predictor = TablePredictor(data_folder, "cifar10", space)
    scores = [p.score for p in predictor.predict([space.at(n) for n in range(space.size)])]
    assert len(scores) == 15_625
    assert 5 < min(scores) < max(scores) < 100


def test_the_configuration_names_the_predictor(folder: Path) -> None:
    config = SearchConfig(accuracy="table", data=folder)
    assert get_predictor(config, TINY, None, default_cache()).name == "table"
    assert list(PREDICTORS) == ["rank-sum", "transfer", "few-shot", "table", "known-truth"]


@pytest.mark.parametrize(
    ("settings", "message"),
    [
        (
            {"accuracy": "tabel"},
            "unknown accuracy predictor 'tabel': use one of auto, rank-sum, transfer, few-shot, table",
        ),
        ({"accuracy": "table"}, "no folder of tables: give one with --data"),
        ({"accuracy": "rank-sum"}, "scores networks on images, found none"),
        ({"accuracy": "transfer"}, "scores networks on images, found none"),
        ({"accuracy": "few-shot"}, "learns from trained accuracies, found none: .* --labels"),
    ],
)
def test_what_a_predictor_lacks_is_said(settings: dict[str, str], message: str) -> None:
    config = SearchConfig.model_validate(settings)
    with pytest.raises(ConfigError, match=message):
        get_predictor(config, TINY, None, default_cache())
