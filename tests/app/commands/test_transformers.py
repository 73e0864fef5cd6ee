"""Vision transformers from one's own images to a trained network, by commands alone."""

from collections.abc import Callable
from contextlib import AbstractContextManager
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from pelnas.architecture import Shape
from pelnas.spaces import get_space
from pelnas.store import find_run

Pelnas = Callable[..., Any]
SPACE = get_space("autoformer")
SIDE = 32


pytestmark = pytest.mark.usefixtures("same_threads")


@pytest.fixture
def images(bright_and_dark: Callable[[int, int], Path]) -> Path:
    return bright_and_dark(SIDE, 48)


def settings(folder: Path, resolution: int = SIDE) -> Path:
    path = folder / "settings.toml"
    path.write_text(f"[scoring]\nresolution = {resolution}\nreference = 8\nworkers = 1\n")
    return path


def test_search_and_train(
    tmp_path: Path,
    images: Path,
    pelnas: Pelnas,
    pictures: Callable[[], AbstractContextManager[None]],
) -> None:
    runs = tmp_path / "runs"
    common = ("--space", "autoformer", "--images", images, "--output", runs)
    few = ("--device", "host", "--rounds", 1, "--per-niche", 1, "--max-evaluations", 4)
    with pictures():
        done = pelnas("search", *common, "--config", settings(tmp_path), *few, "--json")
    front = done.json()["front"]
    assert done.code == 0
    assert front
    for each in front:
        architecture = SPACE.parse(each["architecture"])
        assert each["parameters"] == SPACE.parameters(architecture, sized(2))
        assert each["latency_ms"] > 0
    folder = find_run(runs, "last")
    report = (folder / "report.html").read_text()
    for label, _ in SPACE.complexity_niches:
        assert label in report
    first = front[0]["architecture"]
    assert first in report.replace("<wbr>", "")
    trained = pelnas("train", folder, first, "--epochs", 1, "--threads", 1, "--json").json()
    assert len(trained["trainings"]) == 1


def sized(classes: int) -> Shape:
    return Shape.square(classes, SIDE)


def test_few_shot_learns_from_labels_of_transformers(
    tmp_path: Path, images: Path, pelnas: Pelnas
) -> None:
    rng = np.random.default_rng(0)
    drawn = [SPACE.sample(rng) for _ in range(20)]
    lines = [f"{SPACE.format(each)},{SPACE.features(each)['depth'] * 5}" for each in drawn]
    labels = tmp_path / "labels.csv"
    labels.write_text("\n".join(["architecture,accuracy", *lines]) + "\n")
    shallow, deep = (f"216:{'/'.join(['3x4'] * depth)}" for depth in (12, 14))
    done = pelnas(
        "score", shallow, deep, "--space", "autoformer", "--images", images, "--labels", labels,
        "--config", settings(tmp_path), "--accuracy", "few-shot", "--json",
    )  # fmt: skip
    scores = [each["score"] for each in done.json()["scores"]]
    assert scores == [pytest.approx(60, abs=1.5), pytest.approx(70, abs=1.5)]


def test_a_resolution_that_patches_do_not_tile_is_one_sentence(
    tmp_path: Path, images: Path, pelnas: Pelnas
) -> None:
    config = settings(tmp_path, 40)
    refused = pelnas("search", "--space", "autoformer", "--images", images, "--config", config)
    assert refused.code == 2
    assert "found images of 40x40: use multiples of 16" in refused.err
    assert refused.err.count("\n") == 1
