"""The scale that few cells set, the bundled trees, and what they make of a cell."""

from pathlib import Path

import numpy as np
import pytest

from pelnas.architecture import Architecture
from pelnas.cache import Cache
from pelnas.config import Scoring
from pelnas.errors import ConfigError, DataError
from pelnas.images import ImageSet, load_images
from pelnas.predictors.reference import Reference
from pelnas.predictors.transfer import (
    MODEL,
    PROXIES,
    Fitted,
    Transfer,
    columns_of,
    exponential_scores,
    ranks_of,
    row_of,
)
from pelnas.predictors.trees import LEAF, Trees
from pelnas.proxies import FLOOR
from pelnas.spaces import get_space

SPACE = get_space("nasbench201")
SETTINGS = Scoring(batch=4, resolution=8, reference=8, workers=1)
BEST, DEAD = SPACE.at(6111), SPACE.parse("|none~0|+|none~0|none~1|+|none~0|none~1|none~2|")


@pytest.fixture(scope="module")
def images() -> ImageSet:
    return load_images(None, 8)


@pytest.fixture(scope="module")
def fitted() -> Fitted:
    return Fitted.load(MODEL)


def transfer(images: ImageSet, fitted: Fitted, folder: Path, seed: int = 0) -> Transfer:
    return Transfer(SPACE, images, SETTINGS, seed, Cache(folder / "c.sqlite"), fitted)


def reference(*standings: float) -> Reference:
    return Reference(("nwot",), tuple(range(len(standings))), np.array(standings)[:, None])


def test_the_kth_best_value_gets_the_kth_best_standing() -> None:
    scale = reference(0.9, 0.1, 0.4).scale("nwot", [5.0, 30.0, 20.0])
    assert [scale(value) for value in (5.0, 20.0, 30.0)] == [0.1, 0.4, 0.9]
    assert scale(25.0) == pytest.approx(0.65)
    assert 0.9 < scale(31.0) < scale(99.0) < 1
    assert 0.1 > scale(4.0) > scale(-99.0) > 0


def test_equal_values_share_the_mean_of_their_standings() -> None:
    scale = reference(0.2, 0.4, 0.9).scale("nwot", [1.0, 1.0, 2.0])
    assert [scale(1.0), scale(2.0)] == [pytest.approx(0.3), 0.9]


def test_dead_cells_hold_the_lowest_standings() -> None:
    scale = reference(0.1, 0.2, 0.6, 0.8).scale("nwot", [7.0, FLOOR, 9.0, FLOOR])
    assert [scale(7.0), scale(9.0)] == [0.6, 0.8]
    assert 0 <= scale(FLOOR) < 1e-6
    lifeless = reference(0.1, 0.2).scale("nwot", [FLOOR, FLOOR])
    assert lifeless(-1.0) < lifeless(1.0)


def test_a_small_tree_by_hand() -> None:
    trees = Trees(
        names=("x", "y"),
        scale=2.0,
        start=np.float32([1.0, 3.0]),
        roots=np.int32([[0], [3]]),
        feature=np.int16([1, LEAF, LEAF, LEAF]),
        threshold=np.float32([0.5, 0, 0, 0]),
        left=np.int32([1, 0, 0, 0]),
        right=np.int32([2, 0, 0, 0]),
        value=np.float32([0, 10, 20, 1]),
    )
    mean, deviation = trees.predict(np.array([[9.0, 0.5], [9.0, 0.6]]))
    assert mean.tolist() == [(11 + 4) / 2, (21 + 4) / 2]
    assert deviation.tolist() == [2 * 3.5, 2 * 8.5]


def test_each_halving_of_what_is_better_is_one_step() -> None:
    steps = np.diff(exponential_scores(np.array([0.0, 0.5, 0.75, 0.875])))
    assert steps == pytest.approx([np.log(2)] * 3)


def test_ranks_come_back_from_their_scores_with_the_deviation_there() -> None:
    ranks = np.array([0.0, 0.3, 0.9999])
    again, deviation = ranks_of(exponential_scores(ranks), np.full(3, 0.1))
    assert again == pytest.approx(ranks)
    assert deviation == pytest.approx(0.1 * (1 - ranks))
    assert ranks_of(np.array([-2.0]), np.array([0.1]))[0].tolist() == [0.0]


def test_routes_are_counted_in_order_without_identities() -> None:
    cell = SPACE.parse(
        "|nor_conv_3x3~0|+|skip_connect~0|nor_conv_1x1~1|+|none~0|avg_pool_3x3~1|avg_pool_3x3~2|"
    )
    names = columns_of(SPACE, [cell])
    found = dict(zip(names, row_of(SPACE, names, cell, (0.1, 0.2, 0.3, 0.4)), strict=True))
    assert {name: n for name, n in found.items() if name.startswith("route")} == {
        "route avg_pool_3x3": 1,
        "route nor_conv_3x3 > avg_pool_3x3": 1,
        "route nor_conv_3x3 > nor_conv_1x1 > avg_pool_3x3": 1,
    }
    assert [found[name] for name in PROXIES] == [0.1, 0.2, 0.3, 0.4]
    assert found["avg_pool_3x3"] == 2


def test_the_package_carries_small_plain_trees_for_these_columns() -> None:
    assert MODEL.stat().st_size < 2e6
    with np.load(MODEL, allow_pickle=False) as file:
        assert all(file[name].dtype != object for name in file.files)
    bundled = Fitted.load(MODEL)
    assert bundled.trees.names == columns_of(SPACE, map(SPACE.at, range(SPACE.size)))
    assert bundled.reference.proxies == PROXIES
    assert len(set(bundled.reference.cells)) == len(bundled.reference.cells) == 64
    assert ((bundled.reference.standings > 0) & (bundled.reference.standings < 1)).all()


def test_what_is_saved_is_loaded(fitted: Fitted, tmp_path: Path) -> None:
    fitted.save(tmp_path / "t.npz")
    again = Fitted.load(tmp_path / "t.npz")
    rows = np.random.default_rng(0).random((5, len(fitted.trees.names)))
    for one, other in zip(again.trees.predict(rows), fitted.trees.predict(rows), strict=True):
        assert np.array_equal(one, other)
    assert again.reference.cells == fitted.reference.cells


@pytest.mark.parametrize("content", [None, b"", b"no archive", MODEL.read_bytes()[:9999]])
def test_a_file_that_is_no_fit_is_named(tmp_path: Path, content: bytes | None) -> None:
    path = tmp_path / "t.npz"
    if content is not None:
        path.write_bytes(content)
    with pytest.raises(DataError, match="fitted trees of predictor 'transfer' at"):
        Fitted.load(path)


def test_a_good_cell_beats_a_dead_one(images: ImageSet, fitted: Fitted, tmp_path: Path) -> None:
    lost, good = transfer(images, fitted, tmp_path).predict([DEAD, BEST])
    assert lost.score < 0.15
    assert good.score > 0.8
    assert lost.uncertainty > 0
    assert set(good.proxies) == set(PROXIES)


def test_a_score_depends_on_images_and_seed_alone(
    images: ImageSet, fitted: Fitted, tmp_path: Path
) -> None:
    cells: list[Architecture] = [SPACE.at(i) for i in (5, 900, 5)]
    together = list(transfer(images, fitted, tmp_path / "a").predict(cells))
    alone = [next(transfer(images, fitted, tmp_path / "b").predict([each])) for each in cells]
    assert together == alone
    assert together[0] == together[2]
    assert list(transfer(images, fitted, tmp_path / "a", seed=1).predict(cells)) != together


def test_another_space_is_refused(images: ImageSet, tmp_path: Path) -> None:
    with pytest.raises(ConfigError, match="found space 'tiny': use rank-sum, or few-shot"):
        Transfer(get_space("tiny"), images, SETTINGS, 0, Cache(tmp_path / "c.sqlite"))
