"""The check of accuracies in percent that come from outside."""

from collections.abc import Iterable
from math import isfinite

from pelnas.errors import DataError


def check_percent(accuracies: Iterable[float], where: str) -> None:
    """DataError: one is negative or above 100, or none is above 1, as shares are.

    ``where``: what holds them, for the message. NaN, which stands for none, is passed over.
    """
    values = [value for value in accuracies if value == value]
    wrong = next((value for value in values if not 0 <= value <= 100), None)
    if wrong is not None:
        what = "infinity" if not isfinite(wrong) else f"{wrong:g}"
        raise DataError(
            f"expected accuracies from 0 to 100 percent in {where}, found {what}: correct it, or"
            " name a column that holds accuracies"
        )
    if values and max(values) <= 1:
        raise DataError(
            f"expected accuracies in percent in {where}, found none above {max(values):g}:"
            " multiply shares by 100"
        )
