"""What knowledge brings: paired by cell and seed, at each number of evaluations."""

import pytest

from pelnas.bench.knowledge import rows
from pelnas.bench.search.methods import INFORMED, OURS
from pelnas.bench.search.problem import Cell
from pelnas.bench.search.results import Key, Result

ONE = Cell("tiny", "toy10", "toy", "table")
OTHER = Cell("tiny", "toy10", "other", "table")


def result(cell: Cell, method: str, seed: int, *front_hv: float, error: str = "") -> Result:
    curve: dict[str, list[float | None]] = {
        "evaluations": [30.0, 60.0, 120.0][: len(front_hv)],
        "front_hv": list(front_hv),
    }
    return Result(Key(*cell, method, "", seed, 120), error=error, curve=curve)


def test_seeds_are_paired_and_failures_left_out() -> None:
    found = rows(
        [
            result(ONE, OURS, 0, 0.1, 0.5, 0.8),
            result(ONE, OURS, 1, 0.1, 0.6, 0.9),
            result(ONE, INFORMED, 0, 0.2, 0.7, 0.9),
            result(ONE, INFORMED, 1, error="ValueError: no"),
            result(OTHER, OURS, 0, 0.1, 0.2, 0.3),
        ],
        [60, 120],
    )
    assert [(row.cell, row.evaluations, row.seeds) for row in found] == [
        (ONE, 60, 1),
        (ONE, 120, 1),
    ]
    assert [row.ahead.value for row in found] == pytest.approx([0.2, 0.1])
    assert [row.plain for row in found] == pytest.approx([0.5, 0.8])


def test_a_search_counts_by_its_last_checkpoint() -> None:
    found = rows([result(ONE, OURS, 0, 0.1, 0.5), result(ONE, INFORMED, 0, 0.2, 0.6)], [119])
    assert [(row.plain, row.informed) for row in found] == [(0.5, 0.6)]
