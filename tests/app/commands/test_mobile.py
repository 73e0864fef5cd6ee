"""Mobile networks from one's own images to a trained network, by commands alone."""

from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from pelnas.architecture import Shape
from pelnas.spaces import get_space

Pelnas = Callable[..., Any]
SPACE = get_space("mnasnet")
SMALL = "e1k3n1/e4k3n1s/e1k5n1/e1k3n1/e1k3n1/e1k3n1/e1k3n1"


pytestmark = pytest.mark.usefixtures("same_threads")


@pytest.fixture
def images(bright_and_dark: Callable[[int, int], Path]) -> Path:
    return bright_and_dark(48, 64)


def test_search_and_train_at_a_resolution(tmp_path: Path, images: Path, pelnas: Pelnas) -> None:
    common = ("--space", "mnasnet", "--images", images, "--output", tmp_path / "runs")
    few = ("--rounds", 1, "--per-niche", 1, "--max-evaluations", 4, "--resolution", 64)
    summary = pelnas("search", *common, *few, "--json").json()
    assert summary["front"]
    for each in summary["front"]:
        architecture = SPACE.parse(each["architecture"])
        assert each["flops"] == SPACE.flops(architecture, Shape.square(2, 64))
        assert 0 < each["score"] < 100  # percent of ImageNet
    trained = pelnas("train", summary["path"], SMALL, "--epochs", 1, "--threads", 1, "--json")
    (training,) = trained.json()["trainings"]
    assert training["architecture"] == SMALL
    assert pelnas("train", summary["path"], SMALL, "--epochs", 1, "--threads", 1).code == 0


def test_a_score_says_whose_accuracy_it_is(images: Path, pelnas: Pelnas) -> None:
    command = ("score", SMALL, "--images", images, "--json")
    transfer = pelnas(*command, "--space", "mnasnet").json()
    assert "ImageNet at 224 pixels, its short training" in transfer["source"]
    sizes = pelnas(
        *command, "--space", "mnasnet", "--accuracy", "rank-sum", "--resolution", 64
    ).json()
    assert sizes["source"] == "predicted without training from params, flops, entropy"
    (score,) = sizes["scores"]
    assert score["proxies"]["flops"] == SPACE.flops(SPACE.parse(SMALL), Shape.square(2, 64))


def test_transfer_on_a_space_that_it_does_not_know_is_one_sentence(
    images: Path, pelnas: Pelnas
) -> None:
    refused = pelnas("search", "--space", "fbnet", "--images", images, "--accuracy", "transfer")
    assert refused.code == 2
    assert "was fitted on spaces 'nasbench201' and 'mnasnet', found space 'fbnet'" in refused.err


def test_labels_of_another_space_are_one_sentence(
    tmp_path: Path, images: Path, pelnas: Pelnas
) -> None:
    labels = tmp_path / "labels.csv"
    labels.write_text("architecture,accuracy\n|none~0|+|none~0|none~1|,50\n")
    refused = pelnas("search", "--space", "mnasnet", "--images", images, "--labels", labels)
    assert refused.code == 2
    assert "line 2" in refused.err
    assert "mnasnet expects seven blocks" in refused.err
    assert refused.err.count("\n") == 1
