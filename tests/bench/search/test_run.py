"""Searches are run once each, kept as they end, and begun again where somebody stopped them."""

from dataclasses import replace
from importlib.metadata import version
from pathlib import Path
from threading import Event

import pytest
from fakes import PoolHere

from pelnas.bench.search import run
from pelnas.bench.search.problem import Cell
from pelnas.bench.search.results import Result, Results
from pelnas.bench.search.run import Plan
from pelnas.config import SearchConfig
from pelnas.errors import (
    ConfigError,
    DataError,
    InputError,
    Stopped,
    TaskFailedError,
    WorkerDiedError,
)


@pytest.fixture
def plan(tiny_tables: Path, tmp_path: Path) -> Plan:
    config = SearchConfig(data=tiny_tables, output=tmp_path / "runs")
    cells = [Cell("tiny", "toy10", "toy", accuracy) for accuracy in ("table", "validation")]
    return Plan(config, cells, ["random", "exhaustive"], [""], range(3), 40, 24)


def test_what_is_stopped_goes_on_where_it_was(plan: Plan, tmp_path: Path) -> None:
    results, stop = Results(tmp_path), Event()
    reported: list[Result] = []

    def first(result: Result) -> None:
        reported.append(result)
        stop.set()

    with pytest.raises(Stopped, match="go on by the same command"):
        run.run(plan, results, 1, first, stop, PoolHere())
    kept = {result.key for result in results.read()}
    assert 0 < len(kept) < len(list(plan.searches()))
    run.run(plan, results, 1, reported.append, Event(), PoolHere())
    assert [result.key for result in reported].count(reported[0].key) == 1  # not run again
    assert {result.key for result in results.read()} == set(plan.searches())
    assert not any(result.error for result in results.read())


def test_results_of_other_settings_are_not_mixed(plan: Plan, tmp_path: Path) -> None:
    results = Results(tmp_path)
    few = replace(plan, methods=["random"], seeds=range(1))
    run.run(few, results, 1, lambda _: None, Event(), PoolHere())
    assert {(one.version, str(one.settings)) for one in results.read()} == {
        (version("pelnas"), "{}")
    }
    other = replace(few, config=few.config.model_copy(update={"per_niche": 3}))
    with pytest.raises(ConfigError, match=r"settings per_niche 3, found some of by default: give"):
        other.missing(results.read())
    assert replace(other, again=True).missing(results.read())
    assert replace(other, seeds=range(1, 2)).missing(results.read())
    results.append(replace(results.read()[0], settings=None))  # of an earlier version
    assert len(few.missing(results.read())) == 0


def test_searches_are_run_again_where_that_is_asked_for(plan: Plan, tmp_path: Path) -> None:
    results, reported = Results(tmp_path), list[Result]()
    few = replace(plan, methods=["random"], seeds=range(1))
    for _ in range(2):
        run.run(few, results, 1, reported.append, Event(), PoolHere())
    assert len(reported) == 2
    run.run(replace(few, again=True), results, 1, reported.append, Event(), PoolHere())
    assert len(reported) == 4
    assert len(results.read()) == 2


def test_a_reference_is_run_once(plan: Plan) -> None:
    keys = list(plan.searches())
    assert sum(key.method == "random" for key in keys) == 6  # cells times seeds
    assert [key.seed for key in keys if key.method == "exhaustive"] == [0, 0]


def test_the_reference_reaches_what_its_accuracy_allows(plan: Plan) -> None:
    keys = [key for key in plan.searches() if key.method == "exhaustive"]
    seen, guessed = (run.searched(key, plan.config, plan.first) for key in keys)
    assert seen.evaluations == 125
    assert seen.final("front_hv") == pytest.approx(1)
    assert guessed.final("front_hv") <= 1
    assert seen.under == seen.possible


def test_a_budget_below_one_round(plan: Plan) -> None:
    with pytest.raises(ConfigError, match="expected a budget of at least one round, 50"):
        Plan(plan.config, plan.cells, plan.methods, [""], range(1), 40, 50)


def test_a_worker_that_was_killed_is_no_failure_of_a_search(plan: Plan, tmp_path: Path) -> None:
    results = Results(tmp_path)
    few = replace(plan, methods=["random"], seeds=range(1))
    pool = PoolHere({0: WorkerDiedError("its worker process ended twice (exit code -9)")})
    with pytest.raises(InputError, match=r"ended twice \(exit code -9\).*with fewer --jobs"):
        run.run(few, results, 1, lambda _: None, Event(), pool)
    (kept,) = results.read()
    assert (kept.key, kept.error) == (list(few.searches())[1], "")


def test_a_search_that_fails_is_a_result(plan: Plan, tmp_path: Path) -> None:
    results = Results(tmp_path)
    few = replace(plan, methods=["random"], seeds=range(1))
    pool = PoolHere({0: TaskFailedError("ValueError: no"), 1: DataError("no such rows")})
    run.run(few, results, 1, lambda _: None, Event(), pool)
    assert [result.error for result in results.read()] == [
        "ValueError: no",
        "DataError: no such rows",
    ]
