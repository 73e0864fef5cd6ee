"""What one changed operation would cost or bring: as evaluated, else as this run's own data predict."""

from math import isfinite
from typing import TypeVar

import numpy as np
from numpy.typing import NDArray

from pelnas.architecture import Architecture
from pelnas.inputs.quantities import CostName
from pelnas.objectives import DEFAULT
from pelnas.spaces import SearchSpace
from pelnas.tools import shapes
from pelnas.tools.run_view import Findings, Subject, minus

TREES = 100
ENOUGH = 10  # evaluations before anything is fitted to them
RIDGE = 1.0  # penalty on each coefficient, in units of evaluations

Floats = NDArray[np.float64]
Model = TypeVar("Model", "Forest", "Fit")


class Forest:
    """A score by trees over the operation at each position and how often each is chosen.

    A prediction is a mean of evaluated scores, so none leaves the scale of the score, and none
    goes beyond what was evaluated. ``error``: root mean square over the evaluations, each
    predicted by the trees that did not see it.
    Source: Geurts, Ernst & Wehenkel, Machine Learning 63 (2006).
    """

    def __init__(
        self, space: SearchSpace, genes: list[tuple[int, ...]], scores: list[float]
    ) -> None:
        from sklearn.ensemble import ExtraTreesRegressor

        self._space = space
        self._trees = ExtraTreesRegressor(
            TREES, max_features=0.5, bootstrap=True, oob_score=True, random_state=0
        ).fit(np.array([self._row(g) for g in genes]), scores)
        self.error = float(np.sqrt(np.mean((self._trees.oob_prediction_ - scores) ** 2)))
        self._ends = min(scores), max(scores)

    def predict(self, architecture: Architecture) -> float:
        """The score of an architecture."""
        row = self._row(architecture.genes)[None].astype(np.float32)
        # What the forest's own predict does for a row, without all that it prepares for many.
        return float(sum(tree.tree_.predict(row)[0, 0] for tree in self._trees.estimators_) / TREES)

    def between(self, architecture: Architecture) -> list[float]:
        """The score less and plus ``error``, both within what was evaluated."""
        score = self.predict(architecture)
        lowest, highest = self._ends
        return [max(lowest, score - self.error), min(highest, score + self.error)]

    def _row(self, genes: tuple[int, ...]) -> Floats:
        chosen = self._space.chosen(Architecture(self._space.name, genes))
        counts = [float(chosen.count(operation)) for operation in self._space.operations]
        return np.array([*_marks(self._space, genes), *counts])


class Fit:
    """Ridge regression of one positive quantity on the operation at each position.

    ``error``: root mean square of the leave-one-out residuals, in the unit of the
    quantity; a fit knows no interplay of operations, and this is what that costs.
    Source: Hoerl & Kennard, Technometrics 12 (1970); residuals by Allen's PRESS (1974).
    """

    def __init__(
        self, space: SearchSpace, genes: list[tuple[int, ...]], values: list[float]
    ) -> None:
        self._space = space
        rows = np.array([self._row(g) for g in genes])
        wanted = np.array(values)
        self._floor = min(values) / 2
        penalty = np.eye(rows.shape[1]) * RIDGE
        penalty[0, 0] = 1e-9  # the constant is not held back
        inverse = np.linalg.inv(rows.T @ rows + penalty)
        self._weights = inverse @ rows.T @ wanted
        leverage = np.einsum("ij,jk,ik->i", rows, inverse, rows)
        left_out = (wanted - rows @ self._weights) / np.maximum(1 - leverage, 1e-6)
        self.error = float(np.sqrt(np.mean(left_out**2)))

    def predict(self, architecture: Architecture) -> float:
        """The quantity of an architecture; never below half the least that the fit was given."""
        return max(self._floor, float(self._row(architecture.genes) @ self._weights))

    def _row(self, genes: tuple[int, ...]) -> Floats:
        return np.array([1.0, *_marks(self._space, genes)])


def _marks(space: SearchSpace, genes: tuple[int, ...]) -> list[float]:
    """1 for the operation that stands at a position, 0 for each that does not."""
    return [
        float(gene == option)
        for options, gene in zip(space.choices, genes, strict=True)
        for option in range(len(options))
    ]


class Outlook:
    """Score and latency of any architecture of a run's space, and where they come from."""

    def __init__(self, findings: Findings) -> None:
        self._findings = findings
        self._costs = findings.store.costs()
        genes = [findings.space.read(e.candidate.architecture).genes for e in findings.evaluations]
        known = list(zip(genes, findings.evaluations, strict=True))
        self.score = self._fitted(Forest, [(g, e.score) for g, e in known])
        self.latency = self._fitted(Fit, [(g, e.latency_ms) for g, e in known])
        self._others: dict[CostName, Fit | None] = {}  # where latency is not the only cost
        if findings.objectives != DEFAULT:
            self._others = {
                cost.name: self._fitted(Fit, [(g, cost.of(e)) for g, e in known])
                for cost in findings.objectives.costs
            }

    def of(self, subject: Subject) -> shapes.Outlook:
        """``score``, ``latency_ms`` and for each ``evaluated`` or ``predicted``; ``None``: unknown.

        ``score_between``: of a predicted score, less and plus the error of the forest.
        """
        evaluation, cost = subject.evaluation, self._costs.get(subject.text)
        score = evaluation.score if evaluation else self._predict(self.score, subject)
        latency = cost.latency_ms if cost else self._predict(self.latency, subject)
        forest = None if evaluation else self.score
        found: shapes.Outlook = {
            "score": score,
            "score_is": "evaluated" if evaluation else "predicted",
            "score_between": forest.between(subject.architecture) if forest else None,
            "latency_ms": latency,
            "latency_is": "evaluated" if cost else "predicted",
        }
        if self._others:
            found["costs"] = self._costs_of(subject)
        return found

    def _costs_of(self, subject: Subject) -> dict[str, float | None]:
        """Each objective of the run, evaluated as the score is, else predicted."""
        if subject.evaluation:
            return self._findings.objectives.named(subject.evaluation)
        return {name: self._predict(fit, subject) for name, fit in self._others.items()}

    def _fitted(
        self, kind: type[Model], known: list[tuple[tuple[int, ...], float]]
    ) -> Model | None:
        finite = [(genes, value) for genes, value in known if isfinite(value)]
        if len(finite) < ENOUGH:
            return None
        return kind(self._findings.space, [g for g, _ in finite], [v for _, v in finite])

    @staticmethod
    def _predict(fit: Forest | Fit | None, subject: Subject) -> float | None:
        return fit.predict(subject.architecture) if fit else None


def one_change(findings: Findings, subject: Subject) -> shapes.OneChange:
    """Every architecture one operation away, with what the change would cost or bring.

    ``score_change``, ``latency_change_ms``: from the subject to it, ``None`` where
    either end is unknown. ``predicted``: from ``evaluations`` of this run, scores by a
    ``Forest`` and latencies by a linear ``Fit``, off by ``score_error`` and
    ``latency_error_ms`` on average, both on what the fit did not see.
    """
    outlook = Outlook(findings)
    here = outlook.of(subject)
    return {
        "evaluations": len(findings.evaluations),
        "score_error": outlook.score.error if outlook.score else None,
        "latency_error_ms": outlook.latency.error if outlook.latency else None,
        "here": here,
        "changes": [
            _change(findings, outlook, subject, here, neighbour)
            for neighbour in findings.space.neighbours(subject.architecture)
        ],
    }


def _change(
    findings: Findings,
    outlook: Outlook,
    subject: Subject,
    here: shapes.Outlook,
    there: Architecture,
) -> shapes.Changed:
    other = findings.find(findings.space.format(there))
    then = outlook.of(other)
    (changed,) = findings.changed(subject.architecture, there)
    found: shapes.Changed = {
        **changed,
        "architecture": other.text,
        "id": other.candidate.id if other.candidate else None,
        **then,
        "score_change": minus(then["score"], here["score"]),
        "latency_change_ms": minus(then["latency_ms"], here["latency_ms"]),
        "cost_changes": _cost_changes(here, then),
    }
    if "costs" not in then:
        del found["cost_changes"]  # latency says it already
    return found


def _cost_changes(here: shapes.Outlook, then: shapes.Outlook) -> dict[str, float | None]:
    before, after = here.get("costs", {}), then.get("costs", {})
    return {name: minus(value, before[name]) for name, value in after.items()}
