"""Accelerators: named, absent, out of memory; and equal to the processor where there is one."""

import logging
from pathlib import Path

import numpy as np
import pytest
import torch
from scipy.stats import kendalltau
from torch import Tensor, nn

from pelnas.accelerator import CPU, found, out_of_memory, title
from pelnas.architecture import Architecture, Shape
from pelnas.cache import Cache
from pelnas.config import Scoring
from pelnas.errors import AcceleratorError, MemoryLackError
from pelnas.images import load_images
from pelnas.proxies.memory import LEAST, batch_that_fits
from pelnas.proxies.scoring import ProxyScores
from pelnas.proxies.table import PROXIES
from pelnas.proxies.worker import Job, score_architecture
from pelnas.spaces import get_space
from pelnas.spaces.tiny import Tiny
from pelnas.training import TrainingSettings, initial, split, train

IMAGES = load_images(None, 8)
CELL = "|nor_conv_3x3~0|+|skip_connect~0|nor_conv_3x3~1|"
HERE = found("auto")
needs_one = pytest.mark.skipif(HERE == CPU, reason="this machine has no accelerator for torch")
without = pytest.mark.skipif(torch.cuda.is_available(), reason="this machine has CUDA")


class Full(Tiny):
    """Networks for which a device has memory up to a number of images."""

    room = 5

    def build(self, architecture: Architecture, shape: Shape) -> nn.Module:
        network = super().build(architecture, shape)
        network.register_forward_pre_hook(self._fill)
        return network

    def _fill(self, _: nn.Module, inputs: tuple[Tensor, ...]) -> None:
        if len(inputs[0]) > self.room:
            raise torch.OutOfMemoryError("CUDA out of memory. Tried to allocate 2.00 GiB.")


def test_the_processor_is_always_there() -> None:
    assert found("cpu") == title("cpu") == "cpu"


@without
def test_cuda_that_is_not_there_is_one_sentence() -> None:
    with pytest.raises(AcceleratorError, match=r"^expected cuda on this machine, found .*--acc"):
        found("cuda")


@pytest.mark.skipif(torch.backends.mps.is_available(), reason="this machine has MPS")
def test_mps_that_is_not_there_is_one_sentence() -> None:
    with pytest.raises(AcceleratorError, match=r"expected mps on this machine, found no graphics"):
        found("mps")


def test_an_unknown_one_is_one_sentence() -> None:
    with pytest.raises(AcceleratorError, match=r"\(auto, cpu, cuda, mps\), found 'tpu': name one"):
        found("tpu")


@without
def test_a_search_says_so_before_anything_is_scored(tmp_path: Path) -> None:
    scoring = Scoring(resolution=8, accelerator="cuda")
    with pytest.raises(AcceleratorError, match="expected cuda on this machine"):
        ProxyScores(get_space("tiny"), IMAGES, ["nwot"], scoring, 0, Cache(tmp_path / "cache"))


def test_the_processor_keeps_the_keys_that_it_had(tmp_path: Path) -> None:
    """What was computed before there were accelerators is found again."""
    scores = ProxyScores(
        get_space("tiny"), IMAGES, ["params"], Scoring(resolution=8), 0, Cache(tmp_path / "cache")
    )
    assert set(scores._key_fields) == {
        "version", "space", "images", "batch", "resolution", "seed"
    }  # fmt: skip
    assert scores.on == ""
    scores.close()


def test_memory_that_is_lacking_is_no_fault_of_the_network() -> None:
    space = Full()
    job = Job("tiny", ("nwot",), IMAGES.shape, 0, 1)
    with pytest.raises(MemoryLackError, match=r"memory of cpu for 8 images of .*lower scoring"):
        score_architecture(space, job, CELL, *IMAGES.batch(8, 0))
    assert score_architecture(space, job, CELL, *IMAGES.batch(5, 0))["nwot"] != 0
    assert not out_of_memory(RuntimeError("another"))


def test_a_batch_is_halved_until_it_fits() -> None:
    tried: list[int] = []

    def score(count: int) -> None:
        tried.append(count)
        if count > 9:
            raise MemoryLackError("full")

    assert batch_that_fits(score, 32) == 8
    assert tried == [32, 16, 8]
    with pytest.raises(MemoryLackError, match="full"):
        batch_that_fits(lambda count: score(count + 32), 2 * LEAST)


def test_all_networks_are_scored_on_the_batch_that_fits_and_it_is_said_once(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    space, texts = Full(), [CELL, "|none~0|+|skip_connect~0|nor_conv_3x3~1|"]
    expected = [
        score_architecture(space, Job("tiny", ("nwot",), IMAGES.shape, 0, 1), each, *IMAGES.batch(4, 0))
        for each in texts
    ]  # fmt: skip
    cache = Cache(tmp_path / "cache")
    scoring = Scoring(resolution=8, batch=16, workers=1)
    with caplog.at_level(logging.WARNING, "pelnas"):
        for _ in range(2):  # a run that goes on, of which the cache remembers the batch
            scores = ProxyScores(space, IMAGES, ["nwot"], scoring, 0, cache)
            scores._is_fitted = False  # as on an accelerator
            assert list(scores.of(texts)) == expected
            assert list(scores.of(texts[:1])) == expected[:1]
            scores.close()
    said = [record.getMessage() for record in caplog.records]
    assert (
        said
        == ["pelnas: cpu has no memory for batches of 16 images; all networks are scored on 4"] * 2
    )


class Plain(nn.Module):
    """Without batch norms, whose statistics would depend on the pieces of a batch."""

    def __init__(self, room: int) -> None:
        super().__init__()
        self.room = room
        self.layers = nn.Sequential(nn.Flatten(), nn.Linear(192, 16), nn.ReLU(), nn.Linear(16, 10))

    def forward(self, images: Tensor) -> Tensor:
        if self.training and len(images) > self.room:
            raise torch.OutOfMemoryError("CUDA out of memory")
        logits: Tensor = self.layers(images)
        return logits


def plain(room: int) -> Plain:
    with torch.random.fork_rng():
        torch.manual_seed(1)
        return Plain(room)


def test_a_training_takes_the_pieces_of_a_batch_that_fit_to_the_same_weights() -> None:
    data, settings = split(IMAGES, 0), TrainingSettings(epochs=1, batch=32)
    whole, pieces = plain(64), plain(9)
    expected, result = train(whole, data, settings), train(pieces, data, settings)
    assert (expected.pieces, result.pieces) == (1, 4)
    assert result.test_accuracy == pytest.approx(expected.test_accuracy, abs=1.0)
    for mine, theirs in zip(pieces.parameters(), whole.parameters(), strict=True):
        assert torch.allclose(mine, theirs, atol=1e-4)


def test_a_training_that_no_two_images_fit_is_one_sentence() -> None:
    data = split(IMAGES, 0)
    with pytest.raises(MemoryLackError, match=r"memory of cpu for 2 images .*accelerator cpu"):
        train(plain(1), data, TrainingSettings(epochs=1, batch=32))


@needs_one
def test_an_accelerator_gives_the_values_and_the_ranking_of_the_processor() -> None:
    space, images = get_space("nasbench201"), load_images(None, 32)
    rng = np.random.default_rng(0)
    texts = [space.format(space.sample(rng)) for _ in range(100)]
    batch = images.batch(32, 0)

    def scores(on: str) -> list[dict[str, float]]:
        job = Job(space.name, tuple(PROXIES), images.shape, 0, torch.get_num_threads(), found(on))
        return [score_architecture(space, job, text, *batch) for text in texts]

    mine, theirs = scores(HERE), scores(CPU)
    for name in PROXIES:
        one = np.array([values[name] for values in mine])
        other = np.array([values[name] for values in theirs])
        size = np.maximum(np.abs(other), np.median(np.abs(other)))  # a sum may be nearly zero
        assert (np.abs(one - other) <= 1e-3 * size).all(), name
        assert kendalltau(one, other).statistic >= 0.99, name


@needs_one
def test_an_accelerator_trains_and_gives_the_network_back() -> None:
    space, data = get_space("tiny"), split(IMAGES, 0)
    network = initial(space, space.parse(CELL), data, 0)
    result = train(network, data, TrainingSettings(epochs=3), accelerator=HERE)
    assert result.test_accuracy > 50
    assert {value.device.type for value in network.parameters()} == {"cpu"}
