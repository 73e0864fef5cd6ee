"""The run store: what is written is what is read, once, by one writer at a time."""

import sqlite3
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from pelnas.architecture import Cost, Design, Prediction, Refusal
from pelnas.call import CallRecord, Message
from pelnas.config import Budget, SearchConfig
from pelnas.errors import RunError, StoreError
from pelnas.predicate import Condition, Predicate
from pelnas.rules import Rule, Scope, propose
from pelnas.store import (
    Event,
    PlanEntry,
    RunStore,
    Sources,
    Spent,
    find_run,
    list_runs,
    write_atomically,
)

DESIGN = Design("|a~0|", "openai:x", "mutation", ("r0n0c0",), "why <b>", ("R1", "R2"), "r1.a0")
REFUSAL = Refusal("|zz|", "openai:x", "malformed", "expected a cell", "r1.a0")
CALL = CallRecord(
    id="r0.designer.n1.a0",
    round=0,
    agent="designer",
    niche=1,
    attempt=0,
    model="openai:x",
    answered_by="x-2026",
    messages=(Message("system", "rules"), Message("user", "cells ü\n")),
    schema="DesignAnswer",
    request="hash",
    answer='{"designs": []}',
    tokens_in=100,
    tokens_out=20,
    seconds=1.5,
    outcome="ok",
)


@pytest.fixture
def config(tmp_path: Path) -> SearchConfig:
    return SearchConfig(name="digits", output=tmp_path / "runs", budget=Budget(calls=7))


@pytest.fixture
def store(config: SearchConfig) -> Iterator[RunStore]:
    with RunStore.create(config, "20260101-000000") as run:
        yield run


def rule(text: str, feature: str = "nor_conv_3x3") -> Rule:
    predicate = Predicate((Condition(feature, ">=", 2.0),))
    return propose(text, "helps", "accuracy", predicate, Scope("tiny", "host", "digits"))


# -- folders and locks ----------------------------------------------------------


def test_two_runs_of_the_same_second_get_their_own_folders(config: SearchConfig) -> None:
    with RunStore.create(config, "s") as first, RunStore.create(config, "s") as second:
        assert [first.name, second.name] == ["s-digits", "s-digits-2"]


@pytest.mark.parametrize("name", ["../../away", "/etc/x", "a b\nc", "...", "", "x" * 400])
def test_a_run_stays_in_its_output_folder(tmp_path: Path, name: str) -> None:
    with RunStore.create(SearchConfig(name=name, output=tmp_path), "s") as run:
        assert run.folder.resolve().parent == tmp_path.resolve()
        assert run.config.name == name


def test_configuration_comes_back_as_it_was_resolved(store: RunStore, config: SearchConfig) -> None:
    store.close()
    with RunStore.open(store.folder) as again:
        assert again.config == config


def test_a_held_run_is_refused_but_can_be_read(store: RunStore) -> None:
    with pytest.raises(RunError, match="in use by another process"):
        RunStore.open(store.folder)
    with RunStore.read(store.folder) as view:
        store.event("started")
        assert [event.kind for event in view.events()] == ["started"]


def test_a_view_cannot_write(store: RunStore) -> None:
    with RunStore.read(store.folder) as view, pytest.raises(StoreError, match="readonly"):
        view.event("no")


def test_a_closed_run_says_so(store: RunStore) -> None:
    store.close()
    store.close()
    with pytest.raises(StoreError, match="closed"):
        store.events()


def test_a_run_in_a_read_only_folder_can_be_read(store: RunStore) -> None:
    store.event("one")
    store.close()
    store.folder.chmod(0o555)
    try:
        with RunStore.read(store.folder) as view:
            assert len(view.events()) == 1
    finally:
        store.folder.chmod(0o755)


def test_no_run_there(tmp_path: Path) -> None:
    for way in (RunStore.open, RunStore.read):
        with pytest.raises(RunError, match="no run in"):
            way(tmp_path)


def test_a_database_of_another_program_is_refused(store: RunStore) -> None:
    store.close()
    path = store.folder / "run.sqlite"
    path.unlink()
    other = sqlite3.connect(path)
    other.execute("CREATE TABLE photos (id)")
    other.close()
    for way in (RunStore.open, RunStore.read):
        with pytest.raises(RunError, match="another program's database"):
            way(store.folder)
    path.write_bytes(b"no database at all, but long enough to be read as one" * 40)
    with pytest.raises(RunError, match="another or a damaged file"):
        RunStore.open(store.folder)


def test_a_newer_format_is_refused(store: RunStore) -> None:
    store.close()
    newer = sqlite3.connect(store.folder / "run.sqlite")
    newer.execute("PRAGMA user_version = 999")
    newer.close()
    for way in (RunStore.open, RunStore.read):
        with pytest.raises(RunError, match="newer pelnas"):
            way(store.folder)


def test_a_run_that_was_killed_as_it_began_can_be_opened(store: RunStore) -> None:
    """The kill came between the creation of the file and its first table."""
    store.close()
    (store.folder / "run.sqlite").write_bytes(b"")
    with RunStore.read(store.folder) as view:
        assert view.candidates() == []
    with RunStore.open(store.folder) as run:
        assert run.status == "running"


def test_settings_that_cannot_be_read_are_named(store: RunStore) -> None:
    store.close()
    (store.folder / "run.json").write_text('{"sapce": "tiny"}')
    with pytest.raises(RunError, match=r"run\.json"):
        RunStore.open(store.folder)


def test_an_output_that_is_a_file_is_refused(tmp_path: Path) -> None:
    (tmp_path / "runs").write_text("")
    with pytest.raises(StoreError, match="cannot be written"):
        RunStore.create(SearchConfig(output=tmp_path / "runs"))


# -- designs and evaluations ----------------------------------------------------


def test_designs_come_back_in_order_whatever_the_order_of_writing(store: RunStore) -> None:
    assert store.replace_designs(1, 1, [DESIGN], [REFUSAL]) == ["r1n1c0"]
    store.replace_designs(1, 0, [DESIGN, replace(DESIGN, call=None, rules=())], [])
    store.replace_designs(0, 11, [DESIGN], [])
    found = store.candidates()
    assert [c.id for c in found] == ["r0n11c0", "r1n0c0", "r1n0c1", "r1n1c0"]
    assert found[0].design == DESIGN
    assert [c.id for c in store.candidates(1, 0)] == ["r1n0c0", "r1n0c1"]
    assert [c.id for c in store.candidates(niche=1)] == ["r1n1c0"]
    assert store.refusals() == store.refusals(1) == [(1, 1, REFUSAL)]
    assert store.refusals(0) == []


def test_a_repeated_node_replaces_what_it_wrote_and_keeps_what_still_holds(
    store: RunStore,
) -> None:
    store.replace_designs(0, 0, [DESIGN, replace(DESIGN, architecture="b"), DESIGN], [REFUSAL])
    store.replace_designs(0, 1, [DESIGN], [])
    for id_ in ("r0n0c0", "r0n0c1", "r0n0c2", "r0n1c0"):
        store.record_prediction(id_, Prediction(1.0), 1, 1.0)
        store.record_cost(id_, Cost(1.0))
    store.replace_designs(0, 0, [DESIGN, replace(DESIGN, architecture="c")], [])
    assert [c.architecture for c in store.candidates(0, 0)] == [DESIGN.architecture, "c"]
    assert [e.id for e in store.evaluations()] == ["r0n0c0", "r0n1c0"]
    assert [c.id for c in store.without_cost(0)] == ["r0n0c1"]
    assert store.refusals() == []
    assert store.spent().evaluations == 2


def test_an_evaluation_is_complete_with_both_parts(store: RunStore) -> None:
    store.replace_designs(0, 0, [DESIGN, DESIGN], [])
    prediction = Prediction(0.25, 0.5, {"synflow": 1e30, "naswot": -2.0})
    store.record_prediction("r0n0c0", prediction, 12, 3.5)
    assert store.evaluations() == []
    assert [c.id for c in store.without_prediction(0)] == ["r0n0c1"]
    assert [c.id for c in store.without_cost(0)] == ["r0n0c0", "r0n0c1"]
    store.record_cost("r0n0c0", Cost(None))
    (evaluation,) = store.evaluations()
    assert evaluation.prediction == prediction
    assert (evaluation.parameters, evaluation.flops) == (12, 3.5)
    assert evaluation.cost == Cost(None)
    assert not evaluation.cost.feasible
    assert store.spent() == Spent(evaluations=1)


def test_evaluations_stop_at_a_round(store: RunStore) -> None:
    for round_ in range(3):
        (id_,) = store.replace_designs(round_, 0, [DESIGN], [])
        store.record_prediction(id_, Prediction(1.0), 1, 1.0)
        store.record_cost(id_, Cost(1.0, 0.5, 2.0))
    assert [e.id for e in store.evaluations(1)] == ["r0n0c0", "r1n0c0"]


def test_the_first_record_stays_and_the_second_is_counted(store: RunStore) -> None:
    store.replace_designs(0, 0, [DESIGN], [])
    for score in (1.0, 2.0):
        store.record_prediction("r0n0c0", Prediction(score), 1, 1.0)
        store.record_cost("r0n0c0", Cost(score))
    (evaluation,) = store.evaluations()
    assert (evaluation.score, evaluation.latency_ms) == (1.0, 1.0)
    assert store.ignored() == 2


def test_records_without_a_candidate_or_a_number_are_refused(store: RunStore) -> None:
    with pytest.raises(StoreError, match="no candidate 'r9n9c9'"):
        store.record_cost("r9n9c9", Cost(1.0))
    store.replace_designs(0, 0, [DESIGN], [])
    with pytest.raises(ValueError, match="NaN"):
        store.record_prediction("r0n0c0", Prediction(float("nan")), 1, 1.0)
    assert store.ignored() == 0


def test_half_a_character_in_an_answer_does_not_end_the_run(store: RunStore) -> None:
    half = "caf\ud800"
    store.replace_plan(0, [PlanEntry(0, 1, half, "m")])
    store.replace_designs(
        0, 0, [replace(DESIGN, rationale=half)], [replace(REFUSAL, architecture=half, reason=half)]
    )
    store.record_call(replace(CALL, answer=half, problem=half, messages=(Message("user", half),)))
    store.event("answer", text=half)
    assert store.candidates()[0].design.rationale == "caf?"
    assert store.refusals()[0][2].architecture == "caf?"


@settings(max_examples=30, deadline=None)
@given(
    text=st.text(st.characters(exclude_categories=["Cs"])),
    score=st.floats(allow_nan=False),
    latency=st.none() | st.floats(allow_nan=False, min_value=0),
)
def test_every_text_and_number_survives(
    tmp_path_factory: pytest.TempPathFactory, text: str, score: float, latency: float | None
) -> None:
    config = SearchConfig(output=tmp_path_factory.mktemp("runs"))
    design = Design(text, text, text, (text,), text, (text,), text)
    with RunStore.create(config) as run:
        run.replace_designs(0, 0, [design], [])
        run.record_prediction("r0n0c0", Prediction(score, 0.0, {text: score}), 1, 1.0)
        run.record_cost("r0n0c0", Cost(latency))
        (found,) = run.evaluations()
    assert found.candidate.design == design
    assert found.prediction == Prediction(score, 0.0, {text: score})
    assert found.cost.latency_ms == latency


# -- calls, plans, rules ---------------------------------------------------------


def test_a_call_is_found_by_its_id_and_request(store: RunStore) -> None:
    store.record_call(CALL)
    assert store.recall(CALL.id, "hash") == CALL
    assert store.recall(CALL.id, "other") is None
    assert store.recall("r9.planner.a0", "hash") is None


def test_calls_are_filtered_and_kept_in_order(store: RunStore) -> None:
    plan = replace(CALL, id="r1.planner.a0", round=1, agent="planner", niche=None)
    for call in (CALL, plan):
        store.record_call(call)
    assert store.calls() == [CALL, plan]
    assert store.calls(round_=1) == store.calls(agent="planner") == [plan]


def test_what_was_paid_counts_once_and_stays_counted(store: RunStore) -> None:
    store.record_call(CALL)
    store.record_call(CALL)
    assert store.spent() == Spent(calls=1, tokens=120)
    store.record_call(replace(CALL, request="another prompt", tokens_in=1))
    assert store.spent() == Spent(calls=2, tokens=141)
    store.record_call(replace(CALL, id="r0.planner.a0", model="builtin:evolver"))
    assert store.spent() == Spent(calls=2, tokens=141)


def test_plans_are_replaced_by_round(store: RunStore) -> None:
    first, second = PlanEntry(0, 3, "fast ones", "m"), PlanEntry(1, 5, "", "m")
    store.replace_plan(0, [second])
    store.replace_plan(0, [first, second])
    store.replace_plan(1, [second])
    assert store.plans() == [(0, first), (0, second), (1, second)]
    assert store.plans(1) == [(1, second)]


def test_rules_are_versioned_by_round(store: RunStore) -> None:
    old, new = rule("old"), rule("new", "avg_pool_3x3")
    measured = replace(old, status="in-force", measured=0.4, error=0.1, evidence=("r0n0c0",))
    store.replace_rules(0, [old])
    store.replace_rules(1, [old])
    store.replace_rules(1, [measured, new])
    assert store.rules() == [measured, new]
    assert store.rules(0) == [old]
    assert store.rule_history(old.id) == [(0, old), (1, measured)]
    assert store.rule_history("R-none") == []


def test_proposals_are_replaced_by_niche(store: RunStore) -> None:
    a, b = rule("a"), rule("b", "none")
    store.replace_proposals(0, 1, "openai:x", [a, b], "r0.reflection.n1.a0")
    store.replace_proposals(0, 0, "builtin:evolver", [b], None)
    store.replace_proposals(0, 1, "openai:y", [a], "r0.reflection.n1.a0")
    assert store.proposals(0) == [b, a]
    assert store.proposals(1) == []
    assert store.proposal_counts() == {"builtin:evolver": 1, "openai:y": 1}


# -- the run itself ---------------------------------------------------------------


def test_niches_keep_their_names(store: RunStore) -> None:
    assert store.niches() == []
    store.set_niches(["x", "y"])
    store.set_niches(["no 3x3", "one 3x3", "two"])
    assert store.niches() == ["no 3x3", "one 3x3", "two"]


def test_numbers_say_where_they_come_from(store: RunStore, tmp_path: Path) -> None:
    assert store.sources().latency == "measured on this machine"
    sources = Sources("digits", "rank score", "four proxies", "measured here")
    store.set_sources(sources)
    assert store.sources() == sources
    truth = SearchConfig(output=tmp_path, accuracy="table", device="fpga", dataset="cifar10")
    with RunStore.create(truth) as run:
        assert "benchmark truth" in run.sources().accuracy
        assert run.sources().dataset == "cifar10"


def test_events_reach_subscribers_after_they_are_stored(store: RunStore) -> None:
    heard: list[tuple[Event, int]] = []
    store.subscribe(lambda event: heard.append((event, len(store.events()))))
    store.event("round", number=1)
    store.event("scored", id="r0n0c0")
    assert [(event.seq, stored) for event, stored in heard] == [(1, 1), (2, 2)]
    assert [event for event, _ in heard] == store.events()
    assert store.events(after=1) == [heard[1][0]]
    assert heard[0][0].data == {"number": 1}


def test_time_and_end_are_kept_over_resumes(store: RunStore) -> None:
    store.add_seconds(1.5)
    store.close()
    with RunStore.open(store.folder) as again:
        again.add_seconds(2.0)
        assert again.spent() == Spent(seconds=3.5)
        assert (again.status, again.reason) == ("running", "")
        again.finish("10 rounds are done")
        assert (again.status, again.reason) == ("finished", "10 rounds are done")


def test_threads_share_one_store(store: RunStore) -> None:
    def work(niche: int) -> None:
        ids = store.replace_designs(0, niche, [DESIGN] * 5, [])
        for id_ in ids:
            store.record_prediction(id_, Prediction(1.0), 1, 1.0)
            store.record_cost(id_, Cost(1.0))
            store.event("scored", id=id_)
            assert len(store.candidates(0, niche)) == 5

    with ThreadPoolExecutor(8) as pool:
        list(pool.map(work, range(8)))
    assert len(store.evaluations()) == len(store.events()) == 40
    assert store.ignored() == 0


def test_a_transaction_that_fails_leaves_nothing(store: RunStore) -> None:
    store.replace_designs(0, 0, [DESIGN], [])
    broken = replace(DESIGN, author=None)  # type: ignore[arg-type]
    with pytest.raises(sqlite3.IntegrityError):
        store.replace_designs(0, 0, [replace(DESIGN, architecture="b"), broken], [])
    assert [c.design for c in store.candidates()] == [DESIGN]


# -- lists of runs -----------------------------------------------------------------


def test_runs_are_listed_with_what_they_are_doing(config: SearchConfig) -> None:
    done = RunStore.create(config, "a")
    done.finish("done")
    done.close()
    RunStore.create(config, "b").close()
    broken = RunStore.create(config, "c")
    broken.close()
    (broken.folder / "run.json").write_text("{")
    with RunStore.create(config, "d") as busy:
        busy.replace_designs(0, 0, [DESIGN], [])
        busy.replace_designs(1, 0, [DESIGN, DESIGN], [])
        found = {run.name: run for run in list_runs(config.output)}
    assert {name: run.status for name, run in found.items()} == {
        "a-digits": "finished",
        "b-digits": "stopped",
        "c-digits": "unreadable",
        "d-digits": "running",
    }
    assert (found["d-digits"].rounds, found["d-digits"].candidates) == (2, 3)
    assert found["d-digits"].models == ("builtin:evolver",)
    assert found["a-digits"].reason == "done"


def test_no_folder_means_no_runs(tmp_path: Path) -> None:
    assert list_runs(tmp_path / "none") == []
    with pytest.raises(RunError, match="start one"):
        find_run(tmp_path / "none", "last")


def test_a_run_is_found_by_what_people_type(config: SearchConfig) -> None:
    for stamp in ("20260101-1", "20260102-1"):
        RunStore.create(config, stamp).close()
    output = config.output
    for name in ("20260102-1-digits", "20260102", "last", str(output / "20260102-1-digits")):
        assert find_run(output, name).name == "20260102-1-digits"
    with pytest.raises(RunError, match="may mean 20260101-1-digits, 20260102-1-digits"):
        find_run(output, "digits")
    with pytest.raises(RunError, match="use one of 20260102-1-digits"):
        find_run(output, "20260102-1-digitz")
    with pytest.raises(RunError, match="use one of"):
        find_run(output, "")


def test_files_are_replaced_whole(tmp_path: Path) -> None:
    path = tmp_path / "front.json"
    write_atomically(path, "old")
    write_atomically(path, b"new")
    assert path.read_text() == "new"
    assert list(tmp_path.iterdir()) == [path]
    with pytest.raises(StoreError, match="cannot be written"):
        write_atomically(tmp_path / "none" / "x", "text")
