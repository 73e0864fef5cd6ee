"""What tells two fits of one predictor apart."""

import hashlib
from collections.abc import Mapping
from typing import Any

import numpy as np

DIGITS = 8


def fit_id(fitted: Mapping[str, Any]) -> str:
    """Eight hexadecimal digits that follow from all numbers and names of a fit.

    A predictor names them as part of its source: scores of two fits are not comparable, though
    the text that describes them may be the same.
    """
    digest = hashlib.sha256()
    for name, value in sorted(fitted.items()):
        array = np.asarray(value)
        digest.update(f"{name} {array.shape} {array.dtype.str}".encode())
        digest.update(array.tobytes())
    return digest.hexdigest()[:DIGITS]
