"""What is written into a run is what is read from it, once."""

import sqlite3
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from pelnas.architecture import Cost, Design, Prediction, Refusal
from pelnas.calls.call import CallRecord, Message
from pelnas.calls.usage import Usage
from pelnas.config import Budget, SearchConfig
from pelnas.errors import StoreError
from pelnas.predicate import Condition, Predicate
from pelnas.rules.rule import Rule, Scope, propose
from pelnas.store import (
    Event,
    PlanEntry,
    RunStore,
    Sources,
    Spent,
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
    outcome="ok",
    usage=Usage(100, 20, unpriced=1, seconds=1.5),
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
    for missing in (store.without_prediction(0), store.without_cost(0)):
        assert [c.id for c in missing] == ["r0n0c1"]
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
        store.record_cost(id_, Cost(1.0, 0.5, 2.0, extrapolated=True))
    assert [e.id for e in store.evaluations(1)] == ["r0n0c0", "r1n0c0"]
    assert {e.cost for e in store.evaluations()} == {Cost(1.0, 0.5, 2.0, extrapolated=True)}


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
    assert store.spent() == Spent(calls=1, tokens=120, unpriced=1)
    store.record_call(replace(CALL, request="another prompt", usage=Usage(1, 20, dollars=0.5)))
    assert store.spent() == Spent(calls=2, tokens=141, dollars=0.5, unpriced=1)
    store.record_call(replace(CALL, request="a third one", usage=Usage(1, 20, dollars=0.25)))
    assert store.spent() == Spent(calls=3, tokens=162, dollars=0.75, unpriced=1)
    store.record_call(replace(CALL, id="r0.planner.a0", model="builtin:evolver"))
    assert store.spent() == Spent(calls=3, tokens=162, dollars=0.75, unpriced=1)


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
