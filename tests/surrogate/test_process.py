import numpy as np
import pytest

from pelnas.surrogate.process import JITTER, Process, Weights, fit_weights, lower_root

RNG = np.random.default_rng(0)
POINTS = RNG.standard_normal((30, 4))
SLOPE = np.array([1.0, -2.0, 0.0, 0.5])
LINEAR = POINTS @ POINTS.T


def test_the_posterior_is_that_of_the_textbook() -> None:
    target, weights = RNG.standard_normal(30), Weights(np.array([0.7]), 0.3)
    others = RNG.standard_normal((5, 4))
    across, among = 0.7 * others @ POINTS.T, 0.7 * others @ others.T
    inverse = np.linalg.inv(0.7 * LINEAR + (0.3 + 1e-8) * np.eye(30))
    mean, covariance = Process([LINEAR], target, weights).joint(
        [others @ POINTS.T], [others @ others.T]
    )
    assert mean == pytest.approx(across @ inverse @ target)
    assert covariance == pytest.approx(among - across @ inverse @ across.T, abs=1e-9)


def test_fitting_finds_which_kernel_made_the_values_and_how_noisy_they_are() -> None:
    noise = 0.1 * RNG.standard_normal(30)
    target = POINTS @ SLOPE + noise
    unrelated = RNG.standard_normal((30, 4))
    weights = fit_weights([LINEAR, unrelated @ unrelated.T], target / target.std())
    assert weights.kernels[0] > 100 * weights.kernels[1]
    assert 0.03 < np.sqrt(weights.noise) * target.std() < 0.3


def test_a_line_is_learned_from_a_few_points() -> None:
    target = POINTS @ SLOPE
    others = RNG.standard_normal((5, 4))
    process = Process([LINEAR], target, fit_weights([LINEAR], target))
    expected = process.weights.kernels[0] * others @ POINTS.T @ process.alpha
    assert expected == pytest.approx(others @ SLOPE, abs=0.01)


@pytest.mark.parametrize(("lowest", "added"), [(0.5, JITTER), (0.0, JITTER), (-3e-5, 1e-4)])
def test_a_root_is_found_where_rounding_left_a_covariance_not_quite_positive(
    lowest: float, added: float
) -> None:
    vectors = np.linalg.qr(RNG.standard_normal((6, 6)))[0]
    covariance = vectors * [lowest, 0.5, 1, 1, 2, 3] @ vectors.T
    root = lower_root(covariance)
    assert (np.triu(root, 1) == 0).all()
    assert root @ root.T == pytest.approx(covariance + added * np.eye(6), abs=1e-12)


def test_what_is_no_covariance_has_no_root() -> None:
    with pytest.raises(np.linalg.LinAlgError, match="not positive"):
        lower_root(np.diag([1.0, -2.0]))
