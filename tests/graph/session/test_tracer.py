"""Work that is done again after a kill is told as such, and what happened in it is told once."""

from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from pelnas.config import SearchConfig
from pelnas.errors import StoreError
from pelnas.graph.session.tracer import SearchStopped, Tracer, rule_changes
from pelnas.predicate import parse_predicate
from pelnas.rules.rule import Scope, propose
from pelnas.store import RunStore


@pytest.fixture
def store(tmp_path: Path) -> Iterator[RunStore]:
    with RunStore.create(SearchConfig(output=tmp_path), "s") as run:
        yield run


def reopened(store: RunStore) -> RunStore:
    """The run in another process, as far as it can tell."""
    store.close()
    return RunStore.open(store.folder)


def kinds(store: RunStore) -> list[str]:
    return [event.kind + ("*" if event.data.get("again") else "") for event in store.events()]


def test_a_step_has_its_place_and_so_has_what_happens_in_it(store: RunStore) -> None:
    tracer = Tracer(store)
    tracer.run_begins()
    with tracer.step("design", 3, "designer", 2):
        tracer.event("designed", accepted=1)
        with tracer.tool("score", "score_architecture", 7):
            tracer.event("predicted", candidate="r3n2c0", niche=1)
    places = [(e.kind, e.span, e.parent, e.round, e.agent, e.niche) for e in store.events()]
    design = ("r3.design.n2", "r3", 3, "designer", 2)
    score = ("r3.design.n2.score", "r3.design.n2", 3, "")
    assert places == [
        ("run-started", "run", "", None, "", None),
        ("round-begun", "r3", "run", 3, "", None),
        ("step-begun", *design),
        ("designed", *design),
        ("tool-begun", *score, None),
        ("predicted", *score, 1),
        ("tool-ended", *score, None),
        ("step-ended", *design),
    ]


def test_what_is_done_again_is_marked_and_tells_nothing_twice(store: RunStore) -> None:
    tracer = Tracer(store)
    tracer.run_begins()

    def die() -> None:
        with tracer.step("plan", 0, "planner", None):
            tracer.event("round-planned", plan=[1, 2])
            store.close()  # nothing more can be told, as after a kill

    with pytest.raises(StoreError, match="closed"):
        die()
    with reopened(store) as again:
        second = Tracer(again)
        second.run_begins()
        with second.step("plan", 0, "planner", None):
            second.event("round-planned", plan=[1, 2])
            second.event("round-planned", plan=[3])
        second.round_ends("round-done", 0, front=1)
    with reopened(again) as last:
        third = Tracer(last)
        third.run_begins()
        third.round_ends("round-done", 0, front=1)
        expected = ["run-started", "round-begun", "step-begun", "round-planned"]
        expected += ["run-resumed", "round-begun*", "step-begun*", "round-planned", "step-ended"]
        expected += ["round-done", "run-resumed*", "round-done*"]
        assert kinds(last) == expected
        plans = [e.data["plan"] for e in last.events() if e.kind == "round-planned"]
        assert plans == [[1, 2], [3]]


@pytest.mark.parametrize(
    ("error", "outcome", "problem"),
    [
        (SearchStopped("stop"), "stopped", None),
        (KeyboardInterrupt(), "stopped", None),
        (StoreError("free disk space"), "error", "free disk space"),
        (ValueError("Authorization: Bearer 123"), "error", "ValueError"),
    ],
)
def test_a_step_tells_how_it_ended(
    store: RunStore, error: BaseException, outcome: str, problem: str | None
) -> None:
    tracer = Tracer(store)

    def fail() -> None:
        with tracer.step("learn", 0, "", None):
            raise error

    with pytest.raises(type(error)):
        fail()
    assert store.events()[-1].data["outcome"] == outcome
    assert "Bearer" not in (store.folder / "events.jsonl").read_text()
    problems = [event.data["problem"] for event in store.events() if event.kind == "error"]
    assert problems == ([problem] if problem else [])


def test_a_round_is_open_until_it_is_done_in_whatever_process(store: RunStore) -> None:
    tracer = Tracer(store)
    assert not tracer.is_open(0)
    with tracer.step("plan", 0, "planner", None):
        assert tracer.is_open(0)
    with reopened(store) as again:
        second = Tracer(again)
        assert second.is_open(0)
        second.round_ends("round-done", 0)
    with reopened(again) as last:
        assert not Tracer(last).is_open(0)


def verdict(status: str) -> Callable[..., list[tuple[str, str, str]]]:
    from dataclasses import replace

    scope = Scope("tiny", "toy", "toy10", None)
    rule = propose("t", "helps", "accuracy", parse_predicate("none >= 1"), scope)

    def changes(before: str | None) -> list[tuple[str, str, str]]:
        old = [] if before is None else [replace(rule, status=before)]
        found = rule_changes(old, [replace(rule, status=status)])
        return [(kind, data["old"], data["new"]) for kind, data in found]

    return changes


def test_rules_are_born_change_and_retire() -> None:
    assert verdict("in-force")(None) == [("rule-born", "", "in-force")]
    assert verdict("retired")(None) == [("rule-born", "", "retired")]
    assert verdict("weakened")("in-force") == [("rule-changed", "in-force", "weakened")]
    assert verdict("retired")("in-force") == [("rule-retired", "in-force", "retired")]
    assert verdict("in-force")("retired") == [("rule-changed", "retired", "in-force")]
    assert verdict("in-force")("in-force") == []
