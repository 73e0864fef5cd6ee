"""The scale on which accuracies are modelled: good networks lie further apart than in percent."""

import numpy as np
from numpy.typing import NDArray

Floats = NDArray[np.float64]

BEYOND = 101.0  # percent; a perfect network is still at a finite place


def stretched(accuracies: Floats) -> Floats:
    """``-log(101 - accuracy)``: a tenth of a percent counts more among good networks."""
    found: Floats = -np.log(BEYOND - accuracies)
    return found


def percent(mean: Floats, deviation: Floats) -> tuple[Floats, Floats]:
    """The inverse of ``stretched``, and the deviation by its slope."""
    missing = np.exp(-mean)
    return np.clip(BEYOND - missing, 0.0, 100.0), missing * deviation
