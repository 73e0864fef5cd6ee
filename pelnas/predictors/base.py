"""The interface of an accuracy predictor: how good each architecture is believed to be."""

from abc import ABC, abstractmethod
from collections.abc import Iterator, Sequence

from pelnas.architecture import Architecture, Prediction


class AccuracyPredictor(ABC):
    """Ranks architectures without training them, or looks the truth up for ablations.

    Scores: higher is better, in ``unit``. The same architecture always gets the
    same score within a run, so that archives stay comparable between rounds.
    """

    name: str
    unit: str  # "rank score", "validation accuracy, %"
    source: str  # one phrase for reports; a table says that it is benchmark truth

    @abstractmethod
    def predict(self, architectures: Sequence[Architecture]) -> Iterator[Prediction]:
        """One Prediction for each architecture, in order, each as soon as it is known."""

    def begin(self, architectures: Sequence[Architecture]) -> None:
        """Compute in the background, where there is anything to, what ``predict`` of these will need.

        Values do not depend on it, and its failures are those of ``predict``. PoolError: the pool
        of workers is lost.
        """

    def close(self) -> None:
        """Release worker processes; a second call does nothing, and ``predict`` starts new ones."""
