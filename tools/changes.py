"""What one changed operation would cost or bring: as evaluated, else as this run's own data predict."""

from math import isfinite

import numpy as np
from numpy.typing import NDArray

from pelnas.architecture import Architecture
from pelnas.spaces import SearchSpace
from pelnas.tools.findings import Answer, Findings, Subject

ENOUGH = 10  # evaluations before anything is fitted to them
RIDGE = 1.0  # penalty on each coefficient, in units of evaluations

Floats = NDArray[np.float64]


class Fit:
    """Ridge regression of one quantity on the operation at each position.

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
        penalty = np.eye(rows.shape[1]) * RIDGE
        penalty[0, 0] = 1e-9  # the constant is not held back
        inverse = np.linalg.inv(rows.T @ rows + penalty)
        self._weights = inverse @ rows.T @ wanted
        leverage = np.einsum("ij,jk,ik->i", rows, inverse, rows)
        left_out = (wanted - rows @ self._weights) / np.maximum(1 - leverage, 1e-6)
        self.error = float(np.sqrt(np.mean(left_out**2)))

    def predict(self, architecture: Architecture) -> float:
        """The quantity of an architecture."""
        return float(self._row(architecture.genes) @ self._weights)

    def _row(self, genes: tuple[int, ...]) -> Floats:
        marks = [
            float(gene == option)
            for options, gene in zip(self._space.choices, genes, strict=True)
            for option in range(len(options))
        ]
        return np.array([1.0, *marks])


class Outlook:
    """Score and latency of any architecture of a run's space, and where they come from."""

    def __init__(self, findings: Findings) -> None:
        self._findings = findings
        self._costs = findings.store.costs()
        genes = [findings.space.read(e.candidate.architecture).genes for e in findings.evaluations]
        known = list(zip(genes, findings.evaluations, strict=True))
        self.score = self._fit([(g, e.score) for g, e in known])
        self.latency = self._fit([(g, e.latency_ms) for g, e in known])

    def of(self, subject: Subject) -> Answer:
        """``score``, ``latency_ms`` and for each ``evaluated`` or ``predicted``; ``None``: unknown."""
        evaluation, cost = subject.evaluation, self._costs.get(subject.text)
        score = evaluation.score if evaluation else self._predict(self.score, subject)
        latency = cost.latency_ms if cost else self._predict(self.latency, subject)
        return {
            "score": score,
            "score_is": "evaluated" if evaluation else "predicted",
            "latency_ms": latency,
            "latency_is": "evaluated" if cost else "predicted",
        }

    def _fit(self, known: list[tuple[tuple[int, ...], float]]) -> Fit | None:
        finite = [(genes, value) for genes, value in known if isfinite(value)]
        if len(finite) < ENOUGH:
            return None
        return Fit(self._findings.space, [g for g, _ in finite], [v for _, v in finite])

    @staticmethod
    def _predict(fit: Fit | None, subject: Subject) -> float | None:
        return fit.predict(subject.architecture) if fit else None


def one_change(findings: Findings, subject: Subject) -> Answer:
    """Every architecture one operation away, with what the change would cost or bring.

    ``score_change``, ``latency_change_ms``: from the subject to it, ``None`` where
    either end is unknown. ``predicted``: by a linear fit to ``evaluations`` of this
    run, off by ``score_error`` and ``latency_error_ms`` (leave-one-out) on average.
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
    findings: Findings, outlook: Outlook, subject: Subject, here: Answer, there: Architecture
) -> Answer:
    other = findings.find(findings.space.format(there))
    then = outlook.of(other)
    (changed,) = findings.changed(subject.architecture, there)
    return {
        **changed,
        "architecture": other.text,
        "id": other.candidate.id if other.candidate else None,
        **then,
        "score_change": _minus(then["score"], here["score"]),
        "latency_change_ms": _minus(then["latency_ms"], here["latency_ms"]),
    }


def _minus(after: float | None, before: float | None) -> float | None:
    return None if after is None or before is None else after - before
