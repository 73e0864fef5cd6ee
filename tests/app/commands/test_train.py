"""``pelnas train``: what it trains, what it remembers, and how it is stopped and refused."""

import subprocess
import sys
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
import warm
from fakes import PoolHere
from patience import limited

from pelnas.architecture import Cost, Design, Prediction
from pelnas.config import Scoring, SearchConfig
from pelnas.images import load_images
from pelnas.spaces import get_space
from pelnas.store import RunStore
from pelnas.training import load_trained, split

Pelnas = Callable[..., Any]
COMMAND = str(Path(sys.executable).with_name("pelnas"))
SPACE = get_space("tiny")
GOOD = "|nor_conv_3x3~0|+|skip_connect~0|nor_conv_3x3~1|"
FAST = "|nor_conv_1x1~0|+|skip_connect~0|none~1|"
WORSE = "|none~0|+|none~0|none~1|"  # slower than FAST and with a lower score: not on the front
FIGURES = {GOOD: (2.0, 5.0), FAST: (1.0, 1.0), WORSE: (0.5, 3.0)}  # score, latency in ms
BRIEF = ["--epochs", "3", "--batch", "64", "--threads", "1"]


@pytest.fixture(autouse=True)
def _same_threads() -> Iterator[None]:
    before = torch.get_num_threads()
    yield
    torch.set_num_threads(before)


def make_run(output: Path, images: Path | None = None, accuracy: str = "rank-sum") -> Path:
    """A finished run of three candidates, r0n0c0 to r0n0c2."""
    config = SearchConfig(
        name="small",
        space="tiny",
        images=images,
        accuracy=accuracy,
        output=output,
        scoring=Scoring(resolution=8),
    )
    with RunStore.create(config, "s") as store:
        store.set_niches(["all"])
        ids = store.replace_designs(0, 0, [Design(text, "m", "free") for text in FIGURES], [])
        for id_, (score, latency) in zip(ids, FIGURES.values(), strict=True):
            store.record_prediction(id_, Prediction(score), 1, 1.0)
            store.record_cost(id_, Cost(latency))
        store.finish("done")
        return store.folder


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    return make_run(tmp_path / "runs")


def npz(path: Path, shade: int = 100, count: int = 40) -> Path:
    rng = np.random.default_rng(0)
    images = rng.integers(0, shade, (count, 8, 8), dtype=np.uint8)
    np.savez(path, images=images, labels=np.arange(count) % 4)
    return path


@pytest.fixture
def cheap(tmp_path: Path) -> Path:
    """The same run with few images: for what does not look at how well they are learned."""
    return make_run(tmp_path / "runs", npz(tmp_path / "few.npz", count=200))


@pytest.fixture
def few_digits(tmp_path: Path) -> Path:
    """A third of the digits, which is enough to tell a network that learns from one that does not."""
    from sklearn.datasets import load_digits

    digits, path = load_digits(), tmp_path / "digits.npz"
    images = (digits.images[:600] * 15.9).astype(np.uint8)
    np.savez(path, images=images, labels=digits.target[:600])
    return path


def weights(folder: Path, record: dict[str, Any]) -> dict[str, torch.Tensor]:
    network, _ = load_trained(folder / record["weights"])
    return network.state_dict()


# -- what is trained ---------------------------------------------------------------


def test_architectures_are_named_by_text_index_and_candidate(pelnas: Pelnas, folder: Path) -> None:
    index = SPACE.index(SPACE.parse(FAST))
    outcome = pelnas("train", folder, GOOD, index, "r0n0c2", "r0n0c0", *BRIEF, "--json")
    document = outcome.json()
    assert outcome.code == 0
    assert [record["architecture"] for record in document["trainings"]] == [GOOD, FAST, WORSE]
    assert document["images"] == {"name": "digits", "train": 1222, "validation": 216, "test": 359}
    assert document["left"] == 0
    best = document["trainings"][0]
    assert best["test_accuracy"] > 60  # chance: 10
    assert best["settings"]["epochs"] == best["epochs"] == 3


def test_the_store_and_the_file_of_weights_hold_what_was_trained(
    pelnas: Pelnas, folder: Path
) -> None:
    assert pelnas("train", folder, GOOD, *BRIEF).code == 0
    with RunStore.read(folder) as store:
        (record,) = store.trainings()
    digits = load_images(None, 8)
    data = split(digits, 0)
    assert record.images == digits.digest
    network, about = load_trained(folder / record.weights)
    images = torch.from_numpy(data.test.pixels) * about["scale"] + about["offset"]
    with torch.inference_mode():
        right = network(images).argmax(1).numpy() == data.test.labels
    assert 100 * right.mean() == pytest.approx(record.test_accuracy)
    assert [path.name for path in (folder / "training").iterdir()] == [f"{record.id}.pt"]


def test_the_front_is_trained_with_every_seed_for_a_person(pelnas: Pelnas, cheap: Path) -> None:
    outcome = pelnas("train", cheap, "--front", *BRIEF, "--epochs", "1", "--seeds", "2")
    with RunStore.read(cheap) as store:
        records = store.trainings()
    assert outcome.code == 0
    assert [(r.architecture, r.seed) for r in records] == [
        (FAST, 0),
        (GOOD, 0),
        (FAST, 1),
        (GOOD, 1),
    ]
    assert "4 networks trained on few: images 136 for train" in outcome.out
    assert all(f"{record.test_accuracy:.2f}" in outcome.out for record in records)
    assert outcome.err.count("% on test images") == 4


def test_a_second_time_nothing_is_trained_again(pelnas: Pelnas, cheap: Path) -> None:
    command = ["train", cheap, GOOD, *BRIEF, "--json"]
    first, second = pelnas(*command).json(), pelnas(*command).json()
    assert first == second  # the time it finished, too
    longer = pelnas(*command, "--epochs", "4").json()
    assert longer["trainings"][0]["epochs"] == 4
    with RunStore.read(cheap) as store:
        assert len(store.trainings()) == 2


def test_a_pool_trains_the_same_networks_to_the_same_weights(
    pelnas: Pelnas, cheap: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    command = ["--front", *BRIEF, "--epochs", "1", "--threads", "1", "--json"]
    alone = pelnas("train", cheap, *command).json()["trainings"]
    other = make_run(tmp_path / "others", tmp_path / "few.npz")
    monkeypatch.setattr("pelnas.pool.get_pool", lambda _: PoolHere())
    first = pelnas("train", other, GOOD, *command[1:], "--pool", "ray").json()["trainings"]
    both = pelnas("train", other, *command, "--pool", "ray").json()["trainings"]
    assert first[0] in both
    fields = ("test_accuracy", "validation_accuracy", "epochs", "best_epoch")
    by_id = {record["id"]: record for record in both}
    for record in alone:
        again = by_id[record["id"]]
        assert [again[name] for name in fields] == [record[name] for name in fields]
        mine, theirs = weights(cheap, record), weights(other, again)
        assert all(torch.equal(mine[name], theirs[name]) for name in mine)
    assert list((other / "training").glob("*.checkpoint.pt")) == []


# -- stopping ------------------------------------------------------------------------


def test_a_signal_stops_cleanly_and_the_same_command_ends_as_if_nothing_was(
    pelnas: Pelnas, tmp_path: Path
) -> None:
    images = npz(tmp_path / "few.npz", count=600)
    whole, broken = (make_run(tmp_path / name, images) for name in ("whole", "broken"))
    options = [FAST, GOOD, *BRIEF, "--epochs", "6", "--patience", "0", "--json"]
    command = [COMMAND, "train", str(broken), *options]
    with warm.Full(command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True) as process:
        assert process.stderr is not None
        with limited(process):
            assert "1 of 2" in process.stderr.readline()
        process.send_signal(2)
        out, err = process.communicate(timeout=120)
    assert process.returncode == 130
    assert '"left": 1' in out
    assert err.endswith("pelnas: stopped; 1 of 2 left: the same command goes on\n")
    assert len(list((broken / "training").glob("*.checkpoint.pt"))) == 1
    resumed = pelnas("train", broken, *options).json()["trainings"]
    direct = pelnas("train", whole, *options).json()["trainings"]
    assert not list((broken / "training").glob("*.checkpoint.pt"))
    for one, other in zip(resumed, direct, strict=True):
        assert one["test_accuracy"] == other["test_accuracy"]
        states = weights(broken, one), weights(whole, other)
        assert all(torch.equal(states[0][name], states[1][name]) for name in states[0])


def test_when_the_time_is_up_the_rest_is_left(pelnas: Pelnas, folder: Path) -> None:
    outcome = pelnas("train", folder, "--front", *BRIEF, "--limit-minutes", "0", "--json")
    assert outcome.code == 0
    assert outcome.json()["left"] == 2
    assert outcome.json()["trainings"] == []


# -- bad input -------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("arguments", "sentence"),
    [
        ([], "expected architectures, found none: name some"),
        (["r9n9c9"], "an index or the id of a candidate of run s-small, found 'r9n9c9'"),
        (["125"], "tiny has indices 0 to 124, found 125"),
        (["|nor_conv_9x9~0|+|none~0|none~1|"], "unknown operation 'nor_conv_9x9'"),
        ([GOOD, "--epochs", "0"], "expected epochs of a training from 1"),
        ([GOOD, "--lr", "nan"], "expected learning_rate of a training"),
        ([GOOD, "--seeds", "0"], "Input should be greater than or equal to 1"),
        ([GOOD, "--images", "nowhere"], "at nowhere, found nothing there"),
        ([GOOD, "--accelerator", "mps"], "expected mps on this machine, found no graphics"),
    ],
)
def test_bad_input_is_one_sentence(
    pelnas: Pelnas, folder: Path, arguments: list[str], sentence: str
) -> None:
    outcome = pelnas("train", folder, *arguments)
    assert outcome.code == 2
    assert sentence in outcome.err
    assert outcome.err.count("\n") == 1
    assert outcome.out == ""


def test_an_unknown_run_is_one_sentence(pelnas: Pelnas, folder: Path) -> None:
    outcome = pelnas("train", "nosuch", GOOD, "--output", folder.parent)
    assert outcome.code == 2
    assert outcome.err == (
        f"pelnas: there is no run 'nosuch' in {folder.parent}: use one of s-small, or last\n"
    )


def test_a_run_without_images_asks_for_them(pelnas: Pelnas, tmp_path: Path) -> None:
    folder = make_run(tmp_path, accuracy="table")
    outcome = pelnas("train", folder, GOOD, *BRIEF)
    assert (outcome.code, "has no images: name some with --images" in outcome.err) == (2, True)
    assert pelnas("train", folder, GOOD, *BRIEF, "--images", "digits").code == 0


def test_images_that_changed_are_refused_and_nothing_is_lost(
    pelnas: Pelnas, tmp_path: Path
) -> None:
    path = npz(tmp_path / "x.npz")
    folder = make_run(tmp_path / "runs", images=path)
    assert pelnas("train", folder, FAST, *BRIEF).code == 0
    npz(path, shade=200)
    outcome = pelnas("train", folder, FAST, *BRIEF)
    assert outcome.code == 2
    assert f"expected the images that run {folder.name} began with" in outcome.err
    assert pelnas("train", folder, FAST, *BRIEF, "--other-images").code == 0
    moved = path.rename(tmp_path / "moved.npz")
    outcome = pelnas("train", folder, FAST, *BRIEF)
    assert (outcome.code, "found nothing there" in outcome.err) == (2, True)
    npz(moved)  # the first ones again, elsewhere: they are those of the run
    assert pelnas("train", folder, FAST, *BRIEF, "--images", moved).code == 0
    with RunStore.read(folder) as store:
        assert len(store.trainings()) == 2
        digest = load_images(moved, 8).digest
        assert [record.images == digest for record in store.trainings()] == [True, False]
        assert len(store.trainings(digest)) == 1


def test_a_search_tells_which_images_it_looked_at(pelnas: Pelnas, tmp_path: Path) -> None:
    path, settings = npz(tmp_path / "x.npz"), tmp_path / "search.toml"
    settings.write_text("[scoring]\nresolution = 8\nreference = 8\nbatch = 8\nworkers = 1\n")
    search = ["search", "--config", settings, "--space", "tiny", "--images", path, "--rounds", "1"]
    output = ["--output", tmp_path / "runs"]
    assert pelnas(*search, "--per-niche", "1", *output).code == 0
    npz(path, shade=200)
    outcome = pelnas("train", "last", "--front", *BRIEF, *output)
    assert (outcome.code, "expected the images that run" in outcome.err) == (2, True)
    npz(path)
    assert pelnas("train", "last", "--front", *BRIEF, "--epochs", "1", *output).code == 0


def test_images_with_nan_are_refused(pelnas: Pelnas, tmp_path: Path) -> None:
    path = tmp_path / "x.npz"
    pixels = np.zeros((40, 8, 8), dtype=np.float32)
    pixels[7, 0, 0] = np.nan
    np.savez(path, images=pixels, labels=np.arange(40) % 4)
    folder = make_run(tmp_path / "runs", images=path)
    outcome = pelnas("train", folder, FAST, *BRIEF)
    assert (outcome.code, "found NaN or infinity in image 7" in outcome.err) == (2, True)


def test_a_folder_that_cannot_be_written_is_one_sentence(pelnas: Pelnas, folder: Path) -> None:
    (folder / "training").write_text("in the way")
    outcome = pelnas("train", folder, FAST, *BRIEF, "--epochs", "1")
    assert outcome.code == 2
    assert "cannot be written" in outcome.err
    assert "Traceback" not in outcome.err
    with RunStore.read(folder) as store:
        assert store.trainings() == []
        assert len(store.evaluations()) == 3


# -- evidence ------------------------------------------------------------------------


@pytest.mark.alone
@pytest.mark.slow
@pytest.mark.timeout(3600)
def test_a_cell_of_median_size_reaches_97_percent_on_the_digits(
    pelnas: Pelnas, tmp_path: Path
) -> None:
    median = get_space("nasbench201").at(14436)  # half of the cells have fewer FLOPs
    text = get_space("nasbench201").format(median)
    with RunStore.create(SearchConfig(output=tmp_path), "s") as store:
        store.finish("done")
    (record,) = pelnas("train", store.folder, text, "--json").json()["trainings"]
    assert record["test_accuracy"] >= 97


# -- stopping bad networks early --------------------------------------------------------

ASHA = ["--epochs", "9", "--batch", "64", "--threads", "1", "--patience", "0", "--json"]


def test_networks_that_fall_behind_are_stopped_and_the_others_are_as_ever(
    pelnas: Pelnas, few_digits: Path, tmp_path: Path
) -> None:
    names, folder = [GOOD, WORSE, FAST], make_run(tmp_path / "runs", few_digits)
    first = pelnas("train", folder, *names, *ASHA, "--asha").json()
    assert first["left"] == 0
    stopped = first["asha"]["stopped"]
    assert WORSE in [each["architecture"] for each in stopped]
    assert all(each["epochs"] < 9 for each in stopped)
    assert len(first["trainings"]) + len(stopped) == 3
    kept = 9 * len(first["trainings"]) + sum(each["epochs"] for each in stopped)
    assert first["asha"] | {"stopped": []} == {
        "epochs": kept, "epochs_at_most": 27, "stopped": []
    }  # fmt: skip
    assert list((folder / "training").glob("*.checkpoint.pt")) == []
    assert pelnas("train", folder, *names, *ASHA, "--asha").json() == first

    other = make_run(tmp_path / "others", few_digits)
    alone = pelnas("train", other, GOOD, *ASHA).json()["trainings"]
    mine, theirs = weights(folder, first["trainings"][0]), weights(other, alone[0])
    assert all(torch.equal(mine[name], theirs[name]) for name in mine)


def test_asha_and_a_pool_are_one_too_many(pelnas: Pelnas, cheap: Path) -> None:
    outcome = pelnas("train", cheap, GOOD, "--asha", "--pool", "processes")
    assert outcome.code == 2
    assert "one after the other for --asha, found --pool processes" in outcome.err
