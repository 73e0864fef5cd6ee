"""The fit of ``transfer`` on mnasnet: it finds a quadratic truth, and judges what it did not see."""

from dataclasses import replace

import numpy as np
import pytest

from pelnas.bench.fitting_mnasnet import FOLDS, cross_validated, fit, order
from pelnas.bench.trained import IMAGENET, Trained
from pelnas.predictors.stretch import percent, stretched
from pelnas.predictors.transfer_mnasnet import row_of
from pelnas.spaces import get_space

SPACE = get_space("mnasnet")


def made_up(noise: float = 0.0) -> Trained:
    """Accuracies that are quadratic in the choices on the stretched scale."""
    rng = np.random.default_rng(0)
    architectures = tuple({SPACE.sample(rng): None for _ in range(900)})
    rows = np.array([row_of(each) for each in architectures])
    rows = (rows - rows.mean(axis=0)) / rows.std(axis=0)
    target = -3.5 + 0.1 * rows[:, 4] + 0.05 * rows[:, 2] * rows[:, 9]
    target += noise * rng.standard_normal(len(target))
    accuracy, _ = percent(target, np.zeros(len(target)))
    return Trained(SPACE, architectures, {IMAGENET: accuracy})


def test_a_quadratic_truth_is_found() -> None:
    trained = made_up()
    assert order(trained).kendall > 0.9
    assert order(trained).count == len(trained.architectures)
    model = fit(trained)
    rows = np.array([row_of(each) for each in trained.architectures])
    target = stretched(trained.accuracies[IMAGENET])
    assert np.sqrt(np.mean((model.predict(rows) - target) ** 2)) < 0.2 * target.std()


def test_the_stated_error_is_that_of_unseen_networks() -> None:
    trained = made_up(noise=0.1)
    target = stretched(trained.accuracies[IMAGENET])
    held_out = np.sqrt(np.mean((cross_validated(trained) - target) ** 2))
    assert fit(trained).error == pytest.approx(held_out)
    assert held_out > 0.1  # noise cannot be learned


def test_no_network_is_judged_by_a_model_that_saw_it() -> None:
    """Whatever its own accuracy is, what is expected of a network stays the same."""
    trained = made_up(noise=0.1)
    before = cross_validated(trained)
    changed = trained.accuracies[IMAGENET].copy()
    changed[7] = 1.0
    after = cross_validated(replace(trained, accuracies={IMAGENET: changed}))
    assert after[7] == before[7]
    assert (after != before).sum() >= len(before) * (FOLDS - 2) / FOLDS
