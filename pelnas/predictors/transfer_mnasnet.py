"""Accuracy on ImageNet learned from the trained networks of Accel-NASBench."""

from collections.abc import Iterator, Sequence
from math import log
from pathlib import Path

import numpy as np

from pelnas.architecture import Architecture, Prediction, Shape
from pelnas.predictors.base import AccuracyPredictor
from pelnas.predictors.fit_id import fit_id
from pelnas.predictors.quadratic import Floats, Quadratic
from pelnas.predictors.stretch import percent
from pelnas.spaces.mnasnet import MnasNet

SPACE = "mnasnet"  # whose trained accuracies it was fitted to
IMAGENET = Shape.square(1000, 224)  # what the networks of the benchmark were trained on
MODEL = Path(__file__).parent / "transfer_mnasnet.npz"
_SPACE = MnasNet()
_ASPECTS = ("log expansion", "kernel", "log layers", "excite")
COLUMNS = (
    "log parameters",
    "log operations",
    *(f"{aspect} of block {block}" for block in range(7) for aspect in _ASPECTS),
)


def row_of(architecture: Architecture) -> Floats:
    """One network of ``mnasnet`` in ``COLUMNS``."""
    choices = (
        value
        for block in _SPACE.blocks(architecture)
        for value in (log(block.expansion), block.kernel, log(block.layers), block.excite)
    )
    parameters = log(_SPACE.parameters(architecture, IMAGENET))
    return np.array([parameters, log(_SPACE.flops(architecture, IMAGENET)), *choices])


class MnasNetTransfer(AccuracyPredictor):
    """The ImageNet top-1 accuracy that a network would have under Accel-NASBench's short recipe.

    A quadratic form of the choices and of the logarithms of parameters and operations at
    224 pixels. It looks at no images: what is carried over to others is the order.
    ``uncertainty``: the error on networks that the fit had not seen.
    """

    name = "transfer"
    unit = "predicted ImageNet top-1, %"

    def __init__(self, model: Quadratic | None = None) -> None:
        """``model``: another fit than the bundled one."""
        self._model = model or Quadratic.load(MODEL)
        self.source = (
            f"predicted from accuracies of Accel-NASBench (fit {fit_id(vars(self._model))}): ImageNet"
            " at 224 pixels, its short training; other images or another training change the values"
        )

    def predict(self, architectures: Sequence[Architecture]) -> Iterator[Prediction]:
        for architecture in architectures:
            mean = self._model.predict(row_of(architecture)[None])
            accuracy, deviation = percent(mean, np.array([self._model.error]))
            yield Prediction(float(accuracy[0]), float(deviation[0]))
