"""Transformers are trained with AdamW, learn, and go on from a checkpoint as if never interrupted."""

from dataclasses import replace
from pathlib import Path

import pytest
import torch
from torch import nn

from pelnas.architecture import Shape
from pelnas.images import load_images
from pelnas.spaces import get_space
from pelnas.training import (
    Part,
    TrainingData,
    TrainingSettings,
    TrainingStopped,
    initial,
    split,
    train,
)
from pelnas.training.optimizer import is_transformer, optimizer_of

SPACE = get_space("autoformer")
SMALLEST = SPACE.at(0)
FEW = {"train": 64, "validation": 16, "test": 16}  # two steps an epoch


@pytest.fixture(scope="module")
def digits() -> TrainingData:
    """At 32 pixels, four patches; a third of those that may be learned from, a hundred others."""
    data = split(load_images(None, 32), seed=0)
    return replace(
        data,
        train=first(data.train, len(data.train) // 3),
        validation=first(data.validation, 50),
        test=first(data.test, 50),
    )


def first(part: Part, count: int) -> Part:
    return Part(part.pixels[:count], part.labels[:count])


def test_a_transformer_learns_digits(digits: TrainingData) -> None:
    result = train(initial(SPACE, SMALLEST, digits, 0), digits, TrainingSettings(epochs=3))
    assert result.test_accuracy > 40  # chance: 10
    assert result.history[-1].loss < result.history[0].loss


def test_only_the_weights_of_layers_decay() -> None:
    network = SPACE.build(SMALLEST, Shape(10))
    settings = TrainingSettings(learning_rate=0.05, weight_decay=5e-4)
    optimizer = optimizer_of(network, settings)
    names = {id(value): name for name, value in network.named_parameters()}
    decays = {
        names[id(value)]: group["weight_decay"]
        for group in optimizer.param_groups
        for value in group["params"]
    }
    assert isinstance(optimizer, torch.optim.AdamW)
    assert all(group["lr"] == pytest.approx(5e-4) for group in optimizer.param_groups)
    assert decays.keys() == set(names.values())
    for name, decay in decays.items():
        is_weight = name.endswith("weight") and "norm" not in name
        assert decay == pytest.approx(0.05 if is_weight else 0)


def test_batch_norms_mean_gradient_descent() -> None:
    mixed = nn.Sequential(nn.Conv2d(3, 4, 1), nn.BatchNorm2d(4), nn.LayerNorm(4))
    assert not is_transformer(mixed)
    assert not is_transformer(nn.Sequential(nn.Linear(3, 3)))
    assert isinstance(optimizer_of(mixed, TrainingSettings()), torch.optim.SGD)


def test_an_interrupted_training_ends_with_the_same_weights(
    digits: TrainingData, tmp_path: Path
) -> None:
    few = {name: first(getattr(digits, name), count) for name, count in FEW.items()}
    data, settings = replace(digits, **few), TrainingSettings(epochs=2)
    whole = initial(SPACE, SMALLEST, data, 0)
    train(whole, data, settings)
    asked = iter([False, False, False, True])
    with pytest.raises(TrainingStopped):
        train(
            initial(SPACE, SMALLEST, data, 0),
            data,
            settings,
            checkpoint=tmp_path / "c.pt",
            stop=lambda: next(asked),
        )
    resumed = initial(SPACE, SMALLEST, data, 1)
    train(resumed, data, settings, checkpoint=tmp_path / "c.pt")
    pairs = zip(whole.state_dict().values(), resumed.state_dict().values(), strict=True)
    assert all(torch.equal(one, other) for one, other in pairs)
