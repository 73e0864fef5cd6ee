"""A quadratic form gives what it says, and comes back from its file."""

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from pelnas.errors import DataError
from pelnas.predictors.quadratic import Quadratic

FORM = Quadratic(
    names=("a", "b"),
    middle=np.array([1.0, 0.0]),
    spread=np.array([2.0, 1.0]),
    start=5.0,
    linear=np.array([3.0, 0.0]),
    products=np.array([[0.0, 4.0], [0.0, -1.0]]),
    error=0.5,
)


def test_it_is_the_sum_of_its_terms() -> None:
    """With x = (a - 1) / 2: 5 + 3 x + 4 x b - b b."""
    assert FORM.predict(np.array([[1.0, 0.0], [5.0, 3.0]])) == pytest.approx([5, 5 + 6 + 24 - 9])


def test_it_comes_back_from_its_file(tmp_path: Path) -> None:
    FORM.save(tmp_path / "form.npz")
    again = Quadratic.load(tmp_path / "form.npz")
    assert (again.names, again.start, again.error) == (FORM.names, 5.0, 0.5)
    rows = np.array([[0.5, 2.0], [3.0, -1.0]])
    assert again.predict(rows) == pytest.approx(FORM.predict(rows))


def test_another_file_is_refused_in_one_sentence(tmp_path: Path) -> None:
    path = tmp_path / "form.npz"
    with pytest.raises(DataError, match=r"fitted model .* install the package anew"):
        Quadratic.load(path)
    replace(FORM, linear=np.zeros(3)).save(path)
    with pytest.raises(DataError, match=r"linear of shape \(3,\) for 2 columns"):
        Quadratic.load(path)
    np.savez(path, names=np.array(["a"]))
    with pytest.raises(DataError, match="fitted model"):
        Quadratic.load(path)
