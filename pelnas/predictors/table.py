"""Accuracies from a benchmark table: ground truth, for ablations only."""

from collections.abc import Iterator, Sequence
from math import isfinite
from pathlib import Path

from pelnas.architecture import Architecture, Prediction
from pelnas.errors import DataError
from pelnas.predictors.base import AccuracyPredictor
from pelnas.spaces import SearchSpace
from pelnas.tables import Lookup, accuracy_column


class TablePredictor(AccuracyPredictor):
    """Validation accuracy in percent after the benchmark's longest training.

    The split that a search may see; test accuracy stays for judging
    (``pelnas.tables.true_accuracy``).
    Raises DataError or DatasetError when there is no such table.
    """

    name = "table"
    unit = "validation accuracy, %"

    def __init__(self, folder: Path, dataset: str, space: SearchSpace) -> None:
        column = accuracy_column(folder, dataset, "val")
        self.source = (
            f"benchmark truth, not a prediction: column {column.name} of {column.file.name}"
        )
        self._accuracy = Lookup(column, space)

    def predict(self, architectures: Sequence[Architecture]) -> Iterator[Prediction]:
        return map(self._prediction, architectures)

    def _prediction(self, architecture: Architecture) -> Prediction:
        accuracy = self._accuracy[architecture]
        if not isfinite(accuracy):
            raise DataError(
                f"expected an accuracy of every architecture, {self.source} has none"
                f" for {architecture}: use a complete table"
            )
        return Prediction(score=accuracy)
