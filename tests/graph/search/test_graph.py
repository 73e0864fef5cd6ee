"""Whole searches over the tiny space: real graph, store, knowledge base and agents."""

import os
import shutil
import subprocess
import sys
from collections import Counter
from collections.abc import Callable, Sequence
from contextlib import AbstractContextManager
from functools import partial
from pathlib import Path
from typing import Any

import pytest
from fakes import agents, drawn, one_rule, plan, proposed

from pelnas import Search, SearchConfig
from pelnas.agents.testing.scripted import ScriptedModel
from pelnas.calls.call import Message
from pelnas.config import Budget
from pelnas.errors import RunError
from pelnas.graph.runs.search import Result
from pelnas.pareto import minimised, non_dominated
from pelnas.spaces import get_space
from pelnas.store import Event, RunStore, list_runs
from pelnas.tables import accuracy_column, cost_columns

Settings = Callable[..., SearchConfig]
SPACE = get_space("tiny")


@pytest.fixture
def config(toy: Settings, tmp_path: Path) -> Settings:
    return partial(toy, tmp_path, rounds=3, per_niche=4)


@pytest.fixture(scope="module")
def whole(
    toy: Settings,
    pictures: Callable[[], AbstractContextManager[None]],
    tmp_path_factory: pytest.TempPathFactory,
) -> Result:
    """A search that nothing cut short; to read only."""
    with pictures():
        return Search(toy(tmp_path_factory.mktemp("whole"), rounds=3, per_niche=4)).run()


@pytest.fixture(scope="module")
def earlier(toy: Settings, tmp_path_factory: pytest.TempPathFactory) -> Result:
    """A search with rules to carry on; to read only."""
    folder = tmp_path_factory.mktemp("earlier")
    return Search(toy(folder, name="earlier", rounds=3, per_niche=8)).run()


@pytest.fixture(scope="module")
def later(toy: Settings, earlier: Result, tmp_path_factory: pytest.TempPathFactory) -> Result:
    """A search that began with the rules of the earlier one; to read only."""
    folder, rules_from = tmp_path_factory.mktemp("later"), (earlier.folder,)
    return Search(toy(folder, rounds=3, per_niche=4, rules_from=rules_from)).run()


def front_bytes(folder: Path) -> bytes:
    return (folder / "front.json").read_bytes()


def test_a_search_that_may_look_at_everything_finds_the_true_front(
    config: Settings, tiny_tables: Path
) -> None:
    result = Search(config(rounds=9, per_niche=20)).run()
    assert result.reason == "nothing is left to design"
    latency = cost_columns(tiny_tables, "toy10", "toy")["latency"].read()
    accuracy = accuracy_column(tiny_tables, "toy10").read()
    texts = sorted(latency)
    mask = non_dominated(minimised([latency[t] for t in texts], [accuracy[t] for t in texts]))
    true = {(latency[t], accuracy[t]) for t, kept in zip(texts, mask, strict=True) if kept}
    assert {(p.latency_ms, p.score) for p in result.front} == true
    with RunStore.read(result.folder) as store:
        assert len(store.evaluations()) == SPACE.size
        assert len({c.architecture for c in store.candidates()}) == SPACE.size


def test_a_run_leaves_all_its_files_and_a_plan_a_round(whole: Result) -> None:
    result = whole
    for name in ("run.json", "front.json", "front.csv", "front.png", "report.html"):
        assert (result.folder / name).stat().st_size > 0
    assert result.reason == "all rounds done"
    assert not result.stopped
    with RunStore.read(result.folder) as store:
        kinds = Counter(event.kind for event in store.events())
        assert kinds["round-planned"] == kinds["round-done"] == 3
        assert kinds["evaluated"] == 3 * 3 * 4
        assert kinds["designed"] == 9
        assert kinds["run-finished"] == 1
        assert store.status == "finished"
        assert all(e.candidate.design.author == "builtin:evolver" for e in store.evaluations())
        assert any(rule.status == "in-force" for rule in store.rules())


def test_equal_seeds_give_equal_fronts_byte_for_byte(config: Settings, whole: Result) -> None:
    again, other = (Search(config(seed=seed)).run().folder for seed in (0, 1))
    assert front_bytes(again) == front_bytes(whole.folder)
    with RunStore.read(again) as a, RunStore.read(other) as b:
        assert [c.architecture for c in a.candidates()] != [c.architecture for c in b.candidates()]


def test_partition_by_flops_runs_too(config: Settings) -> None:
    result = Search(config(partition="flops", niches=4)).run()
    with RunStore.read(result.folder) as store:
        assert len(store.niches()) > 1
        assert all("MFLOPs" in label for label in store.niches())


def test_infeasible_candidates_are_kept_and_never_on_the_front(
    tmp_path: Path, config: Settings, tiny_tables: Path
) -> None:
    import pyarrow as pa
    from pyarrow import parquet

    tables = shutil.copytree(tiny_tables, tmp_path / "own")
    table = parquet.read_table(tables / "costs.parquet").to_pydict()
    cannot = [
        -1.0 if "nor_conv_3x3" in text else cost
        for text, cost in zip(table["arch_str"], table["toy10__toy_latency"], strict=True)
    ]
    table["toy10__toy_latency"] = cannot
    parquet.write_table(pa.table(table), tables / "costs.parquet")
    result = Search(config(data=tables)).run()
    assert result.front
    assert not any("nor_conv_3x3" in point.architecture for point in result.front)
    with RunStore.read(result.folder) as store:
        assert any(not e.cost.feasible for e in store.evaluations())
    assert "Infinity" not in front_bytes(result.folder).decode()


# -- stopping, killing, resuming --------------------------------------------------


def test_a_stopped_search_resumes_to_the_same_front(config: Settings, whole: Result) -> None:
    search = Search(config())
    seen = 0

    def stop_soon(event: Event) -> None:
        nonlocal seen
        seen += event.kind == "evaluated"
        if seen == 17:
            search.stop()

    result = search.run(stop_soon)
    assert result.stopped
    with RunStore.read(result.folder) as store:
        assert store.status != "finished"
        assert len(store.evaluations()) == 17
    resumed = Search.resume(result.folder).run()
    assert not resumed.stopped
    assert front_bytes(resumed.folder) == front_bytes(whole.folder)


def test_a_run_killed_while_it_was_made_ends_as_any_other(
    config: Settings, earlier: Result, later: Result
) -> None:
    settings = config(rules_from=(earlier.folder,))
    RunStore.create(settings).close()  # all that is left of it: a folder with its settings
    (made,) = [run for run in list_runs(settings.output) if run.status == "stopped"]
    resumed = Search.resume(made.folder).run()
    assert front_bytes(resumed.folder) == front_bytes(later.folder)
    with RunStore.read(resumed.folder) as store, RunStore.read(later.folder) as expected:
        assert store.niches() == expected.niches()
        assert store.sources() == expected.sources()
        assert [r.to_dict() for r in store.rules()] == [r.to_dict() for r in expected.rules()]


def test_a_finished_run_is_not_resumed(whole: Result) -> None:
    with pytest.raises(RunError, match="finished"):
        Search.resume(whole.folder)
    with RunStore.read(whole.folder) as store:  # and it was let go
        assert store.status == "finished"


def test_a_run_in_use_is_refused(config: Settings) -> None:
    search = Search(config())
    with pytest.raises(RunError, match=r"another process|in use"):
        Search.resume(search.folder)
    search.session.close()


CHILD = """
import sys
from pathlib import Path
from pelnas import Search, SearchConfig
folder = Path(sys.argv[2])
settings = SearchConfig.model_validate_json(sys.argv[1])
search = Search.resume(folder) if sys.argv[2] else Search(settings)
print(search.folder, flush=True)
search.run()
"""


# -- budgets ------------------------------------------------------------------------


def test_the_budget_of_evaluations_is_kept_exactly(config: Settings) -> None:
    result = Search(config(budget=Budget(evaluations=20))).run()
    assert "evaluations" in result.reason
    with RunStore.read(result.folder) as store:
        assert len(store.evaluations()) == 20


def test_the_budget_of_minutes_ends_with_a_report(config: Settings) -> None:
    result = Search(config(budget=Budget(minutes=0.0001))).run()
    assert "minutes" in result.reason
    assert (result.folder / "report.html").is_file()


# -- language models ------------------------------------------------------------------


def guesses(messages: Sequence[Message]) -> dict[str, Any]:
    cells = drawn(len(messages[-1].content), count=3)
    return proposed([*cells, cells[0], "not a cell"], parents=[], rationale="a guess")


#: A model of mixed quality: some good designs, some of every kind of mistake.
answer = agents(
    plan([0], 5, "be fast"), guesses, one_rule("avg_pool_3x3 >= 1", "Pooling raises accuracy.")
)


def test_a_language_model_plays_every_role_and_every_call_is_stored(config: Settings) -> None:
    model = ScriptedModel(answer)
    settings = config(model=model.name)
    result = Search(settings, {model.name: model}).run()
    with RunStore.read(result.folder) as store:
        calls = store.calls()
        assert len(calls) == len(model.requests)
        assert {call.agent for call in calls} == {"planner", "designer", "reflection"}
        assert {call.outcome for call in calls} == {"ok", "invalid"}
        kinds = Counter(refusal.kind for _, _, refusal in store.refusals())
        assert kinds["malformed"] > 0
        assert kinds["duplicate"] > 0
        assert kinds["out-of-niche"] > 0
        authors = {c.design.author for c in store.candidates()}
        assert authors == {model.name, "builtin:evolver"}
        assert len(store.evaluations()) == 3 * 3 * 4
        designed = {c.design.call for c in store.candidates() if c.design.author == model.name}
        assert designed <= {call.id for call in calls}
        (rule,) = [rule for rule in store.rules() if rule.author == model.name]
        assert rule.measured is not None
        assert store.plans(0)[0][1].focus == "be fast"


@pytest.mark.parametrize(
    "nonsense",
    ["", "{", "[]", '{"designs": []}', '{"designs": "none"}', "I would rather talk. " * 200],
)
def test_a_run_never_dies_of_a_bad_answer(config: Settings, nonsense: str) -> None:
    model = ScriptedModel(lambda *_: nonsense)
    settings = config(model=model.name, rounds=2)
    result = Search(settings, {model.name: model}).run()
    with RunStore.read(result.folder) as store:
        assert len(store.evaluations()) == 2 * 3 * 4
        assert {c.design.author for c in store.candidates()} == {"builtin:evolver"}
        assert all(call.outcome == "invalid" for call in store.calls())
        assert any(event.kind == "fallback" for event in store.events())


def test_the_budget_of_calls_is_never_passed(config: Settings) -> None:
    model = ScriptedModel(answer)
    settings = config(model=model.name, budget=Budget(calls=9), rounds=9)
    result = Search(settings, {model.name: model}).run()
    assert len(model.requests) == 9
    assert "calls" in result.reason
    with RunStore.read(result.folder) as store:
        assert len(store.evaluations()) == len(store.candidates())


def test_a_resumed_model_run_repeats_no_call(config: Settings) -> None:
    whole_model, first, second = (ScriptedModel(answer) for _ in range(3))
    settings = config(model=whole_model.name)
    whole = Search(settings, {whole_model.name: whole_model}).run()
    search = Search(settings, {first.name: first})

    def stop_after_a_call(event: Event) -> None:
        if event.kind == "call" and len(first.requests) == 9:
            search.stop()

    stopped = search.run(stop_after_a_call)
    assert stopped.stopped
    resumed = Search.resume(stopped.folder, {second.name: second}).run()
    assert front_bytes(resumed.folder) == front_bytes(whole.folder)
    assert len(first.requests) + len(second.requests) == len(whole_model.requests)


def test_a_prompt_of_the_runs_own_is_sent(tmp_path: Path, config: Settings) -> None:
    own = tmp_path / "prompts"
    own.mkdir()
    (own / "planner.md").write_text("# System\nMy planner.\n# User\n{{niches}}\n")
    model = ScriptedModel(answer)
    settings = config(planner_model=model.name, prompts=own, rounds=1)
    Search(settings, {model.name: model}).run()
    assert model.requests[0][0].content == "My planner."


# -- knowledge -------------------------------------------------------------------------


def test_rules_of_an_earlier_run_are_tested_anew(earlier: Result, later: Result) -> None:
    with RunStore.read(earlier.folder) as old, RunStore.read(later.folder) as new:
        known = {rule.id for rule in old.rules() if rule.status == "in-force"}
        carried = [rule for rule in new.rules() if rule.origin]
        assert known
        assert {rule.id for rule in carried} == known
        assert all(rule.measured is not None or rule.status == "proposed" for rule in carried)


def test_the_state_of_the_graph_is_plain_values(config: Settings) -> None:
    settings = config(rounds=1).model_dump_json()
    command = [sys.executable, "-W", "error", "-c", CHILD, settings, ""]
    environment = os.environ | {"LANGGRAPH_STRICT_MSGPACK": "true", "PYTHONWARNINGS": ""}
    done = subprocess.run(command, env=environment, capture_output=True, text=True, timeout=120)
    assert done.returncode == 0, done.stderr
