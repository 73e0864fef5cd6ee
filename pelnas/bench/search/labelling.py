"""A finished search ordered anew by few-shot, with labels of some of its networks."""

from collections.abc import Iterator, Sequence

from pelnas.architecture import Architecture, Prediction
from pelnas.bench.predictors import relabelled
from pelnas.bench.search.problem import Labels, Problem
from pelnas.pareto import Floats, minimised
from pelnas.predictors.base import AccuracyPredictor
from pelnas.predictors.few_shot import Known


class _Recorded(AccuracyPredictor):
    """What the guide of a problem said, once more."""

    source = "as recorded"

    def __init__(self, problem: Problem) -> None:
        self.name, self.unit = problem.guide.name, problem.guide.unit
        self._problem = problem

    def predict(self, architectures: Sequence[Architecture]) -> Iterator[Prediction]:
        return iter(self._problem.predictions(architectures))


def ordered_anew(
    problem: Problem, labels: Labels, tried: Sequence[Architecture], seen: Floats
) -> Floats:
    """Latency in ms and negated accuracy in percent (n, 2) as few-shot expects them."""
    space = problem.space
    known = [
        Known(space.format(architecture), found.score, found.uncertainty, float(latency))
        for architecture, found, latency in zip(
            tried, problem.predictions(tried), seen[:, 0], strict=True
        )
    ]
    again, _ = relabelled(known, _Recorded(problem), space, labels.accuracy, labels.count)
    return minimised([each.latency_ms for each in again], [each.score for each in again])
