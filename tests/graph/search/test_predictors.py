"""Searches guided by predictors that learned from accuracies, on few candidates, on the digits."""

from collections.abc import Sequence
from pathlib import Path
from typing import Any

import pyarrow as pa
import pytest
from pyarrow import parquet

from pelnas import Search, SearchConfig
from pelnas.architecture import Shape
from pelnas.config import Scoring
from pelnas.errors import ConfigError, DataError, RunError
from pelnas.graph.session.trained_accuracies import FILE, suggestions
from pelnas.predictors.labels import Label, read_labels, write_labels
from pelnas.spaces import get_space
from pelnas.store import RunStore, TrainingRecord

TINY = get_space("tiny")
FEW = Scoring(batch=8, resolution=8, reference=8, workers=1)


def config(tmp_path: Path, tables: Path, **changes: Any) -> SearchConfig:
    values: dict[str, Any] = {
        "space": "tiny",
        "device": "toy",
        "data": tables,
        "rounds": 2,
        "per_niche": 3,
        "scoring": FEW,
        "output": tmp_path / "runs",
    }
    return SearchConfig(**(values | changes))


def labels(*indices: int) -> list[Label]:
    return [Label(TINY.format(TINY.at(i)), 40.0 + i / 4) for i in indices]


def write(path: Path, found: Sequence[Label]) -> Path:
    path.write_text(write_labels(found))
    return path


def test_transfer_guides_a_search(tmp_path: Path) -> None:
    space = get_space("nasbench201")
    texts = [space.format(space.at(i)) for i in range(space.size)]
    latency = [space.flops(space.at(i), Shape.square(10, 8)) / 1e6 for i in range(space.size)]
    table = pa.table({"arch_str": texts, "flowers__toy_latency": latency})
    parquet.write_table(table, tmp_path / "costs.parquet")
    chosen = config(tmp_path, tmp_path, space="nasbench201", accuracy="transfer", rounds=1)
    result = Search(chosen.model_copy(update={"per_niche": 1})).run()
    assert not result.stopped
    assert result.front
    with RunStore.read(result.folder) as store:
        assert store.sources().unit == "predicted accuracy rank"
        assert len(store.evaluations()) == 6


def test_few_shot_guides_a_search_and_its_labels_stay(tmp_path: Path, tiny_tables: Path) -> None:
    given = write(tmp_path / "mine.csv", labels(*range(3, 123, 10)))
    search = Search(config(tmp_path, tiny_tables, accuracy="few-shot", labels=(given,)))
    kept = read_labels(search.folder / FILE, TINY)
    assert kept == labels(*range(3, 123, 10))
    search.session.store.subscribe(lambda event: search.stop() if event.kind == "learned" else None)
    assert search.run().stopped
    write(given, labels(1, 2))  # what the user does to the file later does not touch the run
    result = Search.resume(search.folder).run()
    assert not result.stopped
    with RunStore.read(result.folder) as store:
        assert store.sources().unit == "predicted accuracy, %"
        assert "12 trained accuracies and rank-sum; on labels held out" in store.sources().accuracy
        by_text = {e.candidate.architecture: e.score for e in store.evaluations()}
    accuracies = {label.architecture: label.accuracy for label in kept}
    assert all(by_text[text] == accuracies[text] for text in by_text.keys() & accuracies.keys())
    assert set(suggestions(result.folder, 5)) <= by_text.keys() - accuracies.keys()


@pytest.mark.parametrize(
    ("changes", "problem", "message"),
    [
        (
            {"accuracy": "transfer"},
            ConfigError,
            "fitted on spaces 'nasbench201' and 'mnasnet', found space 'tiny'",
        ),
        ({"accuracy": "few-shot"}, ConfigError, "learns from trained accuracies, found none"),
        ({"accuracy": "few-shot", "labels": ("mine.csv",)}, DataError, "CSV file of labels"),
        ({"accuracy": "few-shot", "labels": ("mine",)}, RunError, "no run in"),
    ],
)
def test_what_is_missing_is_said_before_a_run_is_made(
    tmp_path: Path,
    tiny_tables: Path,
    changes: dict[str, Any],
    problem: type[Exception],
    message: str,
) -> None:
    with pytest.raises(problem, match=message):
        Search(config(tmp_path, tiny_tables, **changes))
    assert not (tmp_path / "runs").exists()


def trained(search: Search, indices: Sequence[int], images: str) -> None:
    """Records as `pelnas train` leaves them, two seeds each."""
    for label in labels(*indices):
        for seed, shift in ((0, -1.0), (1, 1.0)):
            record = TrainingRecord(
                id=f"{label.architecture}{seed}",
                architecture=label.architecture,
                seed=seed,
                validation_accuracy=label.accuracy + shift,
                test_accuracy=0.0,
                epochs=1,
                best_epoch=1,
                seconds=1.0,
                images=images,
                settings={},
                weights="training/w.pt",
                finished=1.0,
            )
            search.session.store.record_training(record)


def test_few_shot_learns_from_what_a_run_has_trained(tmp_path: Path, tiny_tables: Path) -> None:
    first = Search(config(tmp_path, tiny_tables, accuracy="rank-sum", rounds=1))
    images = first.session.problem.images
    assert images is not None
    trained(first, range(3, 123, 10), images.digest)
    first.run()
    again = config(tmp_path, tiny_tables, accuracy="few-shot", labels=(first.folder,), rounds=1)
    search = Search(again)
    assert read_labels(search.folder / FILE, TINY) == labels(*range(3, 123, 10))
    assert search.run().front


def test_trainings_on_other_images_are_no_labels(tmp_path: Path, tiny_tables: Path) -> None:
    first = Search(config(tmp_path, tiny_tables, accuracy="rank-sum", rounds=1))
    trained(first, range(12), "others")
    first.run()
    again = config(tmp_path, tiny_tables, accuracy="few-shot", labels=(first.folder,))
    with pytest.raises(DataError, match="found 0 on space tiny and 24 on other images"):
        Search(again)
