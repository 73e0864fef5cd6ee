"""Runs that had ended go on with larger limits, as if those had held from the beginning."""

import json
from collections import Counter
from collections.abc import Callable
from functools import partial
from pathlib import Path

import pytest
from fakes import agents, drawn, plan, proposed

from pelnas import Search, SearchConfig
from pelnas.agents.testing.scripted import ScriptedModel
from pelnas.config import Budget
from pelnas.directives import Boundary
from pelnas.errors import ModelError, RunError, StoreError
from pelnas.graph.runs.replay import replay
from pelnas.graph.runs.search import Result
from pelnas.graph.session.steering_client import SteeringClient
from pelnas.recording import open_recording
from pelnas.spaces import get_space
from pelnas.store import Event, RunStore

Settings = Callable[..., SearchConfig]
SPACE = get_space("tiny")


@pytest.fixture
def config(toy: Settings, tmp_path: Path) -> Settings:
    return partial(toy, tmp_path, rounds=4, per_niche=4)


@pytest.fixture(scope="module")
def whole(toy: Settings, tmp_path_factory: pytest.TempPathFactory) -> Result:
    """A search that nothing cut short."""
    return Search(toy(tmp_path_factory.mktemp("whole"), rounds=4, per_niche=4)).run()


#: Whatever the schema asks for; the cells follow from the request alone.
answer = agents(
    plan([0], 5, "be fast"), lambda messages: proposed(drawn(messages[1].content, count=6))
)


def check_same(result: Result, whole: Result) -> None:
    """The same evaluations, each once, and the same front and rules."""
    assert (result.folder / "front.json").read_bytes() == (whole.folder / "front.json").read_bytes()
    with RunStore.read(result.folder) as store, RunStore.read(whole.folder) as expected:
        assert store.evaluations() == expected.evaluations()
        assert store.ignored() == 0
        rules = [json.dumps([rule.to_dict() for rule in s.rules()]) for s in (store, expected)]
        assert rules[0] == rules[1]
        counts = Counter(e.data["candidate"] for e in store.events() if e.kind == "evaluated")
        assert counts == Counter(c.id for c in store.candidates())
    check_replay(result.folder)


def check_replay(folder: Path) -> None:
    with open_recording(folder) as recording:
        found = replay(recording, folder.parent / "again")
        with RunStore.read(found.result.folder) as again:
            assert again.evaluations() == recording.store.evaluations()
    assert found.same_front
    assert found.same_rules


def asked(folder: Path) -> list[tuple[str, str, str, Boundary | None]]:
    with RunStore.read(folder) as store:
        return [(d.order.command, d.author, d.status, d.effect) for d in store.directives()]


# -- what ended it, and what lets it go on ------------------------------------------------


def test_more_rounds(config: Settings, whole: Result) -> None:
    short = Search(config(rounds=2)).run()
    assert short.reason == "all rounds done"
    result = Search.resume(short.folder, rounds=4).run()
    check_same(result, whole)
    assert asked(result.folder) == [("/rounds 4", "resume", "active", Boundary(2, "plan"))]
    with RunStore.read(result.folder) as store:
        kinds = Counter(event.kind for event in store.events())
        assert (kinds["run-reopened"], kinds["run-finished"], kinds["round-done"]) == (1, 2, 4)
        assert (store.status, store.reason) == ("finished", "all rounds done")


def test_more_evaluations(config: Settings, whole: Result) -> None:
    limits = Budget(evaluations=24)
    short = Search(config(budget=limits)).run()
    assert "24 of 24 evaluations" in short.reason
    check_same(Search.resume(short.folder, budget=Budget(evaluations=1000)).run(), whole)


def test_more_minutes_where_they_ended_an_evaluation(config: Settings, whole: Result) -> None:
    short = Search(config(budget=Budget(minutes=1e-6))).run()
    with RunStore.read(short.folder) as store:
        assert len(store.evaluations()) < len(store.candidates()) == 12
    result = Search.resume(short.folder, budget=Budget(minutes=10)).run()
    check_same(result, whole)
    assert asked(result.folder)[0][3] == Boundary(0, "evaluate")


@pytest.mark.parametrize("calls", [1, 7, 14, 22])
def test_more_calls_wherever_they_ended(config: Settings, calls: int) -> None:
    """7 calls are one round of three niches: in between, they end before a plan or in the middle."""
    model = ScriptedModel(answer)
    settings = config(model=model.name, budget=Budget(calls=calls))
    short = Search(settings, {model.name: model}).run()
    assert len(model.requests) == calls
    larger = Budget(calls=calls + 9)
    result = Search.resume(short.folder, {model.name: model}, budget=larger).run()
    assert len(model.requests) <= calls + 9
    with RunStore.read(result.folder) as store:
        assert store.spent().calls == len(model.requests) > calls
        assert len(store.evaluations()) == len(store.candidates())
        assert store.ignored() == 0
    check_replay(result.folder)


def test_a_run_that_a_person_stopped_goes_on(config: Settings, whole: Result) -> None:
    search = Search(config())

    def stop(event: Event) -> None:
        if event.kind == "round-planned" and event.round == 1:
            with SteeringClient.open(search.folder) as client:
                client.give("/stop", "ann")

    short = search.run(stop)
    assert short.reason == "stopped after round 2 by d1 (ann)"
    check_same(Search.resume(short.folder).run(), whole)
    assert [(c, a, s) for c, a, s, _ in asked(short.folder)] == [
        ("/stop", "ann", "undone"),
        ("/undo d1", "resume", "active"),
    ]


def test_limits_of_a_run_that_was_only_stopped(config: Settings) -> None:
    search = Search(config())
    search.stop()
    stopped = search.run()
    result = Search.resume(stopped.folder, rounds=1).run()
    assert (result.reason, len(result.front) > 0) == ("all rounds done", True)
    assert [c for c, *_ in asked(result.folder)] == ["/rounds 1"]


# -- what does not --------------------------------------------------------------------------


def test_without_larger_limits_a_sentence_says_which(config: Settings) -> None:
    limits = Budget(evaluations=12)
    folder = Search(config(rounds=1, budget=limits)).run().folder
    both = r"1 of 1 rounds are done and 12 of 12 evaluations are used: .* --rounds 2 --max-evaluations 24"
    with pytest.raises(RunError, match=both):
        Search.resume(folder)
    with pytest.raises(RunError, match=r"12 of 12 evaluations are used: .*--max-evaluations 24$"):
        Search.resume(folder, rounds=3)
    assert asked(folder) == []
    with RunStore.read(folder) as store:
        assert store.status == "finished"


def test_a_run_with_nothing_left_stays_finished(config: Settings) -> None:
    folder = Search(config(rounds=9, per_niche=40)).run().folder
    with pytest.raises(RunError, match="nothing is left to design in its space"):
        Search.resume(folder, rounds=20)


def test_dollars_need_prices_before_anything_is_changed(config: Settings) -> None:
    model = ScriptedModel(answer)
    model.priced = False
    settings = config(model=model.name, rounds=1)
    folder = Search(settings, {model.name: model}).run().folder
    with pytest.raises(ModelError, match="no price is known for"):
        Search.resume(folder, {model.name: model}, rounds=2, budget=Budget(dollars=1))
    assert asked(folder) == []
    with RunStore.read(folder) as store:
        assert store.status == "finished"


# -- killed around it ------------------------------------------------------------------------


class KilledError(BaseException):
    """Nothing after it runs, as after a kill."""


def test_killed_before_the_first_step_that_follows(config: Settings, whole: Result) -> None:
    short = Search(config(rounds=2)).run()
    Search.resume(short.folder, rounds=4).session.close()
    with RunStore.read(short.folder) as store:
        assert store.status == "running"
    check_same(Search.resume(short.folder).run(), whole)


@pytest.mark.parametrize("kind", ["round-done", "run-finished"])
def test_killed_as_it_ended(config: Settings, whole: Result, kind: str) -> None:
    search = Search(config(rounds=2))

    def die(event: Event) -> None:
        if event.kind == kind and event.round in (1, None):
            raise KilledError

    with pytest.raises(KilledError):
        search.run(die)
    check_same(Search.resume(search.folder, rounds=4).run(), whole)


def test_killed_before_it_reported(config: Settings, whole: Result) -> None:
    search = Search(config(rounds=2))
    obstacle = search.folder / "front.json"
    obstacle.mkdir()
    with pytest.raises(StoreError):
        search.run()
    obstacle.rmdir()
    with RunStore.read(search.folder) as store:
        assert store.status == "running"
    Search.resume(search.folder, rounds=4).session.close()
    check_same(Search.resume(search.folder).run(), whole)


def test_extended_twice(config: Settings, whole: Result) -> None:
    folder = Search(config(rounds=1)).run().folder
    for rounds in (2, 4):
        result = Search.resume(folder, rounds=rounds).run()
    check_same(result, whole)
