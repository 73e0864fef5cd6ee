import numpy as np
import pytest

from pelnas.errors import DatasetError
from pelnas.predictors.known_truth import KINDS, KnownTruthPredictor, Truth, named
from pelnas.spaces import get_space

FBNET = get_space("fbnet")


def drawn(count: int) -> list:  # type: ignore[type-arg]
    rng = np.random.default_rng(0)
    return [FBNET.sample(rng) for _ in range(count)]


def test_an_additive_truth_is_a_sum_over_positions() -> None:
    truth = Truth.draw(FBNET, "additive", 7)
    for architecture in drawn(20):
        position = architecture.genes[3]
        other = FBNET.of((*architecture.genes[:3], (position + 1) % 9, *architecture.genes[4:]))
        change = truth.worth[3][other.genes[3]] - truth.worth[3][position]
        assert truth.accuracy(other) - truth.accuracy(architecture) == pytest.approx(change)


def test_neighbours_interact_in_the_adjacent_truth_alone() -> None:
    def mixed(truth: Truth, one: int, two: int) -> float:
        """The second difference of the accuracy in two positions."""

        def at(a: int, b: int) -> float:
            genes = [0] * 22
            genes[one], genes[two] = a, b
            return truth.accuracy(FBNET.of(tuple(genes)))

        return at(1, 1) - at(1, 0) - at(0, 1) + at(0, 0)

    adjacent, additive = (Truth.draw(FBNET, kind, 0) for kind in ("adjacent", "additive"))
    assert abs(mixed(adjacent, 4, 5)) > 0.01
    assert mixed(adjacent, 4, 6) == pytest.approx(0)
    assert mixed(additive, 4, 5) == pytest.approx(0)


def test_noise_is_drawn_once_for_a_network_and_has_the_spread_it_says() -> None:
    truth = Truth.draw(FBNET, "noisy", 0)
    every = drawn(400)
    errors = [truth.observed(each) - truth.accuracy(each) for each in every]
    assert np.std(errors) == pytest.approx(truth.noise, rel=0.15)
    assert abs(np.mean(errors)) < 0.2 * truth.noise
    assert [truth.observed(each) for each in every[:5]] == [
        Truth.draw(FBNET, "noisy", 0).observed(each) for each in every[:5]
    ]


@pytest.mark.parametrize("kind", KINDS)
def test_what_takes_more_flops_is_worth_more_on_the_average(kind: str) -> None:
    predictor = KnownTruthPredictor(FBNET, f"{kind}-1")
    every = drawn(200)
    from pelnas.architecture import Shape

    sizes = [FBNET.flops(each, Shape()) for each in every]
    scores = [found.score for found in predictor.predict(every)]
    assert np.corrcoef(sizes, scores)[0, 1] > 0.2


@pytest.mark.parametrize("dataset", ["", "cifar10", "additive", "additive-", "additive-x", "sum-0"])
def test_a_data_set_that_names_no_truth_is_refused(dataset: str) -> None:
    with pytest.raises(DatasetError, match="write for example additive-0"):
        named(dataset)
