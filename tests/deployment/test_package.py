"""Networks leave as files that were tried, or not at all."""

import json
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import onnxruntime
import pytest
import torch

from pelnas.architecture import Cost, Design, Prediction
from pelnas.config import Scoring, SearchConfig
from pelnas.deployment import export_networks
from pelnas.errors import DeviceError, StoreError
from pelnas.images import load_images
from pelnas.spaces import get_space
from pelnas.spaces.tiny import Tiny
from pelnas.store import RunStore, TrainingRecord
from pelnas.training import TrainingSettings, initial, split, train
from pelnas.training.checkpoint import save_trained

SPACE = get_space("tiny")
CELLS = ("|nor_conv_3x3~0|+|skip_connect~0|nor_conv_3x3~1|", "|nor_conv_1x1~0|+|none~0|none~1|")
FILES = {"card.json", "card.md", "model.onnx", "model.py"}


@pytest.fixture
def store(tmp_path: Path) -> Iterator[RunStore]:
    """A run of two candidates, r0n0c0 and r0n0c1."""
    config = SearchConfig(space="tiny", output=tmp_path / "runs", scoring=Scoring(resolution=8))
    with RunStore.create(config, "s") as store:
        store.set_niches(["all"])
        ids = store.replace_designs(0, 0, [Design(text, "m", "free") for text in CELLS], [])
        for id_, latency in zip(ids, (2.0, 1.0), strict=True):
            store.record_prediction(id_, Prediction(0.5), 1234, 5678.0)
            store.record_cost(id_, Cost(latency))
        yield store


def record_of(architecture: str, images: str, weights: str) -> TrainingRecord:
    """A training of one epoch with a made accuracy."""
    return TrainingRecord(
        id="t",
        architecture=architecture,
        seed=0,
        validation_accuracy=71.0,
        test_accuracy=70.0,
        epochs=1,
        best_epoch=1,
        seconds=1.0,
        images=images,
        settings={},
        weights=weights,
        finished=1.0,
    )


def names(folder: Path) -> set[str]:
    return {path.name for path in folder.iterdir()}


def test_one_network_fills_the_folder(store: RunStore, tmp_path: Path) -> None:
    to = tmp_path / "there" / "out"
    (done,) = export_networks(store, [SPACE.parse(CELLS[0])], to)
    assert names(to) == FILES
    assert names(to.parent) == {"out"}
    assert (done.id, done.folder, done.trained, done.predicted_ms) == ("r0n0c0", to, False, 2.0)
    assert done.latency_ms > 0
    card = json.loads((to / "card.json").read_text())
    assert card["architecture"] == CELLS[0]
    assert card["input"]["shape"] == ["batch", 3, 8, 8]
    assert card["cost"]["parameters"] == 1234
    assert card["measured_here"]["latency_ms"] == done.latency_ms
    assert card["weights"] == "random"
    assert "random: train the network" in (to / "card.md").read_text()


def test_several_have_a_folder_each(store: RunStore, tmp_path: Path) -> None:
    to = tmp_path / "out"
    to.mkdir()
    done = export_networks(store, list(map(SPACE.parse, CELLS)), to)
    assert [one.folder for one in done] == [to / "r0n0c0", to / "r0n0c1"]
    assert names(to) == {"r0n0c0", "r0n0c1"}
    assert all(names(one.folder) == FILES for one in done)


def test_trained_weights_leave_with_their_network(store: RunStore, tmp_path: Path) -> None:
    digits = load_images(None, 8)
    data = split(digits, 0)
    settings = TrainingSettings(epochs=1, batch=256)
    network = initial(SPACE, SPACE.parse(CELLS[0]), data, 0)
    train(network, data, settings)
    save_trained(store.folder / "training" / "t.pt", "tiny", CELLS[0], network, data)
    store.record_training(record_of(CELLS[0], digits.digest, "training/t.pt"))
    (done,) = export_networks(store, [SPACE.parse(CELLS[0])], tmp_path / "out")
    assert done.trained
    assert names(done.folder) == FILES | {"weights.pt"}
    card = json.loads((done.folder / "card.json").read_text())
    assert card["output"]["classes"] == [str(n) for n in range(10)]
    assert card["accuracy"]["trained"]["test_accuracy"] == 70.0
    prepared = card["input"]["preparation"]
    pixels = data.test.pixels[:50].astype(np.float32)
    images = pixels * np.float32(prepared["scale"]).reshape(1, -1, 1, 1)
    images += np.float32(prepared["offset"]).reshape(1, -1, 1, 1)
    (logits,) = onnxruntime.InferenceSession(done.folder / "model.onnx").run(
        None, {"images": images}
    )
    with torch.no_grad():
        wanted = network(torch.from_numpy(images)).numpy()
    assert (logits.argmax(1) == wanted.argmax(1)).all()


def test_the_file_runs_where_no_pelnas_is(store: RunStore, tmp_path: Path) -> None:
    (done,) = export_networks(store, [SPACE.parse(CELLS[1])], tmp_path / "out")
    program = (
        "import sys; sys.modules['pelnas'] = None; import torch; from model import load;"
        "print(tuple(load()(torch.zeros(2, 3, 8, 8)).shape))"
    )
    outcome = subprocess.run(
        [sys.executable, "-c", program],
        cwd=done.folder,
        capture_output=True,
        text=True,
        timeout=120,
        check=True,
    )
    assert outcome.stdout.strip() == "(2, 10)"


def test_a_folder_with_other_content_is_left_alone(store: RunStore, tmp_path: Path) -> None:
    to = tmp_path / "out"
    to.mkdir()
    (to / "mine.txt").write_text("mine")
    with pytest.raises(StoreError, match=r"found other content.*another"):
        export_networks(store, [SPACE.parse(CELLS[0])], to)
    assert names(to) == {"mine.txt"}
    with pytest.raises(StoreError, match="cannot be written"):
        export_networks(store, [SPACE.parse(CELLS[0])], to / "mine.txt" / "below")


class Wandering(torch.nn.Module):
    """Another network each time that it is traced: what is exported is not what it computes."""

    def forward(self, images: torch.Tensor) -> torch.Tensor:
        traced = torch.jit.is_tracing()
        return images.mean((2, 3)).repeat(1, 4)[:, :10] * (2.0 if traced else 1.0)


def test_nothing_is_left_of_an_export_that_computes_something_else(
    store: RunStore, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(Tiny, "build", lambda *_: Wandering())
    with pytest.raises(DeviceError, match="expected logits of ONNX Runtime within"):
        export_networks(store, [SPACE.parse(CELLS[0])], tmp_path / "out")
    assert names(tmp_path) == {"runs"}
