"""``pelnas bench pool``: two pools on the same networks, and simulated searches."""

from collections.abc import Callable
from typing import Any

import pytest
from fakes import PoolHere

Pelnas = Callable[..., Any]
COMMAND = (
    "bench",
    "pool",
    "--space",
    "tiny",
    "--resolution",
    "8",
    "--networks",
    "16",
    "--designing",
    "0",
)


def test_pools_are_compared_and_searches_simulated(
    pelnas: Pelnas, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("pelnas.pool.get_pool", lambda _: PoolHere())
    monkeypatch.setattr("pelnas.bench.overlap.ROUNDS", 2)
    monkeypatch.setattr("pelnas.bench.overlap.REFERENCE", 8)  # networks of which each search learns
    monkeypatch.setattr("pelnas.app.commands.bench_pool.ROUNDS", (60, 200))  # a million events less
    document = pelnas(*COMMAND, "--pool", "ray", "--json").json()
    assert document["equal"]
    assert [one["networks"] for one in document["throughputs"]] == [16, 16]
    assert [one["overlap"] for one in document["searches"]] == [False, True]
    assert all(0 < one["busy"] <= 1 for one in document["searches"])
    assert {row["workers"] for row in document["simulated"]} == {1, 10, 100, 1_000}
    shown = pelnas(*COMMAND, "--recording", "0.001").out
    assert "1.00 ms to store an evaluation" in shown
    assert "values equal to the last bit" in shown
    assert "networks, 12 a round, with --overlap: 2 workers busy" in shown
