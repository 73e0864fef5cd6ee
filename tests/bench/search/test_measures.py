import numpy as np
import pytest

from pelnas.bench.search.measures import Yardstick, checkpoints, shown
from pelnas.pareto import minimised

#: Latency 0 to 10 and accuracy 0 to 10; the front is (0, 0), (2, 8), (10, 10).
SPACE = minimised([0, 2, 10, 10, 6], [0, 8, 10, 0, 2])
FRONT = SPACE[:3]


def test_the_true_front_is_perfect() -> None:
    found = Yardstick.of_space(SPACE).judge(FRONT)
    assert found.to_dict() == pytest.approx(
        {"hv": 1, "igd": 0, "front_hv": 1, "front_igd": 0, "found": 1}
    )


def test_volumes_by_hand() -> None:
    """In the unit box (0.2, 0.2) dominates 0.8 * 0.8, and the corners add nothing there.

    With the reference at 1.1 the three points dominate 0.1 * 1.1 + 0.9 * 0.9 + 1.1 * 0.1 less
    what two of them share.
    """
    yardstick = Yardstick.of_space(SPACE)
    found = yardstick.judge(FRONT[:2])  # without (10, 10)
    assert found.hv == pytest.approx(1.0)
    whole = 0.2 * 0.1 + 0.8 * 0.9 + 0.1 * 1.1  # columns between 0, 0.2, 1 and 1.1
    assert found.front_hv == pytest.approx((0.2 * 0.1 + 0.9 * 0.9) / whole)
    assert found.igd == pytest.approx(np.hypot(0.8, 0.2) / 3)
    assert found.found == pytest.approx(2 / 3)


def test_what_is_not_known_of_a_space_that_cannot_be_listed() -> None:
    found = Yardstick.of_front(FRONT, FRONT[:, 0]).judge(FRONT[1:])
    assert np.isnan([found.hv, found.igd]).all()
    assert 0 < found.front_hv < 1


def test_nothing_found_is_the_worst() -> None:
    found = Yardstick.of_space(SPACE).judge(FRONT[:0])
    assert (found.hv, found.front_hv, found.found) == (0, 0, 0)
    assert found.igd == float("inf")


def test_the_best_accuracy_within_latency_budgets() -> None:
    yardstick = Yardstick.of_space(SPACE)
    assert yardstick.budgets == pytest.approx(
        np.quantile([0, 2, 6, 10, 10], [0.1, 0.25, 0.5, 0.75, 0.9])
    )
    assert yardstick.best_possible() == [0, 8, 8, 10, 10]
    assert yardstick.best_under(FRONT[2:]) == [None, None, None, 10, 10]


def test_a_search_shows_what_it_believes_to_be_its_front() -> None:
    assert shown(minimised([1, 2, float("inf")], [5, 4, 9])).tolist() == [0]


def test_checkpoints_end_with_the_budget() -> None:
    assert checkpoints(600)[:2] == (30, 60)
    assert checkpoints(600)[-1] == 600
    assert checkpoints(3) == (1, 2, 3)
