"""Training: it learns, it is the same under a seed, and an interruption leaves no trace."""

import resource
from collections.abc import Callable, Iterator
from dataclasses import asdict, replace
from pathlib import Path

import numpy as np
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from torch import nn

from pelnas.architecture import Shape
from pelnas.errors import ConfigError, ImagesError, StoreError, TrainingError
from pelnas.images import load_images
from pelnas.spaces import get_space
from pelnas.training import (
    Part,
    TrainingData,
    TrainingResult,
    TrainingSettings,
    TrainingStopped,
    checkpoint,
    initial,
    load_trained,
    split,
    train,
)
from pelnas.training.augmentation import augment
from pelnas.training.loop import learning_rate

SPACE = get_space("tiny")
CELL = SPACE.parse("|nor_conv_3x3~0|+|skip_connect~0|nor_conv_3x3~1|")
DEAD = SPACE.parse("|none~0|+|none~0|none~1|")
BRIEF = TrainingSettings(epochs=2, batch=16)  # 20 steps an epoch of the few images
MIRRORED = replace(BRIEF, flip=True)


@pytest.fixture(autouse=True, scope="module")
def _one_thread() -> Iterator[None]:
    """Networks this small only wait for a second thread."""
    before = torch.get_num_threads()
    torch.set_num_threads(1)
    yield
    torch.set_num_threads(before)


@pytest.fixture(scope="module")
def digits() -> TrainingData:
    return split(load_images(None, 8), seed=0)


@pytest.fixture(scope="module")
def few(digits: TrainingData) -> TrainingData:
    """A quarter of the digits, where it does not matter how well they are learned."""
    train = Part(digits.train.pixels[:320], digits.train.labels[:320])
    return replace(digits, train=train, digest="few")


def trained(
    data: TrainingData, settings: TrainingSettings = BRIEF
) -> tuple[nn.Module, TrainingResult]:
    network = initial(SPACE, CELL, data, settings.seed)
    return network, train(network, data, settings)


def same(one: nn.Module, other: nn.Module) -> bool:
    states = one.state_dict(), other.state_dict()
    return all(torch.equal(states[0][name], states[1][name]) for name in states[0] | states[1])


def stop_after(steps: int) -> Callable[[], bool]:
    asked = iter(range(10**9))
    return lambda: next(asked) >= steps


def accuracy(network: nn.Module, data: TrainingData, part: Part) -> float:
    images = torch.from_numpy(part.pixels * data.scale + data.offset)
    with torch.inference_mode():
        return 100 * float((network(images).argmax(1).numpy() == part.labels).mean())


# -- learning -------------------------------------------------------------------


def test_a_small_network_learns_the_digits(digits: TrainingData) -> None:
    network, result = trained(digits, TrainingSettings(epochs=5))
    assert result.test_accuracy > 85  # chance: 10
    assert result.history[-1].loss < result.history[0].loss
    assert result.seconds > 0
    assert not network.training
    assert result.test_accuracy == pytest.approx(accuracy(network, digits, digits.test))


def test_it_ends_with_the_best_epoch_and_stops_when_nothing_improves(few: TrainingData) -> None:
    network = initial(SPACE, DEAD, few, 0)
    result = train(network, few, TrainingSettings(epochs=50, patience=2))
    validation = [epoch.validation_accuracy for epoch in result.history]
    assert result.validation_accuracy == max(validation) == validation[result.best_epoch - 1]
    assert result.epochs == result.best_epoch + 2 < 50
    assert accuracy(network, few, few.validation) == pytest.approx(max(validation))


def test_every_epoch_is_trained_without_patience(few: TrainingData) -> None:
    network = initial(SPACE, DEAD, few, 0)
    settings = TrainingSettings(epochs=8, batch=512, patience=0)
    assert train(network, few, settings).epochs == 8


@given(st.integers(1, 500), st.floats(0, 0.9))
def test_the_rate_rises_to_its_peak_and_falls_to_nothing(total: int, warmup: float) -> None:
    settings = TrainingSettings(learning_rate=2.0, warmup=warmup)
    rates = [learning_rate(step, total, settings) for step in range(total)]
    peak = rates.index(max(rates))
    assert rates[peak] == 2.0
    assert all(0 < rate <= 2 for rate in rates)
    assert rates[: peak + 1] == sorted(rates[: peak + 1])
    assert rates[peak:] == sorted(rates[peak:], reverse=True)


def test_the_rate_of_half_the_way_is_half_the_peak() -> None:
    settings = TrainingSettings(learning_rate=0.4, warmup=0.2)
    assert [learning_rate(step, 10, settings) for step in (0, 1, 2, 6)] == pytest.approx(
        [0.2, 0.4, 0.4, 0.2]
    )


# -- the same again ---------------------------------------------------------------


def test_equal_seeds_train_equal_weights_and_leave_the_global_generator_alone(
    few: TrainingData,
) -> None:
    state = torch.random.get_rng_state()
    first, result = trained(few)
    torch.manual_seed(1)  # what others draw does not matter
    second, again = trained(few)
    assert same(first, second)
    assert replace(result, seconds=0) == replace(again, seconds=0)
    other, _ = trained(few, replace(BRIEF, seed=1))
    assert not same(first, other)
    torch.random.set_rng_state(state)
    trained(few, replace(BRIEF, epochs=1))
    assert torch.equal(torch.random.get_rng_state(), state)


@pytest.fixture(scope="module")
def mirrored(few: TrainingData) -> tuple[nn.Module, TrainingResult]:
    """A training without any interruption."""
    return trained(few, MIRRORED)


@pytest.mark.parametrize("stops", [(0,), (7,), (20,), (3, 17, 1)])
def test_interrupted_and_resumed_is_uninterrupted(
    few: TrainingData,
    mirrored: tuple[nn.Module, TrainingResult],
    tmp_path: Path,
    stops: tuple[int, ...],
) -> None:
    whole, result = mirrored
    path = tmp_path / "folder" / "x.pt"
    for count in stops:
        with pytest.raises(TrainingStopped):
            train(
                initial(SPACE, CELL, few, 0),
                few,
                MIRRORED,
                checkpoint=path,
                stop=stop_after(count),
            )
    network = initial(SPACE, CELL, few, 5)  # the checkpoint brings the weights
    resumed = train(network, few, MIRRORED, checkpoint=path)
    assert same(network, whole)
    assert replace(resumed, seconds=0) == replace(result, seconds=0)


def test_a_network_that_draws_at_random_resumes_exactly(few: TrainingData, tmp_path: Path) -> None:
    def network() -> nn.Module:
        torch.manual_seed(3)
        return nn.Sequential(nn.Flatten(), nn.Dropout(0.5), nn.Linear(192, 10))

    whole, pausing = network(), network()
    train(whole, few, BRIEF)
    with pytest.raises(TrainingStopped):
        train(pausing, few, BRIEF, checkpoint=tmp_path / "x.pt", stop=stop_after(9))
    train(pausing, few, BRIEF, checkpoint=tmp_path / "x.pt")
    assert same(whole, pausing)


def test_what_is_done_is_not_trained_again(few: TrainingData, tmp_path: Path) -> None:
    steps = []
    for _ in range(2):
        network = initial(SPACE, CELL, few, 0)
        result = train(network, few, BRIEF, checkpoint=tmp_path / "x.pt", on_step=steps.append)
        assert accuracy(network, few, few.test) == pytest.approx(result.test_accuracy)
    assert [step.done for step in steps] == list(range(1, 41))
    assert steps[-1].last == result.history[-1]


# -- checkpoints ------------------------------------------------------------------


class Payload:
    def __init__(self, path: Path) -> None:
        self.path = path

    def __reduce__(self) -> tuple[Callable[..., object], tuple[object, ...]]:
        return Path.touch, (self.path,)


@pytest.mark.parametrize("content", [b"", b"not a checkpoint", b"PK\x03\x04" + b"\0" * 60])
def test_a_damaged_checkpoint_is_refused(tmp_path: Path, content: bytes) -> None:
    (tmp_path / "x.pt").write_bytes(content)
    with pytest.raises(StoreError, match="delete that file"):
        checkpoint.load(tmp_path / "x.pt")


def test_a_checkpoint_runs_no_code(tmp_path: Path) -> None:
    torch.save({"network": Payload(tmp_path / "ran")}, tmp_path / "x.pt")
    with pytest.raises(StoreError, match="delete that file"):
        checkpoint.load(tmp_path / "x.pt")
    assert not (tmp_path / "ran").exists()


def test_a_checkpoint_of_another_training_is_refused(few: TrainingData, tmp_path: Path) -> None:
    path = tmp_path / "x.pt"
    train(initial(SPACE, CELL, few, 0), few, BRIEF, checkpoint=path)
    with pytest.raises(StoreError, match="other settings or images"):
        train(initial(SPACE, CELL, few, 0), few, replace(BRIEF, batch=32), checkpoint=path)
    other = replace(few, digest="x")
    with pytest.raises(StoreError, match="other settings or images"):
        train(initial(SPACE, CELL, few, 0), other, BRIEF, checkpoint=path)
    with pytest.raises(StoreError, match="delete that file"):
        train(initial(SPACE, DEAD, few, 0), few, BRIEF, checkpoint=path)


def test_a_full_disk_is_one_sentence_and_keeps_the_old_file(tmp_path: Path) -> None:
    path = tmp_path / "x.pt"
    checkpoint.save(path, {"old": 1})
    before = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (10_000, before[1]))
    try:
        with pytest.raises(StoreError, match="free disk space"):
            checkpoint.save(path, {"new": torch.zeros(10_000)})
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, before)
    assert checkpoint.load(path) == {"old": 1}
    assert list(tmp_path.iterdir()) == [path]


def test_a_trained_network_can_be_used_from_its_file(few: TrainingData, tmp_path: Path) -> None:
    network, result = trained(few)
    path = tmp_path / "w.pt"
    checkpoint.save_trained(path, "tiny", SPACE.format(CELL), network, few)
    loaded, about = load_trained(path)
    assert about["class_names"] == list("0123456789")
    assert about["resolution"] == 8
    assert torch.equal(about["scale"], torch.from_numpy(few.scale))
    assert accuracy(loaded, few, few.test) == pytest.approx(result.test_accuracy)


# -- images -----------------------------------------------------------------------


@given(st.integers(0, 3), st.booleans(), st.integers(0, 99))
def test_an_augmented_image_is_a_window_of_the_padded_one(
    pixels: int, flip: bool, seed: int
) -> None:
    rng = np.random.default_rng(seed)
    images = rng.random((4, 3, 8, 8))
    padded = np.pad(images, ((0, 0), (0, 0), (pixels,) * 2, (pixels,) * 2), mode="edge")
    windows = [
        padded[:, :, y : y + 8, x : x + 8]
        for y in range(2 * pixels + 1)
        for x in range(2 * pixels + 1)
    ]
    windows += [window[..., ::-1] for window in windows] if flip else []
    changed = augment(torch.from_numpy(images), pixels, flip, rng).numpy()
    for index in range(4):
        assert any(np.array_equal(changed[index], window[index]) for window in windows)


def test_shifts_and_mirror_images_all_occur() -> None:
    image = torch.arange(3 * 64.0).reshape(1, 3, 8, 8).expand(400, -1, -1, -1)
    rng = np.random.default_rng(0)
    assert len(np.unique(augment(image, 1, True, rng).numpy(), axis=0)) == 2 * 9
    assert torch.equal(augment(image, 0, False, rng), image)


def test_parts_are_disjoint_and_hold_every_class(digits: TrainingData) -> None:
    images = load_images(None, 8)
    parts = (digits.train, digits.validation, digits.test)
    found = [image.tobytes() for part in parts for image in part.pixels]
    everything = [image.tobytes() for image in images.pixels(images.train)]
    assert sorted(found) == sorted(everything)  # each image in one part, once
    assert [len(part) for part in parts] == [1222, 216, 359]
    assert all(set(part.labels) == set(range(10)) for part in parts)
    again, other = split(images, 0), split(images, 1)
    assert again.digest == digits.digest != other.digest
    assert np.array_equal(again.test.pixels, digits.test.pixels)


def arrays(path: Path, count: int = 40, **more: np.ndarray) -> Path:
    rng = np.random.default_rng(0)
    images = rng.integers(0, 100, (count, 8, 8, 3), dtype=np.uint8)
    np.savez(path, x_train=images, y_train=np.arange(count) % 4, **more)
    return path


def test_the_test_images_of_the_source_are_kept_and_teach_nothing(tmp_path: Path) -> None:
    bright = np.full((8, 8, 8, 3), 255, dtype=np.uint8)
    path = arrays(tmp_path / "x.npz", x_test=bright, y_test=np.arange(8) % 4)
    data = split(load_images(path, 8), 0)
    assert (data.test.pixels == 255).all()
    assert [len(data.train), len(data.validation), len(data.test)] == [32, 8, 8]
    normal = data.train.pixels * data.scale + data.offset
    assert normal.mean(axis=(0, 2, 3)) == pytest.approx([0, 0, 0], abs=1e-5)
    assert normal.std(axis=(0, 2, 3)) == pytest.approx([1, 1, 1], abs=1e-5)


# -- bad input ----------------------------------------------------------------------


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("epochs", 0),
        ("batch", 1),
        ("learning_rate", 0.0),
        ("learning_rate", float("nan")),
        ("momentum", 1.0),
        ("label_smoothing", -0.1),
        ("shift", 0.6),
        ("patience", -1),
        ("seed", -1),
    ],
)
def test_a_setting_out_of_range_is_refused(name: str, value: float) -> None:
    with pytest.raises(ConfigError, match=f"expected {name} of a training from"):
        TrainingSettings(**asdict(TrainingSettings()) | {name: value})


@pytest.mark.parametrize("classes", [9, 100])
def test_a_head_of_other_classes_is_refused(few: TrainingData, classes: int) -> None:
    with pytest.raises(ImagesError, match=rf"10 classes.*found \({classes},\)"):
        train(SPACE.build(CELL, Shape.square(classes, 8)), few, BRIEF)


def test_images_of_another_size_are_refused(few: TrainingData) -> None:
    network = nn.Sequential(nn.Flatten(), nn.Linear(3 * 32 * 32, 10))
    with pytest.raises(ImagesError, match=r"fit the network, found \(3, 8, 8\)"):
        train(network, few, BRIEF)


def test_too_few_images_of_a_class_are_refused(tmp_path: Path) -> None:
    with pytest.raises(ImagesError, match="3 or more training images of class '2'"):
        split(load_images(arrays(tmp_path / "x.npz", count=10), 8), 0)


def test_images_with_nan_are_refused(digits: TrainingData) -> None:
    images = load_images(None, 8)
    broken = np.full((8, 8), np.nan, dtype=np.float32)

    class Broken(type(images.source)):  # type: ignore[misc]
        dtype = np.float32

        def read(self, indices: list[int], side: int) -> object:
            return (np.broadcast_to(broken, (3, 8, 8)) for _ in indices)

    source = Broken("digits", images.source._images, images.source.labels)
    with pytest.raises(ImagesError, match="found NaN"):
        split(replace(images, source=source), 0)


def test_a_loss_that_explodes_is_one_sentence(few: TrainingData) -> None:
    network = nn.Sequential(
        nn.Flatten(), nn.Linear(192, 64), nn.ReLU(), nn.Linear(64, 64), nn.Linear(64, 10)
    )
    with pytest.raises(TrainingError, match="lower the learning rate from 100"):
        train(network, few, TrainingSettings(learning_rate=100.0))
