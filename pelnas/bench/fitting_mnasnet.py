"""Fits the model of ``transfer`` on ``mnasnet``, and models that have not seen what they judge."""

from dataclasses import replace

import numpy as np

from pelnas.bench.trained import IMAGENET, Order, Trained
from pelnas.bench.validation import kendall
from pelnas.predictors.quadratic import Floats, Quadratic
from pelnas.predictors.stretch import stretched
from pelnas.predictors.transfer_mnasnet import COLUMNS, row_of

FOLDS = 5
RIDGE = 30.0  # on standardised products; 10 to 100 do as well


def fit(trained: Trained) -> Quadratic:
    """On every network of a table; ``error`` by cross-validation."""
    columns, target = _table(trained)
    errors = cross_validated(trained) - target
    return replace(_ridge(columns, target), error=float(np.sqrt(np.mean(errors**2))))


def order(trained: Trained) -> Order:
    """How the folds' models order all networks of a table, each network by one that did not see it."""
    tau = kendall(cross_validated(trained), trained.accuracies[IMAGENET])
    name = f"transfer, {FOLDS} folds"
    return Order(name, IMAGENET, len(trained.architectures), tau)


def cross_validated(trained: Trained, seed: int = 0) -> Floats:
    """What models that did not see a network expect of it, stretched, (n,)."""
    columns, target = _table(trained)
    fold = np.random.default_rng(seed).permutation(len(target)) % FOLDS
    expected = np.empty(len(target))
    for k in range(FOLDS):
        expected[fold == k] = _ridge(columns[fold != k], target[fold != k]).predict(
            columns[fold == k]
        )
    return expected


def _table(trained: Trained) -> tuple[Floats, Floats]:
    columns = np.array([row_of(each) for each in trained.architectures])
    return columns, stretched(trained.accuracies[IMAGENET])


def _ridge(columns: Floats, target: Floats) -> Quadratic:
    """Ridge regression on the columns and all products of two of them, standardised."""
    middle, spread = columns.mean(axis=0), columns.std(axis=0)
    x = (columns - middle) / spread
    count = x.shape[1]
    left, right = np.triu_indices(count)
    terms = np.column_stack([x, x[:, left] * x[:, right]])
    means, deviations = terms.mean(axis=0), terms.std(axis=0)
    kept = deviations > 1e-9  # the square of a choice of two is constant
    scaled = (terms[:, kept] - means[kept]) / deviations[kept]
    normal = scaled.T @ scaled + RIDGE * np.eye(scaled.shape[1])
    weights = np.zeros(terms.shape[1])
    weights[kept] = np.linalg.solve(normal, scaled.T @ (target - target.mean())) / deviations[kept]
    products = np.zeros((count, count))
    products[left, right] = weights[count:]
    return Quadratic(
        names=COLUMNS,
        middle=middle,
        spread=spread,
        start=float(target.mean() - means @ weights),
        linear=weights[:count],
        products=products,
        error=0.0,
    )
