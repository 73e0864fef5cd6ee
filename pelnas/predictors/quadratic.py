"""A quadratic form of a few columns: what is left of a ridge regression on all their products."""

from dataclasses import dataclass
from pathlib import Path
from typing import Self

import numpy as np
from numpy.typing import NDArray

from pelnas.errors import DataError, UnreadableError
from pelnas.inputs.formats import read_arrays

Floats = NDArray[np.float64]

_SHAPES = {"middle": 1, "spread": 1, "linear": 1, "products": 2, "start": 0, "error": 0}


@dataclass(frozen=True, eq=False)
class Quadratic:
    """``start + linear . x + x . products . x`` of standardised columns x.

    ``names`` (n,): of the columns; ``middle``, ``spread`` (n,): what they are standardised
    by; ``linear`` (n,), ``products`` (n, n). ``error``: one standard deviation of what was
    expected of rows that the fit did not see.
    """

    names: tuple[str, ...]
    middle: Floats
    spread: Floats
    start: float
    linear: Floats
    products: Floats
    error: float

    def predict(self, columns: Floats) -> Floats:
        """Of rows (m, n): (m,)."""
        x = (columns - self.middle) / self.spread
        found: Floats = self.start + x @ self.linear + np.einsum("mi,ij,mj->m", x, self.products, x)
        return found

    def save(self, path: Path) -> None:
        """Write an ``.npz`` of plain arrays."""
        arrays = {name: np.asarray(getattr(self, name), np.float32) for name in _SHAPES}
        np.savez_compressed(path, allow_pickle=False, names=np.array(self.names), **arrays)

    @classmethod
    def load(cls, path: Path) -> Self:
        """Read what ``save`` wrote. DataError: another kind of file, or none."""
        try:
            arrays = read_arrays(path)
            names = tuple(str(name) for name in arrays["names"].tolist())
            found = {name: arrays[name].astype(np.float64) for name in _SHAPES}
            for name, dimensions in _SHAPES.items():
                if found[name].shape != (len(names),) * dimensions:
                    raise ValueError(
                        f"{name} of shape {found[name].shape} for {len(names)} columns"
                    )
        except (UnreadableError, ValueError, TypeError, KeyError) as error:
            raise DataError(
                f"expected a fitted model of predictor 'transfer' at {path}, found: {error};"
                " install the package anew, or fit it with scripts/fit_transfer_mnasnet.py"
            ) from None
        start, deviation = float(found.pop("start")), float(found.pop("error"))
        return cls(names=names, start=start, error=deviation, **found)
