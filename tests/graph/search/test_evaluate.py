"""Evaluations: what comes at once is stored at once, and nothing of it is lost."""

from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from pelnas import Search, SearchConfig
from pelnas.errors import DeviceError
from pelnas.graph.search import evaluate
from pelnas.store import RunStore
from pelnas.store.database import Database

Settings = Callable[..., SearchConfig]
COUNT = 36  # evaluations


def transactions(monkeypatch: pytest.MonkeyPatch, config: SearchConfig) -> tuple[int, Path]:
    """How many transactions hold the evaluations of a search, and its folder."""
    count, holding = 0, set()
    begun, recorded = Database.transaction, RunStore.record_cost

    def counted(database: Database) -> Any:
        nonlocal count
        count += not database._connection.in_transaction
        return begun(database)

    def noted(store: RunStore, *given: Any) -> None:
        holding.add(count)
        recorded(store, *given)

    with monkeypatch.context() as patched:
        patched.setattr(Database, "transaction", counted)
        patched.setattr(RunStore, "record_cost", noted)
        folder = Search(config).run().folder
    return len(holding), folder


def test_what_tables_answer_at_once_takes_few_transactions(
    toy: Settings, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    config = toy(tmp_path, rounds=3, per_niche=4)
    alone, one = transactions(monkeypatch, config)
    monkeypatch.setattr(evaluate, "MOMENT", 3600.0)
    together, other = transactions(monkeypatch, config)
    assert (alone, together) == (COUNT, 2 * 3)  # of each round the first, then all others
    with RunStore.read(one) as first, RunStore.read(other) as second:
        assert first.evaluations() == second.evaluations()
        assert len(second.evaluations()) == COUNT


def test_what_came_before_a_failure_is_stored(
    toy: Settings, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(evaluate, "MOMENT", 3600.0)
    search = Search(toy(tmp_path, rounds=1, per_niche=4))
    costs = search.session.costs

    def failing(texts: Any) -> Any:
        for number, cost in enumerate(costs(texts)):
            if number == 5:
                raise DeviceError("expected a device that answers, found none: plug it in")
            yield cost

    monkeypatch.setattr(search.session, "costs", failing)
    with pytest.raises(DeviceError):
        search.run()
    with RunStore.read(search.folder) as store:
        assert len(store.evaluations()) == 5
