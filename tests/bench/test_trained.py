"""Published trainings: what is read, what is refused, and how scores are compared with them."""

import os
from collections.abc import Iterator, Sequence
from itertools import combinations
from pathlib import Path

import numpy as np
import pytest

from pelnas.architecture import Architecture, Prediction, Shape
from pelnas.bench.fitting_mnasnet import order
from pelnas.bench.trained import (
    AUTOFORMER,
    MNASNET,
    Recorded,
    Trained,
    agreements,
    few_shot_orders,
    orders,
    read_autoformer,
    read_mnasnet,
)
from pelnas.errors import DataError
from pelnas.predictors.base import AccuracyPredictor
from pelnas.spaces import get_space

SPACE = get_space("autoformer")
COLUMNS = (
    "embed_dim,depth,num_heads,mlp_ratio,cifar100_acc,cifar100_kd_acc,flowers_acc,flowers_kd_acc,"
    "chaoyang_acc,chaoyang_kd_acc,imagenet_supernet_acc"
)
ROW = f"192,12,{' '.join(['3'] * 12)},{' '.join(['4.0'] * 12)},,76.1,,66.6,,84.9,74.6"
IMAGENET = Shape.square(1000, 224)


def table(folder: Path, *rows: str) -> Path:
    (folder / AUTOFORMER).write_text("\n".join([COLUMNS, *rows]) + "\n")
    return folder


class ByWidth(AccuracyPredictor):
    """The embedding width between 0 and 1, and a proxy that only deep networks have."""

    name, unit, source = "by-width", "rank score", "made up"

    def predict(self, architectures: Sequence[Architecture]) -> Iterator[Prediction]:
        for each in architectures:
            features = SPACE.features(each)
            proxies = {"mlp": features["mlp"]} | (
                {"heads": features["heads"]} if features["depth"] > 12 else {}
            )
            yield Prediction(features["embed"] / 240, 0.0, proxies)


def some(count: int) -> Trained:
    rng = np.random.default_rng(0)
    architectures = tuple(SPACE.sample(rng) for _ in range(count))
    features = [SPACE.features(each) for each in architectures]
    sizes = np.array([each["embed"] / 10 + each["depth"] for each in features])
    half = np.where(np.arange(count) % 2, sizes, np.nan)
    return Trained(SPACE, architectures, {"whole": sizes + rng.random(count) / 10, "half": half})


def test_a_row_is_read_as_trained(tmp_path: Path) -> None:
    trained = read_autoformer(table(tmp_path, ROW))
    assert [SPACE.format(each) for each in trained.architectures] == [
        "192:" + "/".join(["3x4"] * 12)
    ]
    assert {name: values[0] for name, values in trained.accuracies.items()} == pytest.approx(
        {
            "cifar100_acc": np.nan, "cifar100_kd_acc": 76.1, "flowers_acc": np.nan,
            "flowers_kd_acc": 66.6, "chaoyang_acc": np.nan, "chaoyang_kd_acc": 84.9,
        },
        nan_ok=True,
    )  # fmt: skip


@pytest.mark.parametrize(
    ("row", "found"),
    [
        (ROW.replace("192", "200"), "width 200"),
        (ROW.replace("3 3", "9 3"), "'9x4' as block"),
        (ROW.replace("4.0 4.0", "4.0", 1), "argument"),
        (ROW.replace("76.1", "good"), "could not convert"),
        (ROW + ",1", "12 values in line 2 under 11 columns"),
    ],
)
def test_rows_of_another_space_are_one_sentence(tmp_path: Path, row: str, found: str) -> None:
    with pytest.raises(DataError, match=found) as caught:
        read_autoformer(table(tmp_path, row))
    assert "expected networks of autoformer in" in str(caught.value)
    assert "\n" not in str(caught.value)


def test_a_folder_without_the_table_is_one_sentence(tmp_path: Path) -> None:
    with pytest.raises(DataError, match="expected networks of autoformer in"):
        read_autoformer(tmp_path)


MOBILE = "expand,kernel,layers,se,imagenet_top1"
MOBILE_ROW = "6 1 6 6 4 6 4,3 5 3 3 3 5 5,1 3 2 1 2 1 4,0 0 0 1 0 0 0,61.1"


def test_a_network_listed_twice_is_taken_once(tmp_path: Path) -> None:
    fits = MOBILE_ROW.replace("1 4,0", "1 2,0")
    lines = [MOBILE, fits, fits.replace("61.1", "50"), fits.replace("6 1 6", "6 1 4")]
    (tmp_path / MNASNET).write_text("\n".join(lines))
    trained = read_mnasnet(tmp_path)
    assert trained.space.format(trained.architectures[0]) == (
        "e6k3n1/e1k5n3/e6k3n2/e6k3n1s/e4k3n2/e6k5n1/e4k5n2"
    )
    assert trained.accuracies["imagenet_top1"].tolist() == [61.1, 61.1]


def test_a_block_that_the_space_does_not_have_is_one_sentence(tmp_path: Path) -> None:
    (tmp_path / MNASNET).write_text(f"{MOBILE}\n{MOBILE_ROW}\n")
    with pytest.raises(DataError, match=r"networks of mnasnet in .*'e4k5n4' as block 6"):
        read_mnasnet(tmp_path)


def test_a_sample_keeps_networks_and_accuracies_together() -> None:
    whole = some(40)
    part = whole.sample(10, seed=3)
    place = {each: i for i, each in enumerate(whole.architectures)}
    assert len(part.architectures) == 10
    for each, accuracy in zip(part.architectures, part.accuracies["whole"], strict=True):
        assert accuracy == whole.accuracies["whole"][place[each]]
    assert part.architectures == whole.sample(20, seed=3).architectures[:10]


def test_what_is_recorded_is_what_was_predicted() -> None:
    trained = some(6)
    recorded = Recorded(ByWidth(), trained)
    backwards = trained.architectures[::-1]
    assert list(recorded.predict(backwards)) == list(ByWidth().predict(backwards))


def test_transfer_orders_published_networks_that_its_fits_did_not_see() -> None:
    folder = Path(os.environ.get("PELNAS_DATA") or Path(__file__).parents[3] / "shared" / "data")
    if not (folder / MNASNET).is_file():
        pytest.skip(f"no {MNASNET} in {folder} (PELNAS_DATA)")
    assert order(read_mnasnet(folder)).kendall >= 0.90


def test_every_score_is_compared_with_every_column_where_both_are_known() -> None:
    trained = some(40)
    found = {
        (each.score, each.column): each
        for each in orders(trained, ByWidth(), IMAGENET, ("embed", "depth"))
    }
    scores = ("by-width", "mlp", "params", "flops", "embed", "depth")
    assert set(found) == {(score, column) for score in scores for column in ("whole", "half")}
    assert {found[score, "half"].count for score in scores} == {20}
    assert found["by-width", "whole"].kendall == found["embed", "whole"].kendall
    depths = [SPACE.features(each)["depth"] for each in trained.architectures]
    assert found["depth", "whole"].kendall == pytest.approx(
        tau_b(depths, trained.accuracies["whole"].tolist())
    )


def tau_b(x: Sequence[float], y: Sequence[float]) -> float:
    """Kendall 1945, from the pairs."""
    pairs = [(x[i] - x[j], y[i] - y[j]) for i, j in combinations(range(len(x)), 2)]
    agreeing = sum(np.sign(a) * np.sign(b) for a, b in pairs)
    return float(agreeing / (sum(a != 0 for a, _ in pairs) * sum(b != 0 for _, b in pairs)) ** 0.5)


def test_no_score_is_nearer_to_two_columns_than_they_allow() -> None:
    rng = np.random.default_rng(0)
    architectures = some(30).architectures
    columns = {name: rng.permutation(30).astype(float) for name in ("one", "other")}
    taus = {
        (each.score, each.column): each.kendall
        for each in agreements(Trained(SPACE, architectures, columns))
    }
    expected = tau_b(columns["one"].tolist(), columns["other"].tolist())
    assert taus == {
        ("one", "other"): pytest.approx(expected),
        ("other", "one"): pytest.approx(expected),
    }
    for _ in range(200):
        score = rng.permutation(30).tolist()
        both = [tau_b(score, values.tolist()) for values in columns.values()]
        assert min(both) <= (1 + expected) / 2 + 1e-9


def test_few_shot_is_judged_on_networks_without_a_label() -> None:
    trained = some(60)
    (found,) = few_shot_orders(trained, ByWidth(), labels=20, draws=2)
    assert (found.score, found.column, found.count) == ("few-shot, 20 labels", "whole", 40)
    (base,) = (
        each.kendall
        for each in orders(trained, ByWidth(), IMAGENET, ())
        if (each.score, each.column) == ("by-width", "whole")
    )
    assert found.kendall > base + 0.05  # it learns what depth adds to width


def test_counting_has_the_published_order() -> None:
    folder = Path(os.environ.get("PELNAS_DATA") or Path(__file__).parents[3] / "shared" / "data")
    if not (folder / AUTOFORMER).is_file():
        pytest.skip(f"no {AUTOFORMER} in {folder} (PELNAS_DATA)")
    trained = read_autoformer(folder)
    taus = {
        (each.score, each.column): (each.kendall, each.count)
        for each in orders(trained, ByWidth(), IMAGENET, ("depth",))
    }
    assert taus["params", "cifar100_kd_acc"] == (pytest.approx(0.48, abs=0.01), 200)
    assert taus["params", "flowers_kd_acc"] == (pytest.approx(0.69, abs=0.01), 200)
    assert taus["depth", "cifar100_kd_acc"] == (pytest.approx(0.71, abs=0.01), 200)
    assert taus["params", "cifar100_acc"][1] == 100
