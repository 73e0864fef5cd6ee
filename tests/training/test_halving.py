"""Successive halving: what falls behind is stopped, the same way in a later process."""

from pathlib import Path

import pytest

from pelnas.errors import StoreError, TrainingError
from pelnas.training.halving import Halving

CURVES = {  # validation accuracy by epoch
    "good": [50.0, 60.0, 70.0, 75.0, 80.0, 85.0, 88.0, 89.0, 90.0],
    "bad": [10.0] * 9,
    "worse": [9.0] * 9,
    "best": [60.0, 70.0, 80.0, 85.0, 88.0, 90.0, 92.0, 93.0, 94.0],
    "middling": [55.0] * 9,
}


def run(file: Path, until: int = 1000) -> Halving:
    """All trainings, or as many epochs as a process lives."""
    halving, lived = Halving(file, 9), 0
    for id_, curve in CURVES.items():
        halving.begin(id_)
        for epoch, accuracy in enumerate(curve, start=1):
            if halving.behind:
                halving.stop()
                break
            if lived == until:
                return halving
            lived += 1
            halving.heard(epoch, accuracy)
            halving.heard(epoch, accuracy)
    return halving


def test_what_falls_behind_is_stopped_at_a_rung(tmp_path: Path) -> None:
    halving = run(tmp_path / "asha.json")
    assert [(each.id, each.epochs) for each in halving.stopped] == [
        ("bad", 1), ("worse", 1), ("middling", 1)
    ]  # fmt: skip
    assert halving.spent(list(CURVES)) == 9 + 1 + 1 + 9 + 1


@pytest.mark.parametrize("until", [3, 9, 10, 12, 15])
def test_a_later_process_judges_the_same_way(tmp_path: Path, until: int) -> None:
    whole = run(tmp_path / "whole.json")
    run(tmp_path / "parts.json", until)
    again = run(tmp_path / "parts.json")
    assert again.stopped == whole.stopped
    assert (tmp_path / "parts.json").read_text() == (tmp_path / "whole.json").read_text()


@pytest.mark.parametrize("content", ["{", "[]", '{"a": 1}', '{"a": ["x"]}'])
def test_a_damaged_file_is_one_sentence(tmp_path: Path, content: str) -> None:
    file = tmp_path / "asha.json"
    file.write_text(content)
    with pytest.raises(StoreError, match=r"expected accuracies of trainings at .*delete that file"):
        Halving(file, 9)


def test_without_optuna_it_is_one_sentence(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(__import__("sys").modules, "optuna", None)
    with pytest.raises(TrainingError, match=r"expected the package optuna for --asha, found none"):
        Halving(tmp_path / "asha.json", 9)
