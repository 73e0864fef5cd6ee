"""The scale, the combination, and what a predictor owes to a search."""

from pathlib import Path
from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from pelnas.architecture import Architecture
from pelnas.cache import Cache
from pelnas.config import Scoring
from pelnas.errors import ProxyError
from pelnas.images import ImageSet, load_images
from pelnas.predictors.rank_sum import RankSum, Scale, judge, scales_of
from pelnas.proxies import FLOOR, engine
from pelnas.spaces import get_space

SPACE = get_space("tiny")
SETTINGS = Scoring(batch=8, resolution=8, reference=8, workers=2)  # so few stay in process

values = st.floats(-1e6, 1e6).map(lambda value: round(value, 3))


@pytest.fixture(scope="module")
def images() -> ImageSet:
    return load_images(None, 8)


def rank_sum(images: ImageSet, folder: Path, seed: int = 0) -> RankSum:
    return RankSum(SPACE, images, scoring=SETTINGS, seed=seed, cache=Cache(folder / "c.sqlite"))


def some(*indices: int) -> list[Architecture]:
    return [SPACE.at(index) for index in indices]


@given(st.lists(values, min_size=1, max_size=40), values, values)
def test_a_scale_is_strictly_increasing_and_inside_0_to_1(
    sample: list[float], one: float, other: float
) -> None:
    scale = Scale.of(sample)
    low, high = sorted((one, other))
    assert 0 < scale(low) <= scale(high) < 1
    if high - low > 1e-3:
        assert scale(low) < scale(high)


def test_inside_the_sample_it_is_the_share_of_smaller_values() -> None:
    scale = Scale.of([1.0, 2.0, 2.0, 4.0])
    assert [scale(1.0), scale(2.0), scale(4.0)] == [1 / 8, 1 / 2, 7 / 8]
    assert scale(3.0) == pytest.approx((1 / 2 + 7 / 8) / 2)


def test_beyond_the_best_the_better_still_wins() -> None:
    scale = Scale.of([1.0, 2.0, 3.0, 4.0])
    far = [scale(4.0 * 10**power) for power in range(8)]
    assert far == sorted(set(far))


def test_dead_networks_in_the_sample_raise_the_rest_and_do_not_stretch_the_scale() -> None:
    scale = Scale.of([FLOOR, FLOOR, 1.0, 3.0])
    assert scale(1.0) == 5 / 8
    assert scale(1.5) == pytest.approx(5 / 8 + (7 / 8 - 5 / 8) / 4)
    assert scale(0.0) < 5 / 8


def test_a_sample_of_dead_networks_is_still_a_scale() -> None:
    scale = Scale.of([FLOOR, FLOOR])
    assert scale(-1.0) < scale(0.0) < scale(1.0)


def test_the_score_is_the_geometric_mean_and_doubt_is_disagreement() -> None:
    scales = {name: Scale.of([0.0, 10.0]) for name in ("a", "b")}
    agreed = judge({"a": 5.0, "b": 5.0}, scales)
    split = judge({"a": 0.0, "b": 10.0}, scales)
    assert (agreed.score, agreed.uncertainty) == (pytest.approx(0.5), 0.0)
    assert split.score == pytest.approx((0.25 * 0.75) ** 0.5)
    assert split.uncertainty == pytest.approx(0.25)


def test_a_dead_network_scores_0_whatever_its_size(images: ImageSet, tmp_path: Path) -> None:
    dead = SPACE.parse("|nor_conv_3x3~0|+|none~0|none~1|")
    alive = SPACE.parse("|nor_conv_3x3~0|+|none~0|skip_connect~1|")
    lost, kept = rank_sum(images, tmp_path).predict([dead, alive])
    assert (lost.score, lost.uncertainty) == (0.0, 0.0)
    assert 0 < kept.score < 1
    assert set(kept.proxies) == set(SPACE.proxies)


def test_a_score_does_not_depend_on_the_company(images: ImageSet, tmp_path: Path) -> None:
    together = list(rank_sum(images, tmp_path / "a").predict(some(30, 60, 90, 30)))
    alone = [next(rank_sum(images, tmp_path / "b").predict(some(i))) for i in (30, 60, 90, 30)]
    assert together == alone
    assert together[0] == together[3]


def test_a_warm_cache_gives_the_same_and_another_seed_another(
    images: ImageSet, tmp_path: Path
) -> None:
    cold = list(rank_sum(images, tmp_path).predict(some(30, 60)))
    warm = list(rank_sum(images, tmp_path).predict(some(30, 60)))
    assert cold == warm
    assert list(rank_sum(images, tmp_path, seed=1).predict(some(30, 60))) != cold


def test_workers_give_the_same_scores(images: ImageSet, tmp_path: Path) -> None:
    pool = rank_sum(images, tmp_path / "pool")
    cells = some(*range(1, 125, 12))
    try:
        parallel = list(pool.predict(cells))
    finally:
        pool.close()
    few = rank_sum(images, tmp_path / "here")
    assert parallel == [next(few.predict([cell])) for cell in cells]


def test_predictions_come_one_by_one(images: ImageSet, tmp_path: Path) -> None:
    predictor = rank_sum(images, tmp_path)
    running = predictor.predict(some(1, 2))
    first = next(running)
    assert np.isfinite(first.score)
    assert len(list(running)) == 1


def test_networks_of_many_depths_are_judged_by_their_sizes_without_images(
    images: ImageSet, tmp_path: Path
) -> None:
    space = get_space("mnasnet")
    predictor = RankSum(space, images, SETTINGS, 0, Cache(tmp_path / "c.sqlite"))
    smallest, larger, largest = (
        space.parse("/".join([block] * 7)) for block in ("e1k3n1", "e4k3n2", "e6k5n3s")
    )
    found = list(predictor.predict([larger, smallest, largest]))
    assert 0 < found[1].score < found[0].score < found[2].score < 1
    assert found[0].proxies["params"] == space.parameters(larger, images.shape)
    assert found[0].proxies["flops"] == space.flops(larger, images.shape)
    assert predictor.source == "predicted without training from params, flops, entropy"


def test_a_proxy_that_is_not_defined_is_left_out_and_said_so(
    images: ImageSet,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    caplog: pytest.LogCaptureFixture,
) -> None:
    """nwot of every network, as of one without activation layers; the cache knows it afterwards."""
    whole = engine.score_network

    def without(*arguments: Any) -> dict[str, float]:
        return {name: value for name, value in whole(*arguments).items() if name != "nwot"}

    monkeypatch.setattr(engine, "score_network", without)
    settings = SETTINGS.model_copy(update={"workers": 1})
    cold = list(RankSum(SPACE, images, settings, 0, Cache(tmp_path / "c")).predict(some(30, 60)))
    assert "nwot cannot be computed for every network of tiny" in caplog.text
    assert [set(each.proxies) for each in cold] == [set(SPACE.proxies) - {"nwot"}] * 2
    assert all(0 < each.score < 1 for each in cold)
    monkeypatch.setattr(engine, "score_network", lambda *_: pytest.fail("it is in the cache"))
    warm = RankSum(SPACE, images, settings, 0, Cache(tmp_path / "c")).predict(some(30, 60))
    assert list(warm) == cold


def test_without_any_proxy_there_is_one_sentence(
    images: ImageSet, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(engine, "score_network", lambda *_: {})
    settings = SETTINGS.model_copy(update={"workers": 1})
    predictor = RankSum(SPACE, images, settings, 0, Cache(tmp_path / "c"))
    with pytest.raises(ProxyError, match="defined for networks of tiny, found none of nwot"):
        next(predictor.predict(some(30)))


def test_a_network_is_judged_by_what_is_defined_for_it() -> None:
    scales = {name: Scale.of([0.0, 10.0]) for name in ("a", "b")}
    assert judge({"a": 5.0}, scales).score == pytest.approx(0.5)
    assert scales_of([{"a": 1.0, "b": 2.0}, {"b": 3.0}]).keys() == {"b"}
