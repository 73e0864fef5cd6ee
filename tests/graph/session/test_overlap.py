"""Overlapping rounds: the next round is designed before this one is evaluated, and nothing is lost."""

import json
import random
from collections import Counter
from collections.abc import Callable, Iterator
from functools import partial
from pathlib import Path
from threading import Lock
from typing import Any

import pytest
from fakes import agents, drawn, plan, proposed

from pelnas import Search, SearchConfig
from pelnas.agents.testing.scripted import ScriptedModel
from pelnas.config import Budget, Scoring
from pelnas.directives import Boundary
from pelnas.errors import ConfigError, ProxyError
from pelnas.graph.runs.fork import fork
from pelnas.graph.runs.replay import replay
from pelnas.graph.runs.search import Result
from pelnas.graph.session.position import ALL_ROUNDS, NOTHING_LEFT, STEPS, Position, position
from pelnas.graph.session.problem import SearchProblem
from pelnas.graph.session.steering_client import SteeringClient
from pelnas.pool import Work
from pelnas.recording import open_recording
from pelnas.spaces import get_space
from pelnas.store import Event, RunStore

pytestmark = pytest.mark.usefixtures("no_pictures")
Settings = Callable[..., SearchConfig]
ROUNDS = 4


@pytest.fixture(scope="module")
def config(toy: Settings) -> Settings:
    return partial(toy, rounds=ROUNDS, per_niche=4, overlap=True)


@pytest.fixture(scope="module")
def whole(config: Settings, tmp_path_factory: pytest.TempPathFactory) -> Result:
    """A search that nothing disturbed; to read only."""
    return Search(config(tmp_path_factory.mktemp("whole"))).run()


#: Whatever the schema asks for; the cells follow from the request alone.
answer = agents(
    plan([0, 2], 5, "be fast"), lambda messages: proposed(drawn(messages[1].content, count=6))
)


def in_order(rounds: int) -> list[tuple[int, str]]:
    """Every step of so many rounds that overlap."""
    found = []
    for scored in range(-1, rounds):
        ahead = scored + 1
        found += [(ahead, step) for step in STEPS[:2] if ahead < rounds]
        found += [(scored, step) for step in STEPS[2:] if scored >= 0]
    return found


def steps(folder: Path) -> list[tuple[int, str]]:
    """The steps of a run as they began, each once."""
    with RunStore.read(folder) as store:
        events = [event for event in store.events() if event.kind == "step-begun"]
    found = [(event.round, event.span.split(".")[1]) for event in events if event.round is not None]
    return list(dict.fromkeys(found))


def check_same(folder: Path, whole: Path) -> None:
    """The same answer, by the same evaluations, each made once."""
    assert (folder / "front.json").read_bytes() == (whole / "front.json").read_bytes()
    with RunStore.read(folder) as store, RunStore.read(whole) as expected:
        assert store.evaluations() == expected.evaluations()
        assert store.ignored() == 0
        rules, expected_rules = ([r.to_dict() for r in s.rules()] for s in (store, expected))
        assert json.dumps(rules) == json.dumps(expected_rules)
        evaluated = Counter(e.data["candidate"] for e in store.events() if e.kind == "evaluated")
        assert evaluated == Counter(c.id for c in expected.candidates())


def check_replay(folder: Path) -> None:
    with open_recording(folder) as recording:
        found = replay(recording, folder.parent / "again")
        with RunStore.read(found.result.folder) as again:
            assert again.evaluations() == recording.store.evaluations()
            effects = [
                [(d.id, d.status, d.effect) for d in s.directives()]
                for s in (again, recording.store)
            ]
            assert effects[0] == effects[1]
    assert found.same_front
    assert found.same_rules


def order(folder: Path, words: str) -> None:
    """Ask it of a run as another process would."""
    with SteeringClient.open(folder) as client:
        client.give(words, "me")


def on(kind: str, round_: int, do: Callable[[], Any]) -> Callable[[Event], None]:
    """What is done once, when the first event of this kind and round has happened."""
    left = iter([do])

    def hear(event: Event) -> None:
        if event.kind == kind and event.round == round_:
            for each in left:
                each()

    return hear


# -- the order -------------------------------------------------------------------------


def test_each_round_is_designed_before_the_one_before_it_is_evaluated(whole: Result) -> None:
    assert steps(whole.folder) == in_order(ROUNDS)
    assert whole.reason == ALL_ROUNDS


def test_without_the_option_rounds_follow_one_another(config: Settings, tmp_path: Path) -> None:
    result = Search(config(tmp_path, rounds=2, overlap=False)).run()
    assert steps(result.folder) == [(round_, step) for round_ in range(2) for step in STEPS]


def test_the_same_seed_gives_the_same_front(
    config: Settings, tmp_path: Path, whole: Result
) -> None:
    check_same(Search(config(tmp_path)).run().folder, whole.folder)


@pytest.mark.parametrize("rounds", [1, 2])
def test_few_rounds(config: Settings, tmp_path: Path, rounds: int) -> None:
    result = Search(config(tmp_path, rounds=rounds)).run()
    assert steps(result.folder) == in_order(rounds)
    assert result.reason == ALL_ROUNDS


def test_after_every_event_the_position_is_the_one_that_the_order_allows(
    config: Settings, tmp_path: Path
) -> None:
    """Seen by another process at any moment, a run never goes back, and skips nothing."""
    search = Search(config(tmp_path))
    opens = search.session._opens
    seen: list[Position] = []

    def look(_: Event) -> None:
        with RunStore.read(search.folder) as store:
            seen.append(position(store, opens))

    search.run(look)
    places = list(dict.fromkeys((at.round, at.step) for at in seen))
    assert places == [*in_order(ROUNDS), (ROUNDS, "plan")]
    assert all(at.ahead == (at.step in STEPS[:2] and 0 < at.round < ROUNDS) for at in seen)


def test_no_agent_of_a_round_sees_an_evaluation_of_the_one_before_it(
    config: Settings, tmp_path: Path
) -> None:
    search = Search(config(tmp_path))
    seen: list[tuple[int, str, int]] = []

    def look(event: Event) -> None:
        step = event.span.rpartition(".")[2]
        if event.kind in ("round-planned", "designed"):
            evaluated = search.session.store.evaluations()
            newest = max((e.candidate.round for e in evaluated), default=-1)
            seen.append((event.round or 0, step, newest))

    result = search.run(look)
    assert {round_ for round_, *_ in seen} == set(range(ROUNDS))
    assert all(newest == max(round_ - 2, -1) for round_, _, newest in seen)
    with RunStore.read(result.folder) as store:
        born = {c.id: c.round for c in store.candidates()}
        ages = {c.round - born[p] for c in store.candidates() for p in c.design.parents}
    assert min(ages) == 2


# -- what ends it ----------------------------------------------------------------------


def test_a_budget_of_evaluations_is_kept(config: Settings, tmp_path: Path) -> None:
    result = Search(config(tmp_path, rounds=9, budget=Budget(evaluations=30))).run()
    with RunStore.read(result.folder) as store:
        assert len(store.candidates()) == len(store.evaluations()) == 30
    assert "30 of 30 evaluations" in result.reason


def test_calls_that_run_out_leave_nothing_designed_unscored(
    config: Settings, tmp_path: Path
) -> None:
    model = ScriptedModel(answer)
    settings = config(tmp_path, model=model.name, rounds=9, budget=Budget(calls=5))
    result = Search(settings, {model.name: model}).run()
    with RunStore.read(result.folder) as store:
        assert store.candidates()
        assert len(store.candidates()) == len(store.evaluations())
        assert store.last_round_done() == max(c.round for c in store.candidates())
    assert "5 of 5 calls" in result.reason


def test_a_space_that_is_used_up_ends_the_search(config: Settings, tmp_path: Path) -> None:
    result = Search(config(tmp_path, rounds=9, per_niche=40)).run()
    with RunStore.read(result.folder) as store:
        assert len(store.candidates()) == len(store.evaluations())
    assert result.reason == NOTHING_LEFT


def test_a_stop_ends_the_search_when_what_is_designed_is_scored(
    config: Settings, tmp_path: Path
) -> None:
    search = Search(config(tmp_path))
    ask = partial(order, search.folder)
    result = search.run(on("predicted", 0, lambda: ask("/stop")))
    assert steps(result.folder) == in_order(2)
    assert result.reason.startswith("stopped after round 2")
    check_replay(result.folder)


def test_fewer_rounds_end_the_search_when_what_is_designed_is_scored(
    config: Settings, tmp_path: Path
) -> None:
    search = Search(config(tmp_path))
    ask = partial(order, search.folder)
    result = search.run(on("predicted", 1, lambda: ask("/rounds 1")))
    assert steps(result.folder) == in_order(3)
    assert result.reason == ALL_ROUNDS
    check_replay(result.folder)


# -- resumed, extended, forked, replayed -------------------------------------------------


@pytest.mark.parametrize("number", range(8))
def test_a_run_goes_on_wherever_it_was_stopped(
    config: Settings, tmp_path: Path, whole: Result, number: int
) -> None:
    check_same(stopped_at_random(Search(config(tmp_path)), number), whole.folder)


def stopped_at_random(search: Search, seed: int) -> Path:
    """The folder of a search that was stopped again and again, each time at a random event."""
    rng = random.Random(seed)
    while True:
        left = iter(range(rng.randrange(80), -1, -1))

        def stop(_: Event, search: Search = search, left: Iterator[int] = left) -> None:
            if next(left, -1) == 0:
                search.stop()

        result = search.run(stop)
        if not result.stopped:
            return result.folder
        search = Search.resume(result.folder)


def test_drafts_that_are_scored_while_a_round_is_designed(config: Settings, tmp_path: Path) -> None:
    """They are evaluations of a round that waits, or of one that comes after it."""
    settings = partial(config, tool_calls=3, per_niche=8, surrogate="always")
    whole = Search(settings(tmp_path / "whole")).run()
    with RunStore.read(whole.folder) as store:
        drafts = [e for e in store.events() if e.kind == "evaluated" and ".design." in e.span]
    assert drafts
    assert steps(whole.folder) == in_order(ROUNDS)
    for seed in range(3):
        again = stopped_at_random(Search(settings(tmp_path / str(seed))), seed)
        check_same(again, whole.folder)
    check_replay(whole.folder)


def test_more_rounds(config: Settings, tmp_path: Path) -> None:
    """The first of them sees all before it, since nobody knew that it would come."""
    short = Search(config(tmp_path, rounds=2)).run()
    result = Search.resume(short.folder, rounds=ROUNDS).run()
    later = [(round_ + 2, step) for round_, step in in_order(ROUNDS - 2)]
    assert steps(result.folder) == [*in_order(2), *later]
    check_replay(result.folder)


def test_more_rounds_while_the_last_one_is_scored(config: Settings, tmp_path: Path) -> None:
    search = Search(config(tmp_path, rounds=2))
    ask = partial(order, search.folder)
    result = search.run(on("predicted", 1, lambda: ask("/rounds 3")))
    assert steps(result.folder) == [*in_order(2), *((2, step) for step in STEPS)]
    check_replay(result.folder)


def test_time_that_is_up_while_a_designed_round_waits_cuts_both(
    config: Settings, tmp_path: Path, whole: Result
) -> None:
    search = Search(config(tmp_path, budget=Budget(minutes=60)))
    spent = partial(search.session.meter.change, Budget(minutes=1e-6))
    short = search.run(on("predicted", 1, spent))
    assert "minutes" in short.reason
    with RunStore.read(short.folder) as store:
        assert [e.round for e in store.events() if e.kind == "round-cut"] == [1, 2]
    result = Search.resume(short.folder, budget=Budget(minutes=100)).run()
    assert result.reason == ALL_ROUNDS
    check_same(result.folder, whole.folder)
    check_replay(result.folder)


def test_time_that_is_up_before_a_round_is_evaluated(config: Settings, tmp_path: Path) -> None:
    """No other round is designed then; once there is more time, rounds overlap from the next one on."""
    short = Search(config(tmp_path, budget=Budget(minutes=1e-6))).run()
    result = Search.resume(short.folder, budget=Budget(minutes=100)).run()
    later = [(round_ + 1, step) for round_, step in in_order(ROUNDS - 1)]
    assert steps(result.folder) == [*((0, step) for step in STEPS), *later]
    check_replay(result.folder)


def test_a_replay(whole: Result) -> None:
    check_replay(whole.folder)


def test_a_replay_of_models_and_directives(config: Settings, tmp_path: Path) -> None:
    model = ScriptedModel(answer)
    search = Search(config(tmp_path, model=model.name), {model.name: model})
    ask = partial(order, search.folder)
    hear = (
        on("round-planned", 1, lambda: ask("/ban none")),
        on("designed", 2, lambda: ask("/focus niche 1")),
        on("predicted", 2, lambda: ask("/rounds 4")),
    )
    result = search.run(lambda event: [each(event) for each in hear] and None)
    with RunStore.read(result.folder) as store:
        effects = {d.effect for d in store.directives()}
    assert effects == {Boundary(1, "design"), Boundary(1, "evaluate"), Boundary(2, "evaluate")}
    check_replay(result.folder)


def test_a_fork(config: Settings, tmp_path: Path) -> None:
    """It takes whole rounds over, also while the next one is designed already."""
    source = Search(config(tmp_path)).run()
    forked = fork(source.folder, 1).run()
    later = [(round_ + 2, step) for round_, step in in_order(ROUNDS - 2)]
    with RunStore.read(forked.folder) as store, RunStore.read(source.folder) as other:
        assert store.last_round_done() == ROUNDS - 1
        taken = [e for e in other.evaluations() if e.candidate.round <= 1]
        assert [e for e in store.evaluations() if e.candidate.round <= 1] == taken
    assert steps(forked.folder) == [*in_order(ROUNDS)[:0], *_taken(2), *later]
    check_replay(forked.folder)


def _taken(rounds: int) -> list[tuple[int, str]]:
    """The steps of the first rounds, in the order in which they began beside others."""
    return [(round_, step) for round_, step in in_order(ROUNDS) if round_ < rounds]


def test_a_fork_lets_the_rounds_of_another_run_overlap(config: Settings, tmp_path: Path) -> None:
    source = Search(config(tmp_path, overlap=False)).run()
    forked = fork(source.folder, 0, {"overlap": "true"}).run()
    later = [(round_ + 1, step) for round_, step in in_order(ROUNDS - 1)]
    assert steps(forked.folder)[len(STEPS) :] == later


# -- scored ahead ------------------------------------------------------------------------


def scored_by_workers(config: Settings, folder: Path) -> Search:
    """A search whose networks are scored by two worker processes, which make values up."""
    scoring = Scoring(workers=2, resolution=8, batch=2, reference=16)
    return made_up(Search(config(folder, accuracy="rank-sum", rounds=3, scoring=scoring)), folder)


def made_up(search: Search, folder: Path) -> Search:
    settings = {"folder": str(folder), "proxies": get_space("tiny").proxies}
    return working(search, Work("pool_work:scoring_two_rounds", settings))


def working(search: Search, work: Work) -> Search:
    """The same with other work for its workers."""
    scores = search.session.problem.evaluator.predictor._scores  # type: ignore[attr-defined]
    scores._scorer._workers._work = work
    return search


def note(folder: Path, search: Search) -> Callable[[Event], None]:
    """Names the networks for the workers: the first of round 0, and all of round 1."""
    turn = Lock()  # each niche tells from a thread of its own, the last one of all networks

    def hear(event: Event) -> None:
        if event.kind != "designed" or event.round not in (0, 1):
            return
        with turn:
            texts = [c.architecture for c in search.session.store.candidates(event.round)]
            wanted = texts[:1] if event.round == 0 else texts
            (folder / ("later" if event.round else "slow")).write_text("\n".join(wanted))

    return hear


@pytest.fixture(params=["processes", pytest.param("ray", marks=pytest.mark.slow)])
def _pool(request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch) -> None:
    """Where networks are scored."""
    if request.param == "ray":
        cluster = request.getfixturevalue("ray_pool")
        monkeypatch.setattr("pelnas.proxies.scoring.get_pool", lambda _: cluster)


@pytest.mark.usefixtures("_pool")
def test_workers_compute_networks_of_two_rounds_at_once(config: Settings, tmp_path: Path) -> None:
    """A network of round 0 is not done before one of round 1 is: without overlap it would wait in vain."""
    search = scored_by_workers(config, tmp_path)
    result = search.run(note(tmp_path, search))
    assert (tmp_path / "seen").exists()
    assert steps(result.folder) == in_order(3)
    with RunStore.read(result.folder) as store:
        assert store.ignored() == 0
        assert len(store.evaluations()) == len(store.candidates())
    scored = (tmp_path / "scored").read_text().split()
    assert len(scored) == len(set(scored))


def test_what_was_scored_ahead_and_lost_is_scored_again(config: Settings, tmp_path: Path) -> None:
    whole = scored_by_workers(config, tmp_path / "whole").run()
    search = scored_by_workers(config, tmp_path / "stopped")
    stopped = search.run(on("designed", 1, search.stop))
    assert stopped.stopped
    again = made_up(Search.resume(stopped.folder), tmp_path / "stopped")
    check_same(again.run().folder, whole.folder)


def test_what_goes_wrong_ahead_is_told_where_the_round_is_evaluated(
    config: Settings, tmp_path: Path
) -> None:
    search = working(scored_by_workers(config, tmp_path), Work("pool_work:failing", {}))
    with pytest.raises(ProxyError, match="KeyError: 'missing'"):
        search.run()
    assert steps(search.folder) == in_order(3)[:5]
    with RunStore.read(search.folder) as store:
        assert store.evaluations() == []
        assert position(store, lambda _: True) == Position(0, "evaluate")


# -- where it is refused -----------------------------------------------------------------


def test_a_device_that_is_measured_here_is_refused(config: Settings, tmp_path: Path) -> None:
    settings = config(tmp_path, device="host", dataset="toy10")
    with pytest.raises(ConfigError, match=r"overlap.*host measures"):
        SearchProblem.build(settings)
