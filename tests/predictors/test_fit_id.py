"""Two fits of one predictor have two names, and one has the same wherever it was read."""

from dataclasses import replace
from pathlib import Path

import numpy as np

from pelnas.predictors.fit_id import DIGITS, fit_id
from pelnas.predictors.quadratic import Quadratic
from pelnas.predictors.transfer import MODEL, Fitted


def test_any_number_any_name_and_any_shape_counts() -> None:
    fits = [
        {"a": np.zeros(4), "names": ("x",)},
        {"a": np.zeros(4), "names": ("y",)},
        {"a": np.zeros((2, 2)), "names": ("x",)},
        {"a": np.array([0, 0, 0, 1e-300]), "names": ("x",)},
        {"b": np.zeros(4), "names": ("x",)},
    ]
    ids = [fit_id(each) for each in fits]
    assert len(set(ids)) == len(fits)
    assert ids[0] == fit_id({"names": ["x"], "a": np.zeros(4)})
    assert all(len(each) == DIGITS for each in ids)


def test_a_fit_that_was_written_and_read_keeps_its_name(tmp_path: Path) -> None:
    fitted = Fitted.load(MODEL)
    fitted.save(tmp_path / "again.npz")
    assert Fitted.load(tmp_path / "again.npz").id == fitted.id
    assert replace(fitted, trees=replace(fitted.trees, scale=2.0)).id != fitted.id
    cells = replace(fitted.reference, cells=fitted.reference.cells[::-1])
    assert replace(fitted, reference=cells).id != fitted.id


def test_a_quadratic_form_is_named_by_its_numbers() -> None:
    one = Quadratic(("x",), np.zeros(1), np.ones(1), 0.0, np.ones(1), np.ones((1, 1)), 0.1)
    assert fit_id(vars(one)) == fit_id(vars(replace(one)))
    assert fit_id(vars(one)) != fit_id(vars(replace(one, error=0.2)))
