"""Trees as arrays say what scikit-learn's say, and nobody judges what he was fitted to."""

from collections import defaultdict
from collections.abc import Iterator
from functools import cache

import numpy as np
import pytest
from sklearn.ensemble import GradientBoostingRegressor

from pelnas.bench import fitting
from pelnas.bench.fitting import FOLDS, Sample, as_arrays, cross_fit, fit, fold_of
from pelnas.predictors.transfer import PROXIES, Fitted, columns_of, exponential_scores
from pelnas.predictors.trees import Trees
from pelnas.spaces import get_space

SPACE = get_space("tiny")
TEXTS = [SPACE.format(SPACE.at(i)) for i in range(SPACE.size)]


@pytest.fixture(scope="module", autouse=True)
def _few_trees() -> Iterator[None]:
    """A tenth of the trees that are published, in steps as much longer: what holds of them is the same."""
    with pytest.MonkeyPatch.context() as patch:
        for name in ("BOOSTING", "BOOSTING_STRUCTURE"):
            settings = getattr(fitting, name)
            steps = {"n_estimators": 30, "learning_rate": 6 * settings["learning_rate"]}
            patch.setattr(fitting, name, {**settings, **steps})
        yield


@cache
def sample() -> Sample:
    """Accuracies by a formula, with proxies of two thirds of the cells that order them too."""
    features = [SPACE.features(SPACE.at(i)) for i in range(SPACE.size)]
    accuracy = [
        50 + 9 * f["nor_conv_3x3"] + 3 * f["depth"] + i / 1e3 for i, f in enumerate(features)
    ]
    accuracies = {
        "one": dict(zip(TEXTS, accuracy, strict=True)),
        "other": dict(zip(TEXTS, (2 * value - 100 for value in accuracy), strict=True)),
    }
    drawn = np.random.default_rng(0).permutation(SPACE.size)[:84]
    proxies = {TEXTS[i]: dict.fromkeys(PROXIES, 1e3 * accuracy[i]) for i in drawn}
    return Sample.of(SPACE, accuracies, proxies)


@cache
def fitted() -> Fitted:
    """Trees that saw every cell of one data set."""
    return fit(sample(), ["one"], seed=0)


@cache
def held_out() -> tuple[Trees, ...]:
    """For each fold, trees that did not see its cells."""
    return tuple(cross_fit(sample(), ["one"], seed=0))


def test_exported_trees_predict_what_scikit_learn_predicts() -> None:
    rng = np.random.default_rng(1)
    names = ("a", "b", "c", "d")
    columns = rng.random((200, 4)).astype(np.float32).astype(np.float64)
    target = columns[:, 1] + columns[:, 3] ** 2
    wide = GradientBoostingRegressor(n_estimators=20, random_state=0).fit(columns, target)
    narrow = GradientBoostingRegressor(n_estimators=9, max_depth=2, random_state=1)
    narrow.fit(columns[:, 2:], target)
    found = as_arrays(names, [wide]).members(columns)[0]
    assert found == pytest.approx(wide.predict(columns), abs=1e-5)
    found = as_arrays(names, [narrow]).members(columns)[0]
    assert found == pytest.approx(narrow.predict(columns[:, 2:]), abs=1e-5)


def test_isomorphic_cells_fall_into_the_same_fold() -> None:
    folds: dict[str, set[int]] = defaultdict(set)
    for i in range(SPACE.size):
        folds[SPACE.key(SPACE.at(i))].add(fold_of(SPACE, SPACE.at(i)))
    assert all(len(each) == 1 for each in folds.values())
    assert {fold for each in folds.values() for fold in each} == set(range(FOLDS))


def test_a_target_is_the_rank_among_all_trained_cells() -> None:
    ranks = sample().targets["one"]
    assert sorted(ranks) == pytest.approx((np.arange(SPACE.size) + 0.5) / SPACE.size)
    assert ranks.tolist() == sample().targets["other"].tolist()
    reference = sample().reference()
    assert reference.proxies == PROXIES
    assert reference.cells[:3] == tuple(sample().scored[:3])


def test_trees_that_saw_the_cells_and_trees_that_did_not_order_them() -> None:
    trees = fitted().trees
    rows = sample().rows(fitted().reference)
    target = exponential_scores(sample().targets["one"][sample().scored])
    assert trees.names == columns_of(SPACE, sample().cells)
    mean, deviation = trees.predict(rows)
    assert np.corrcoef(mean, target)[0, 1] > 0.98
    assert (deviation > 0).all()
    folds = np.array([fold_of(SPACE, sample().cells[i]) for i in sample().scored])
    unseen = np.empty(len(rows))
    for fold, blind in enumerate(held_out()):
        unseen[folds == fold] = blind.predict(rows[folds == fold])[0]
    seen_error, error = np.std(mean - target), np.std(unseen - target)
    assert seen_error < error < 0.5 * np.std(target)


def test_what_is_held_out_does_not_touch_the_trees_of_its_fold() -> None:
    """A cell's accuracy changes: trees of its own fold stay, the others do not."""
    changed = {name: ranks.copy() for name, ranks in sample().targets.items()}
    place = int(sample().scored[0])
    changed["one"][place] = 1 - changed["one"][place]
    other = Sample(SPACE, sample().cells, changed, sample().scored, sample().proxies)
    own = fold_of(SPACE, sample().cells[place])
    pairs = zip(held_out(), cross_fit(other, ["one"], 0), strict=True)
    same = [np.array_equal(a.value, b.value) for a, b in pairs]
    assert same == [fold == own for fold in range(FOLDS)]


def test_equal_arguments_give_equal_trees() -> None:
    again = fit(sample(), ["one", "other"], seed=0).trees  # both rank the cells alike
    assert np.array_equal(fitted().trees.value, again.value)
    assert fitted().trees.scale == again.scale
