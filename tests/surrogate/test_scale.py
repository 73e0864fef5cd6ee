"""Scales are monotone, and what they do to values is undone."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from pelnas.surrogate.scale import SCALES, Linear, Quantiles, Scale

VALUES = st.lists(st.floats(-1e3, 1e3).map(lambda value: round(value, 3)), min_size=2, max_size=40)


@pytest.mark.parametrize("kind", SCALES)
@given(values=VALUES)
def test_the_order_of_values_is_kept(kind: type[Scale], values: list[float]) -> None:
    ordered = np.sort(values)
    assert (np.diff(kind.of(values).standard(ordered)) >= 0).all()
    assert (np.diff(kind.of(values).plain(np.linspace(-4, 4, 50))) >= 0).all()


@given(values=VALUES)
def test_quantiles_come_back_as_they_were(values: list[float]) -> None:
    scale = Quantiles.of(values)
    np.testing.assert_allclose(scale.plain(scale.standard(values)), values, atol=1e-6)


def test_quantiles_are_those_of_the_normal_distribution() -> None:
    scale = Quantiles.of([5.0, 1.0, 2.0, 4.0, 3.0])
    standard = scale.standard([1.0, 3.0, 5.0])
    np.testing.assert_allclose(standard, [-1.2815516, 0.0, 1.2815516], atol=1e-6)  # 10 and 90 %
    assert scale.plain(np.array([2.0])) > 5.0  # it goes on beyond what was seen


def test_one_value_alone_is_a_scale() -> None:
    for kind in SCALES:
        scale = kind.of([2.0, 2.0])
        assert scale.standard([2.0]) == pytest.approx([0.0])
        assert np.isfinite(scale.plain(np.array([-1.0, 0.0, 1.0]))).all()


def test_a_linear_scale_keeps_sums_and_draws_outliers_in() -> None:
    scale = Linear.of([1.0, 2.0, 3.0, 4.0, 1e6])
    one, two, three = scale.standard([1.0, 2.0, 3.0])
    assert two - one == pytest.approx(three - two)
    assert scale.standard([1e6]) == scale.standard([1e9])
