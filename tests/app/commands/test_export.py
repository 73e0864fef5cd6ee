"""``pelnas export``: what it takes, what it answers, and what it refuses."""

from collections.abc import Callable
from pathlib import Path
from typing import Any

import onnx
import pytest

Pelnas = Callable[..., Any]


def test_the_best_network_and_one_by_its_index(
    pelnas: Pelnas, finished: Path, tmp_path: Path
) -> None:
    front = pelnas("front", "done", "--output", finished, "--json").json()["front"]
    best = max(front, key=lambda point: point["score"])
    outcome = pelnas(
        *("export", "done", "best", "0", "--to", tmp_path / "out"),
        *("--output", finished, "--json"),
    )
    document = outcome.json()
    assert outcome.code == 0
    assert document["device"] == "toy"
    assert document["rank_agreement"] is None  # of two
    first, second = document["networks"]
    assert (first["architecture"], first["predicted_ms"]) == (
        best["architecture"],
        best["latency_ms"],
    )
    assert second["folder"] == str(tmp_path / "out" / second["id"])
    for network in document["networks"]:
        onnx.checker.check_model(str(Path(network["folder"]) / "model.onnx"))


def test_the_front_is_compared_with_what_was_predicted(
    pelnas: Pelnas, finished: Path, tmp_path: Path
) -> None:
    outcome = pelnas(*("export", "done", "--front", "--to", tmp_path / "out", "--output", finished))
    front = pelnas("front", "done", "--output", finished, "--json").json()["front"]
    assert outcome.code == 0
    assert f"{len(front)} exported; predicted for toy, measured here" in outcome.out
    assert all(point["id"] in outcome.out for point in front)
    assert {path.name for path in (tmp_path / "out").iterdir()} == {p["id"] for p in front}


@pytest.mark.parametrize(
    ("arguments", "found"),
    [
        ([], "such as best"),
        (["r9n9c9"], "r9n9c9"),
        (["4000"], "4000"),
    ],
)
def test_what_is_no_network_of_the_run_is_refused(
    pelnas: Pelnas, finished: Path, tmp_path: Path, arguments: list[str], found: str
) -> None:
    outcome = pelnas(
        *("export", "done", *arguments, "--to", tmp_path / "out", "--output", finished)
    )
    assert outcome.code == 2
    assert found in outcome.err
    assert not (tmp_path / "out").exists()
