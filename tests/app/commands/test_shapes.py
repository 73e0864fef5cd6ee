"""A search on images that are not square and not in colour, from the option to the weights."""

from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from pelnas.errors import ImagesError
from pelnas.images import load_images
from pelnas.spaces import get_space
from pelnas.store import RunStore
from pelnas.training import load_trained

Pelnas = Callable[..., Any]
QUICK = "rounds = 1\nper_niche = 1\n[scoring]\nreference = 8\nbatch = 4\nworkers = 1\n"


@pytest.fixture
def here(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A folder with images of 12 by 20 pixels and 2 channels in two classes, and quick settings."""
    images = np.random.default_rng(0).integers(0, 255, (24, 12, 20, 2)).astype(np.uint8)
    np.savez(tmp_path / "radar.npz", images=images, labels=[0, 1] * 12)
    (tmp_path / "quick.toml").write_text(QUICK)
    monkeypatch.chdir(tmp_path)
    return tmp_path


def test_shape_travels_from_the_images_to_the_weights(pelnas: Pelnas, here: Path) -> None:
    options = ("--images", "radar.npz", "--resolution", "8x16", "--config", "quick.toml")
    outcome = pelnas("search", "--space", "tiny", *options, "--json")
    assert outcome.code == 0, outcome.err
    (folder,) = (here / "runs").iterdir()
    space = get_space("tiny")
    with RunStore.read(folder) as store:
        shape = store.sources().shape(store.config)
        assert (shape.classes, shape.pixels) == (2, (2, 8, 16))
        first = next(iter(store.evaluations()))
        architecture = space.parse(first.candidate.architecture)
        assert first.parameters == space.parameters(architecture, shape)
        assert first.flops == space.flops(architecture, shape)
    assert pelnas("replay", folder, "--json").code == 0
    training = pelnas("train", folder, first.id, "--epochs", "1", "--batch", "4", "--json")
    assert training.code == 0, training.err
    (weights,) = folder.glob("training/*.pt")
    network, about = load_trained(weights)
    assert (about["resolution"], about["width"], about["channels"]) == (8, 16, 2)
    assert next(network.parameters()).shape[1] == 2
    radar = here / "radar.npz"
    load_trained(weights, load_images(radar, (8, 16)))
    said = "expected images of 8x16 pixels and 2 channels, for which .* was trained, found"
    with pytest.raises(ImagesError, match=f"{said} radar with 12x16 pixels and 2 channels: load"):
        load_trained(weights, load_images(radar, (12, 16)))
    with pytest.raises(ImagesError, match=f"{said} digits with 8x16 pixels and 1 channel: load"):
        load_trained(weights, load_images(None, (8, 16), channels=1))


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        (["search", "--images", "radar.npz", "--channels", "3"], "images of radar have 2"),
        (["score", "--images", "radar.npz", "--channels", "1", "0"], "images of radar have 2"),
        (["search", "--resolution", "tall"], "as 224 or 96x128 (height x width), found 'tall'"),
        (["latency", "--resolution", "4x4", "0"], "expected pixels a side of 8 to 4096"),
        (["search", "--channels", "0"], "scoring.channels"),
        (["search", "--space", "autoformer", "--resolution", "8x40"], "8x40"),
        (["latency", "--space", "autoformer", "--resolution", "8x40", "0"], "8x40"),
    ],
)
def test_what_does_not_fit_is_one_sentence(
    pelnas: Pelnas, here: Path, arguments: list[str], said: str
) -> None:
    outcome = pelnas(*arguments)
    assert (outcome.code, outcome.out) == (2, "")
    assert said in outcome.err
    assert len(outcome.err.splitlines()) == 1


def test_latency_is_measured_for_the_shape_that_is_asked_for(pelnas: Pelnas, here: Path) -> None:
    (here / "few.toml").write_text("[measurement]\nrepeats = 3\nwarmup = 1\n")
    options = ("--space", "tiny", "--config", "few.toml", "--json", "93")
    small = pelnas("latency", *options, "--resolution", "16", "--channels", "1")
    large = pelnas("latency", *options, "--resolution", "128x160")
    assert small.code == large.code == 0
