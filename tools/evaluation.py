"""Zero-cost scoring and latency lookup as plain callables, for the graph, agents and other clients."""

from collections.abc import Iterator, Sequence

from pelnas.architecture import Architecture, Cost, Prediction, Shape
from pelnas.devices.base import Device
from pelnas.predictors.base import AccuracyPredictor
from pelnas.spaces import SearchSpace
from pelnas.spaces.footprint import Footprint


class Evaluator:
    """Scores architectures given as text or index; the one place where candidates are evaluated.

    Each method checks every text first (ArchitectureError) and then yields in order.
    """

    def __init__(
        self,
        space: SearchSpace,
        device: Device,
        predictor: AccuracyPredictor,
        shape: Shape,
    ) -> None:
        self.space = space
        self.device = device
        self.predictor = predictor
        self.shape = shape

    def read(self, texts: Sequence[str]) -> list[Architecture]:
        """The architectures of these texts or indices."""
        return [self.space.read(text) for text in texts]

    def predict(self, texts: Sequence[str]) -> Iterator[Prediction]:
        """Predicted accuracy of each, higher is better; each as soon as it is known."""
        return self.predictor.predict(self.read(texts))

    def begin(self, texts: Sequence[str]) -> None:
        """Compute in the background what ``predict`` of these will need, see ``AccuracyPredictor``."""
        self.predictor.begin(self.read(texts))

    def costs(self, texts: Sequence[str]) -> Iterator[Cost]:
        """Latency of each in ms, lower is better; ``None`` inside where the device cannot run it."""
        return self.device.costs(self.read(texts))

    def confirm(self, texts: Sequence[str], company: Sequence[str] = ()) -> Iterator[Cost]:
        """The costs of these, measured with more care, see ``Device.confirm``."""
        return self.device.confirm(self.read(texts), self.read(company))

    def sizes(self, text: str) -> tuple[int, float]:
        """Parameters and multiply-accumulates of one forward pass, as plain counts."""
        architecture = self.space.read(text)
        return (
            self.space.parameters(architecture, self.shape),
            self.space.flops(architecture, self.shape),
        )

    def footprint(self, text: str) -> Footprint:
        """Peak memory of the activations and size of the weights, in bytes."""
        return self.space.footprint(self.space.read(text), self.shape)

    def close(self) -> None:
        """Release worker processes and tables."""
        self.predictor.close()
        self.device.close()
