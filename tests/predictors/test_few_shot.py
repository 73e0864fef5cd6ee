"""Learning from a few labels: what is learned, what is said of it, and what to label next."""

from collections.abc import Iterator, Sequence

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from pelnas.architecture import Architecture, Prediction
from pelnas.errors import DataError
from pelnas.predictors.base import AccuracyPredictor
from pelnas.predictors.few_shot import FewShot, Known, held_out_error, suggest_labels
from pelnas.predictors.labels import Label
from pelnas.spaces import get_space

TINY = get_space("tiny")
EVERY = [TINY.at(index) for index in range(TINY.size)]


def truth(architecture: Architecture) -> float:
    """3x3 convolutions help and pools hurt, which the base below does not know."""
    features = TINY.features(architecture)
    return 60 + 8 * features["nor_conv_3x3"] - 5 * features["avg_pool_3x3"] + features["depth"]


def error(predictions: Sequence[Prediction], architectures: Sequence[Architecture]) -> float:
    """Root mean square, in percent of accuracy."""
    errors = [p.score - truth(each) for p, each in zip(predictions, architectures, strict=True)]
    return float(np.sqrt(np.mean(np.square(errors))))


class Depth(AccuracyPredictor):
    """A base that knows the depth alone."""

    name = "depth"
    unit = "rank score"
    source = "the depth"

    def __init__(self) -> None:
        self.closed = 0

    def predict(self, architectures: Sequence[Architecture]) -> Iterator[Prediction]:
        for architecture in architectures:
            depth = TINY.features(architecture)["depth"]
            yield Prediction((1 + depth) / 4, 0.1, {"depth": depth})

    def close(self) -> None:
        self.closed += 1


def labels(count: int, seed: int = 0) -> list[Label]:
    drawn = np.random.default_rng(seed).permutation(TINY.size)[:count]
    return [Label(TINY.format(TINY.at(int(i))), truth(TINY.at(int(i)))) for i in drawn]


def test_it_learns_what_the_base_does_not_know() -> None:
    known = {label.architecture for label in labels(40)}
    unseen = [each for each in EVERY if TINY.format(each) not in known]
    predictions = list(FewShot(TINY, Depth(), labels(40)).predict(unseen))
    assert error(predictions, unseen) < 1.0  # the accuracies' own deviation is 6.5
    assert all(0 <= p.score <= 100 and p.uncertainty > 0 for p in predictions)
    assert predictions[0].proxies == {"depth": TINY.features(unseen[0])["depth"]}


def test_a_label_is_the_score_of_its_architecture() -> None:
    given = labels(12)
    labelled = [TINY.parse(label.architecture) for label in given]
    scores = [p.score for p in FewShot(TINY, Depth(), given).predict(labelled)]
    assert scores == [label.accuracy for label in given]


def test_far_from_every_label_it_is_less_sure() -> None:
    poor = [Label(TINY.format(each), truth(each)) for each in EVERY if truth(each) < 62][:20]
    predictor = FewShot(TINY, Depth(), poor)
    near, far = predictor.predict([TINY.parse(poor[0].architecture), TINY.of((3, 3, 3))])
    assert far.uncertainty > near.uncertainty


def test_what_is_held_out_is_told() -> None:
    predictor = FewShot(TINY, Depth(), labels(40))
    found = predictor.held_out
    assert found.error < 3
    assert found.kendall > max(0.8, found.base_kendall)
    assert f"40 trained accuracies and depth; on labels held out: error {found.error:.2f} %" in (
        predictor.source
    )


def test_labels_of_noise_are_said_to_teach_nothing() -> None:
    rng = np.random.default_rng(3)
    noise = [Label(label.architecture, float(rng.uniform(50, 90))) for label in labels(40)]
    assert abs(FewShot(TINY, Depth(), noise).held_out.kendall) < 0.4


def test_the_same_again_and_in_any_company() -> None:
    one = list(FewShot(TINY, Depth(), labels(15)).predict(EVERY))
    other = FewShot(TINY, Depth(), labels(15))
    assert [next(iter(other.predict([each]))) for each in EVERY] == one


def test_it_closes_its_base_and_refuses_too_few() -> None:
    base = Depth()
    FewShot(TINY, base, labels(10)).close()
    assert base.closed == 1
    with pytest.raises(DataError, match="at least 10"):
        FewShot(TINY, Depth(), labels(9))


class Percent(Depth):
    """The same base in percent."""

    unit = "accuracy, %"

    def predict(self, architectures: Sequence[Architecture]) -> Iterator[Prediction]:
        for each in super().predict(architectures):
            yield Prediction(100 * each.score, 100 * each.uncertainty, each.proxies)


def test_a_base_in_percent_teaches_what_one_between_0_and_1_does() -> None:
    shares = [p.score for p in FewShot(TINY, Depth(), labels(15)).predict(EVERY)]
    assert [p.score for p in FewShot(TINY, Percent(), labels(15)).predict(EVERY)] == (
        pytest.approx(shares)
    )


class Perfect(Depth):
    """A base that knows the truth."""

    unit = "accuracy, %"

    def predict(self, architectures: Sequence[Architecture]) -> Iterator[Prediction]:
        return (Prediction(truth(architecture)) for architecture in architectures)


def test_few_labels_do_not_spoil_a_perfect_base() -> None:
    for seed in range(3):
        predictions = list(FewShot(TINY, Perfect(), labels(12, seed)).predict(EVERY))
        assert error(predictions, EVERY) < 0.5  # the accuracies' own deviation is 6.5


class Beyond(Depth):
    """A base with a unit of its own."""

    def predict(self, architectures: Sequence[Architecture]) -> Iterator[Prediction]:
        for each in super().predict(architectures):
            yield Prediction(500 * each.score - 250)


def test_scores_of_a_base_beyond_0_and_1_do_no_harm() -> None:
    predictions = list(FewShot(TINY, Beyond(), labels(40)).predict(EVERY))
    assert error(predictions, EVERY) < 2.0


def test_the_error_on_unseen_classes_is_that_of_processes_without_them() -> None:
    from sklearn.gaussian_process import GaussianProcessRegressor
    from sklearn.gaussian_process.kernels import RBF, WhiteKernel

    rng = np.random.default_rng(0)
    rows, target = rng.random((12, 2)), rng.random(12)
    target -= target.mean()
    classes = np.array([0, 0, 1, 2, 2, 2, 3, 4, 5, 5, 6, 7])
    kernel = RBF(0.5) + WhiteKernel(0.1)

    def fitted(kept: np.ndarray) -> GaussianProcessRegressor:
        process = GaussianProcessRegressor(kernel, optimizer=None)
        return process.fit(rows[kept], target[kept])

    errors = [
        fitted(classes != each).predict(rows[classes == each]) - target[classes == each]
        for each in range(8)
    ]
    expected = np.mean(np.concatenate(errors) ** 2)
    assert held_out_error(fitted(classes >= 0), classes) == pytest.approx(expected)


def known(*rows: tuple[str, float, float, float]) -> list[Known]:
    return [Known(*row) for row in rows]


def test_of_equal_parts_of_the_front_the_least_sure_are_suggested() -> None:
    pool = known(
        ("a", 0.1, 0.1, 1.0),
        ("b", 0.2, 0.3, 2.0),
        ("c", 0.3, 0.1, 3.0),
        ("d", 0.4, 0.2, 4.0),
        ("never", 0.9, 0.9, float("inf")),
    )
    assert suggest_labels(pool, [], 2) == ["b", "d"]
    assert suggest_labels(pool, ["b"], 2) == ["a", "d"]
    assert suggest_labels(pool, ["a", "b", "c", "d"], 2) == []


def test_what_is_far_behind_the_front_is_not_suggested() -> None:
    front = [(f"f{i}", 0.5 + i / 100, 0.0, float(i)) for i in range(6)]
    behind = [(f"b{i}", 0.1 - i / 100, 1.0, 10.0 + i) for i in range(6)]
    assert all(text.startswith("f") for text in suggest_labels(known(*front, *behind), [], 2))


@given(
    st.lists(
        st.tuples(st.floats(0, 1), st.floats(0, 1), st.floats(1, 9) | st.just(float("inf"))),
        max_size=30,
    ),
    st.integers(1, 12),
)
def test_suggestions_are_feasible_different_and_as_many_as_wanted(
    rows: list[tuple[float, float, float]], count: int
) -> None:
    pool = [Known(str(i), *row) for i, row in enumerate(rows)]
    found = suggest_labels(pool, ["0"], count)
    feasible = {each.architecture for each in pool if np.isfinite(each.latency_ms)} - {"0"}
    assert len(found) == len(set(found)) == min(count, len(feasible))
    assert set(found) <= feasible
