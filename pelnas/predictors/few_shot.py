"""Accuracy from a few trained networks, starting from a predictor that needs none."""

import warnings
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

from pelnas.architecture import Architecture, Prediction
from pelnas.pareto import minimised, non_dominated_sort
from pelnas.predictors.base import AccuracyPredictor
from pelnas.predictors.labels import Label, check_labels
from pelnas.predictors.stretch import percent, stretched
from pelnas.spaces import SearchSpace

if TYPE_CHECKING:
    from sklearn.gaussian_process import GaussianProcessRegressor
    from sklearn.gaussian_process.kernels import Kernel

Floats = NDArray[np.float64]

BASE_SPREAD = 0.29  # deviation of ranks between 0 and 1, the unit of the bases
BASE_WEIGHT = 2.0  # prior weight of the base predictor against all counts, or all places, together
SPREAD_SAMPLE = 256  # architectures that the spread of structural features is taken from
FOLDS = 5
DEPTH = 3  # near the front: the fronts that hold so many times the wanted labels


@dataclass(frozen=True, slots=True)
class HeldOut:
    """How a fit does on labels that it did not see.

    ``error``: root mean square, in percent of accuracy; ``kendall``: tau, NaN where it has
    no meaning; ``base_kendall``: that of the base on the same labels.
    """

    error: float
    kendall: float
    base_kendall: float


class Learner:
    """Gaussian processes for accuracy on a base predictor's score and the structure of any space.

    Rasmussen & Williams, Gaussian Processes for Machine Learning, 2006: a
    linear kernel, a squared exponential one and noise, fitted by marginal likelihood.
    What is modelled is ``-log(101 - accuracy)``, so that a tenth of a percent counts
    more among good networks than among bad ones. Few labels can make structure explain what is
    luck, so that a second process, linear in the base's score alone, is mixed in: each counts
    by how little it errs on classes of isomorphic networks that it does not see. Deterministic.
    """

    def __init__(
        self,
        space: SearchSpace,
        labelled: Sequence[Architecture],
        base: Floats,
        accuracies: Floats,
    ) -> None:
        """``base`` (n,): the base's scores; ``accuracies`` (n,): percent, of what is labelled."""
        self._space = space
        placed = {name: "@" in name for name in sorted(space.feature_names)}
        self._names = tuple(placed)
        rng = np.random.default_rng(0)
        sample = self._structure([space.sample(rng) for _ in range(SPREAD_SAMPLE)])
        self._middle, spread = sample.mean(axis=0), sample.std(axis=0)
        # Counts together weigh as much as what stands where, however many names each has.
        number = [sum(kind == each for each in placed.values()) for kind in placed.values()]
        self._spread = np.where(spread > 0, spread, 1.0) * np.sqrt(number)
        self._base, self._accuracies = base, accuracies
        self._columns = self._rows(labelled, base)
        keys = [space.key(architecture) for architecture in labelled]
        self._classes: NDArray[np.intp] = np.unique(keys, return_inverse=True)[1]
        self._mixture = _Mixture(base, self._columns, accuracies, self._classes)

    def predict(self, architectures: Sequence[Architecture], base: Floats) -> tuple[Floats, Floats]:
        """Accuracy in percent and one standard deviation, each (n,)."""
        return self._mixture.predict(base, self._rows(architectures, base))

    def held_out(self) -> HeldOut:
        """By cross-validation: every fifth label is held out in turn, in the order of accuracy."""
        fold = np.empty(len(self._accuracies), dtype=np.int64)
        fold[np.argsort(self._accuracies, kind="stable")] = np.arange(len(fold)) % FOLDS
        expected = np.empty(len(fold))
        known = self._base, self._columns, self._accuracies, self._classes
        for k in range(FOLDS):
            held = fold == k
            mixture = _Mixture(*(each[~held] for each in known))
            expected[held], _ = mixture.predict(self._base[held], self._columns[held])
        error = float(np.sqrt(np.mean((expected - self._accuracies) ** 2)))
        taus = (_kendall(each, self._accuracies) for each in (expected, self._base))
        return HeldOut(error, *taus)

    def _rows(self, architectures: Sequence[Architecture], base: Floats) -> Floats:
        structure = (self._structure(architectures) - self._middle) / self._spread
        return np.column_stack([BASE_WEIGHT * (base - 0.5) / BASE_SPREAD, structure])

    def _structure(self, architectures: Sequence[Architecture]) -> Floats:
        """Counts and the like, and what stands where (n, names)."""
        features = map(self._space.features, architectures)
        return np.array([[each.get(name, 0.0) for name in self._names] for each in features])


class FewShot(AccuracyPredictor):
    """Accuracy in percent, learned from labels and a base predictor's scores.

    ``labels``: at least ``FEWEST``. A labelled architecture's score is its label.
    ``uncertainty``: of the Gaussian process, of labels the noise that it found in
    them. The base's proxies are passed on. ``held_out`` and ``source`` report how the fit
    does on labels that it did not see. DataError: labels that teach nothing
    (``check_labels``). A base that gives scores between 0 and 1, or in percent, is expected.
    """

    name = "few-shot"
    unit = "predicted accuracy, %"

    def __init__(
        self, space: SearchSpace, base: AccuracyPredictor, labels: Sequence[Label]
    ) -> None:
        check_labels(labels)
        self._space, self._base = space, base
        self._labels = {space.parse(label.architecture): label.accuracy for label in labels}

    @property
    def source(self) -> str:  # type: ignore[override]
        """Says from what it was learned, and how well."""
        found = self.held_out
        return (
            f"learned from {len(self._labels)} trained accuracies and {self._base.name}; on labels"
            f" held out: error {found.error:.2f} %, Kendall {found.kendall:.2f}"
            f" ({self._base.name} {found.base_kendall:.2f})"
        )

    @cached_property
    def held_out(self) -> HeldOut:
        """How good the fit is where it did not see the label."""
        return self._learner.held_out()

    def predict(self, architectures: Sequence[Architecture]) -> Iterator[Prediction]:
        learner = self._learner
        found = self._base.predict(architectures)
        for architecture, base in zip(architectures, found, strict=True):
            mean, deviation = learner.predict([architecture], self._scores([base]))
            score = self._labels.get(architecture, float(mean[0]))
            yield Prediction(score, float(deviation[0]), base.proxies)

    def begin(self, architectures: Sequence[Architecture]) -> None:
        labelled = () if "_learner" in vars(self) else self._labels
        self._base.begin([*labelled, *architectures])

    def close(self) -> None:
        self._base.close()

    @cached_property
    def _learner(self) -> Learner:
        """Fitted at the first use: labels are scored by the base then."""
        labelled = list(self._labels)
        base = self._scores(list(self._base.predict(labelled)))
        accuracies = np.array(list(self._labels.values()))
        return Learner(self._space, labelled, base, accuracies)

    def _scores(self, base: Sequence[Prediction]) -> Floats:
        """Scores of the base (n,), between 0 and 1."""
        scale = 100.0 if self._base.unit.endswith("%") else 1.0
        return np.array([each.score for each in base]) / scale


@dataclass(frozen=True, slots=True)
class Known:
    """An architecture that was predicted and costs something, as ``suggest_labels`` sees it."""

    architecture: str
    score: float
    uncertainty: float
    latency_ms: float  # inf where the device cannot run it


def suggest_labels(known: Sequence[Known], labelled: Sequence[str], count: int) -> list[str]:
    """The ``count`` architectures whose training would be most informative about the front, by latency.

    Near the predicted front (its first fronts), spread over latency (as many
    parts of equal size), and in each part the one of which the predictor is
    least sure. Those in ``labelled`` and those that the device cannot run are left out;
    fewer are returned where there are no more. Deterministic.
    """
    done = set(labelled)
    fresh = [
        each for each in known if each.architecture not in done and np.isfinite(each.latency_ms)
    ]
    points = minimised([each.latency_ms for each in fresh], [each.score for each in fresh])
    near = [fresh[i] for i in non_dominated_sort(points, DEPTH * count)]
    near.sort(key=lambda each: (each.latency_ms, each.architecture))
    parts = np.array_split(np.arange(len(near)), min(count, len(near)) or 1)
    chosen = (max(part, key=lambda i: near[i].uncertainty) for part in parts if len(part))
    return [near[i].architecture for i in chosen]


class _Mixture:
    """A process on the base's score alone, and one that is told the structure as well."""

    def __init__(
        self, base: Floats, columns: Floats, accuracies: Floats, classes: NDArray[np.intp]
    ) -> None:
        """``base`` (n,); ``columns`` (n, k), of both; ``accuracies`` (n,), percent; ``classes`` (n,)."""
        from sklearn.gaussian_process.kernels import RBF, ConstantKernel, DotProduct

        target = stretched(accuracies)
        smooth = ConstantKernel(0.3, (1e-2, 1e2)) * RBF(1.0, (0.2, 10.0))
        linear = ConstantKernel(1.0, (1e-2, 1e2)) * DotProduct(0.0, "fixed")
        along = ConstantKernel(1.0, (1e-2, 1e2)) * DotProduct(1.0, "fixed")
        self._alone = _fitted(along, _alone(base), target)
        self._structured = _fitted(linear + smooth, columns, target)
        mine, others = (held_out_error(each, classes) for each in (self._alone, self._structured))
        self._share = others / (mine + others)

    def predict(self, base: Floats, columns: Floats) -> tuple[Floats, Floats]:
        """Mean and deviation of the mixture in percent, each (n,)."""
        one, deviation = self._alone.predict(_alone(base), return_std=True)
        other, spread = self._structured.predict(columns, return_std=True)
        share, rest = self._share, 1 - self._share
        variance = share * deviation**2 + rest * spread**2 + share * rest * (one - other) ** 2
        return percent(share * one + rest * other, np.sqrt(variance))


def held_out_error(process: "GaussianProcessRegressor", classes: NDArray[np.intp]) -> float:
    """Mean squared error on each class (n,) of labels from all others, kernel and noise as fitted.

    In closed form (Rasmussen & Williams, section 5.4.2, for several rows at once).
    """
    inverse = np.linalg.inv(process.kernel_(process.X_train_))
    weights = inverse @ process.y_train_
    errors = np.empty(len(weights))
    for each in np.unique(classes):
        of = np.flatnonzero(classes == each)
        errors[of] = np.linalg.solve(inverse[np.ix_(of, of)], weights[of])
    return float(np.mean(errors**2))


def _alone(base: Floats) -> Floats:
    """The base's score as the one column (n, 1), on the scale of what it is to predict."""
    return stretched(np.clip(100 * base, 0.0, 100.0))[:, None] - stretched(np.array([50.0]))


def _fitted(kernel: "Kernel", columns: Floats, target: Floats) -> "GaussianProcessRegressor":
    from sklearn.exceptions import ConvergenceWarning
    from sklearn.gaussian_process import GaussianProcessRegressor
    from sklearn.gaussian_process.kernels import WhiteKernel

    process = GaussianProcessRegressor(kernel + WhiteKernel(0.1, (1e-3, 1.0)), normalize_y=True)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", ConvergenceWarning)  # a bound may well be the best
        return process.fit(columns, target)


def _kendall(scores: Floats, truth: Floats) -> float:
    from scipy.stats import kendalltau

    if np.ptp(scores) == 0 or np.ptp(truth) == 0:
        return float("nan")
    return float(kendalltau(scores, truth).statistic)
