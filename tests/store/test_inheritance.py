"""What a fork takes over: the first rounds of another run, whole, and nothing of the later ones."""

import hashlib
import json
import sqlite3
from collections.abc import Iterator
from pathlib import Path

import pytest

from pelnas.architecture import Cost, Design, Prediction, Refusal
from pelnas.calls.call import CallRecord, Message
from pelnas.calls.usage import Usage
from pelnas.config import SearchConfig
from pelnas.directives import Ban, Boundary, Directives, Focus, Undo
from pelnas.errors import RunError
from pelnas.store import Origin, PlanEntry, RunStore, Spent, list_runs
from pelnas.store.folder import DATABASE

LAST = 2  # the round that the run below is in
ORIGIN = Origin("s-first", 0, {"device": ("toy", "other")}, scores=True, costs=False)


def call(round_: int) -> CallRecord:
    messages = (Message("user", f"round {round_}"),)
    return CallRecord(
        f"r{round_}.planner.a0", round_, "planner", None, 0, "openai:x", "x", messages, "PlanAnswer",
        f"hash {round_}", "{}", "ok", usage=Usage(100, 20, dollars=0.25, seconds=0.5),
    )  # fmt: skip


@pytest.fixture
def source(tmp_path: Path) -> Iterator[RunStore]:
    """A run with two complete rounds and a third under way, still held by whoever searches."""
    with RunStore.create(SearchConfig(name="first", output=tmp_path / "runs"), "s") as store:
        for round_ in range(LAST + 1):
            store.replace_plan(round_, [PlanEntry(0, 1, "", "openai:x")])
            store.record_call(call(round_))
            design = Design(f"|a~{round_}|", "openai:x", "mutation")
            refused = Refusal("|zz|", "openai:x", "malformed", "expected a cell", None)
            (id_,) = store.replace_designs(round_, 0, [design], [refused])
            store.record_prediction(id_, Prediction(float(round_), 0.0, {}), 5, 7.0)
            store.record_cost(id_, Cost(1.0 + round_))
            store.event("evaluated", round=round_, candidate=id_)
            if round_ < LAST:
                store.event("round-done", span=f"r{round_}", round=round_, seconds=2.0 + round_)
        yield store


def forked(source: RunStore, round_: int, *, scores: bool = True, costs: bool = True) -> RunStore:
    def begin(store: RunStore) -> None:
        store.take_over(source.folder / DATABASE, round_, scores=scores, costs=costs)
        store.set_origin(Origin(source.name, round_, {}, scores, costs))

    return RunStore.create(source.config.model_copy(update={"name": "fork"}), "s", begin)


def digest(folder: Path) -> dict[str, str]:
    """What the files hold; the index beside a log is rewritten by everybody who looks at the log."""
    files = (file for file in folder.rglob("*") if file.is_file() and file.suffix != ".sqlite-shm")
    return {str(file): hashlib.sha256(file.read_bytes()).hexdigest() for file in files}


@pytest.mark.parametrize("round_", [0, 1])
def test_everything_through_the_round_and_nothing_later(source: RunStore, round_: int) -> None:
    before = digest(source.folder)
    with forked(source, round_) as store:
        assert digest(source.folder) == before
        assert store.evaluations() == source.evaluations(through_round=round_)
        assert {c.round for c in store.candidates()} == set(range(round_ + 1))
        assert store.calls() == [call(r) for r in range(round_ + 1)]
        assert store.plans() == [entry for entry in source.plans() if entry[0] <= round_]
        assert store.refusals() == [entry for entry in source.refusals() if entry[0] <= round_]
        assert store.complete_rounds() == list(range(round_ + 1))
        copied = store.events()
        assert copied == source.events()[: len(copied)]
        assert copied[-1].kind == "round-done"
        lines = (store.folder / "events.jsonl").read_text().splitlines()
        assert [json.loads(line)["seq"] for line in lines] == [event.seq for event in copied]
        assert store.status == "running"


def test_either_half_of_the_evaluations_can_be_left_behind(source: RunStore) -> None:
    with forked(source, 1, costs=False) as store:
        assert store.evaluations() == []
        assert [len(store.without_prediction(r)) for r in (0, 1)] == [0, 0]
        assert [len(store.without_cost(r)) for r in (0, 1)] == [1, 1]
        assert store.costs() == {}
    with forked(source, 1, scores=False) as store:
        assert [len(store.without_prediction(r)) for r in (0, 1)] == [1, 1]
        assert [len(store.without_cost(r)) for r in (0, 1)] == [0, 0]


def test_what_was_spent_before_is_kept_apart(source: RunStore) -> None:
    with forked(source, 1) as store:
        assert store.spent() == Spent()
        assert store.spent_before() == Spent(2, 240, 5.0, 2, 0.5)  # rounds of 2 and 3 seconds
        store.record_call(call(2))
        store.add_seconds(9.0)
        (id_,) = store.replace_designs(2, 0, [Design("|b~0|", "openai:x", "sample")], [])
        store.record_prediction(id_, Prediction(3.0, 0.0, {}), 5, 7.0)
        store.record_cost(id_, Cost(3.0))
        assert store.spent() == Spent(1, 120, 9.0, 1, 0.25)
        assert store.spent_before() == Spent(2, 240, 5.0, 2, 0.5)
    assert source.spent_before() == Spent()
    assert source.spent().calls == LAST + 1


def test_directives_are_as_they_stood_after_the_round(source: RunStore) -> None:
    early, late = Boundary(0, "plan"), Boundary(1, "plan")
    ban = source.append_directive(Ban("none"), "ann", "")
    focus = source.append_directive(Focus(niche=0), "bob", "")
    undo = source.append_directive(Undo("d1"), "ann", "")
    assert ban is not None
    assert focus is not None
    assert undo is not None
    source.mark_directive(ban, "active", early)
    source.mark_directive(focus, "active", late)
    source.mark_directive(undo, "active", late)
    source.mark_directive(ban, "undone", late, "by d3")
    as_they_stood = Directives(source.directives(through_round=0))
    assert [d.id for d in as_they_stood.all] == ["d1"]
    with forked(source, 0) as store:
        assert [(d.id, d.status) for d in store.directives()] == [("d1", "active")]
        new = store.append_directive(Ban("none"), "cy", "")
        assert new is not None
        assert new.id == "d2"  # those that came later in the other run were never asked here
    with forked(source, 1) as store:
        assert store.directives() == source.directives()


@pytest.mark.parametrize("round_", [LAST, 7])
def test_a_round_that_is_not_done_makes_no_run(source: RunStore, round_: int) -> None:
    before = sorted(source.config.output.iterdir())
    with pytest.raises(RunError, match=f"s-first has done, found {round_}"):
        forked(source, round_)
    assert sorted(source.config.output.iterdir()) == before


def test_where_a_fork_comes_from_is_kept(source: RunStore, tmp_path: Path) -> None:
    with RunStore.create(SearchConfig(output=tmp_path / "other"), "s") as store:
        assert store.origin() is None
        store.set_origin(ORIGIN)
        assert store.origin() == ORIGIN
    (listed,) = list_runs(tmp_path / "other")
    assert listed.origin == ORIGIN


def test_a_run_of_an_earlier_release_may_lack_tables_and_columns(source: RunStore) -> None:
    with sqlite3.connect(source.folder / DATABASE) as connection:
        for trigger in connection.execute("SELECT name FROM sqlite_master WHERE type = 'trigger'"):
            connection.execute(f"DROP TRIGGER {trigger[0]}")
        connection.execute("DROP TABLE footprints")
        for table in ("costs", "measured"):
            connection.execute(f"ALTER TABLE {table} DROP COLUMN extrapolated")
    with forked(source, 0) as fork:
        (evaluation,) = fork.evaluations()
        assert (evaluation.score, evaluation.cost) == (0.0, Cost(1.0))
