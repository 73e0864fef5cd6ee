"""What every AccuracyPredictor of the table keeps."""

from collections.abc import Callable
from contextlib import closing
from math import isfinite
from pathlib import Path

import pytest

from pelnas.architecture import Architecture
from pelnas.cache import Cache
from pelnas.config import Scoring, SearchConfig
from pelnas.images import ImageSet, load_images
from pelnas.predictors import PREDICTORS, AccuracyPredictor, get_predictor
from pelnas.predictors.labels import Label
from pelnas.spaces import SearchSpace, get_space

Maker = Callable[[], AccuracyPredictor]
SETTINGS = Scoring(batch=8, resolution=8, reference=8, workers=1)


@pytest.fixture(scope="module")
def images() -> ImageSet:
    return load_images(None, 8)


@pytest.fixture(scope="module")
def cache(tmp_path_factory: pytest.TempPathFactory) -> Cache:
    """Shared by the tests: transfer scores many cells before its first answer."""
    return Cache(tmp_path_factory.mktemp("scores") / "measurements.sqlite")


@pytest.fixture(params=PREDICTORS)
def name(request: pytest.FixtureRequest) -> str:
    found: str = request.param
    return found


@pytest.fixture
def space(name: str) -> SearchSpace:
    return get_space("nasbench201" if name == "transfer" else "tiny")


@pytest.fixture
def make(name: str, space: SearchSpace, images: ImageSet, cache: Cache, tiny_tables: Path) -> Maker:
    """Makes the predictor anew, with the same settings and cache."""
    config = SearchConfig(
        space=space.name,
        accuracy=name,
        data=tiny_tables,
        dataset="additive-0" if name == "known-truth" else "toy10",
        scoring=SETTINGS,
    )
    labels = [Label(space.format(space.at(i)), 50.0 + i) for i in range(12)]
    return lambda: get_predictor(config, space, images, cache, labels)


def some(space: SearchSpace, *indices: int) -> list[Architecture]:
    return [space.at(index) for index in indices]


def test_it_says_what_it_is(make: Maker, name: str) -> None:
    predictor = make()
    assert predictor.name == name
    assert predictor.unit
    assert ("truth" in predictor.source) == (name == "table")


def test_there_is_one_prediction_for_each_in_order(make: Maker, space: SearchSpace) -> None:
    found = list(make().predict(some(space, 30, 90, 30, 63)))
    assert len(found) == 4
    assert found[0] == found[2]
    assert all(isfinite(p.score) and isfinite(p.uncertainty) for p in found)
    assert all(p.uncertainty >= 0 for p in found)
    backwards = list(make().predict(some(space, 63, 30, 90, 30)))
    assert [backwards[i] for i in (1, 2, 3, 0)] == found


def test_what_is_begun_beforehand_changes_no_prediction(make: Maker, space: SearchSpace) -> None:
    expected = list(make().predict(some(space, 40, 80)))
    with closing(make()) as predictor:
        predictor.begin(some(space, 80, *range(12)))
        predictor.begin(some(space, 40, 80))
        assert list(predictor.predict(some(space, 40, 80))) == expected


def test_the_first_may_be_taken_alone_and_none_asked_for(make: Maker, space: SearchSpace) -> None:
    predictor = make()
    first = next(iter(predictor.predict(some(space, 30, 90))))
    assert first == next(iter(predictor.predict(some(space, 30))))
    assert list(predictor.predict([])) == []


def test_it_may_be_closed_twice(make: Maker) -> None:
    predictor = make()
    predictor.close()
    predictor.close()


def test_closed_it_predicts_the_same_again(make: Maker, space: SearchSpace) -> None:
    predictor = make()
    first = list(predictor.predict(some(space, 30, 90)))
    predictor.close()
    assert list(predictor.predict(some(space, 30, 90))) == first
