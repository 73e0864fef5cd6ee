"""Forks: the same rounds onward where nothing differs, and only what differs done anew."""

import hashlib
import json
import shutil
import signal
import sys
from collections import Counter
from collections.abc import Callable, Iterator, Sequence
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import warm
from fakes import agents, drawn, plan, proposed

from pelnas import Search, SearchConfig
from pelnas.agents.testing.scripted import ScriptedModel
from pelnas.architecture import Architecture, Cost, Prediction
from pelnas.config import Budget
from pelnas.devices import DEVICES, Device
from pelnas.errors import ConfigError, InputError, RunError
from pelnas.graph.runs.fork import fork
from pelnas.graph.runs.replay import replay
from pelnas.graph.session import problem
from pelnas.graph.session.steering_client import SteeringClient
from pelnas.predictors import PREDICTORS, AccuracyPredictor
from pelnas.recording import export, open_recording
from pelnas.rules.rule import Rule
from pelnas.spaces import get_space
from pelnas.store import Event, RunStore, list_runs
from pelnas.store.trainings import TrainingRecord

CHILD = Path(__file__).with_name("killed_fork.py")
Settings = Callable[..., SearchConfig]
SPACE = get_space("tiny")
ROUNDS = 5


@pytest.fixture
def config(toy: Settings, tmp_path: Path) -> Settings:
    return partial(toy, tmp_path, rounds=ROUNDS, per_niche=4)


@pytest.fixture(scope="module")
def whole(tmp_path_factory: pytest.TempPathFactory, toy: Settings) -> Path:
    """The folder of a finished run of five rounds; to read only."""
    folder = tmp_path_factory.mktemp("whole")
    return Search(toy(folder, rounds=ROUNDS, per_niche=4)).run().folder


#: Whatever the schema asks for; the cells follow from the request alone.
answer = agents(plan(range(3), 4), lambda messages: proposed(drawn(messages[1].content, count=6)))


@pytest.fixture
def counted(monkeypatch: pytest.MonkeyPatch) -> Iterator[Counter[str]]:
    """How often each architecture was costed or scored by a real device and a real predictor.

    Device ``slower`` takes twice as long as its formula for ``toy``; predictor ``plain``
    counts operations.
    """
    counts: Counter[str] = Counter()

    class Slower(Device):
        name, source = "slower", "computed by a formula"

        def costs(self, architectures: Sequence[Architecture]) -> Iterator[Cost]:
            for architecture in architectures:
                counts[f"cost {SPACE.format(architecture)}"] += 1
                yield Cost(100.0 + slow(SPACE.format(architecture)))

    class Plain(AccuracyPredictor):
        name, unit, source = "plain", "points", "counted operations"

        def predict(self, architectures: Sequence[Architecture]) -> Iterator[Prediction]:
            for architecture in architectures:
                counts[f"score {SPACE.format(architecture)}"] += 1
                yield Prediction(plain(SPACE.format(architecture)))

    # that the device runs something in every niche is asked each time that a search begins
    monkeypatch.setattr(problem, "_check_runs", lambda *_: None)
    monkeypatch.setitem(DEVICES, "slower", lambda *_: Slower())
    monkeypatch.setitem(PREDICTORS, "plain", lambda *_: Plain())
    return counts


def slow(text: str) -> float:
    return float(sum(map(ord, text)) % 97) + SPACE.index(SPACE.parse(text)) / 1000


def plain(text: str) -> float:
    return 3.0 * text.count("3x3") + text.count("1x1") + SPACE.index(SPACE.parse(text)) / 1000


def digest(folder: Path) -> dict[str, str]:
    """Every file; but for the index of a log, which whoever reads may write."""
    files = (f for f in folder.rglob("*") if f.is_file() and f.suffix != ".sqlite-shm")
    return {str(file): hashlib.sha256(file.read_bytes()).hexdigest() for file in files}


def rules(store: RunStore) -> str:
    return json.dumps([rule.to_dict() for rule in store.rules()])


# -- nothing differs ------------------------------------------------------------------


@pytest.mark.parametrize("round_", range(ROUNDS - 1))
def test_a_fork_under_the_same_settings_does_what_its_run_did(whole: Path, round_: int) -> None:
    before = digest(whole)
    result = fork(whole, round_).run()
    assert digest(whole) == before
    assert (result.folder / "front.json").read_bytes() == (whole / "front.json").read_bytes()
    with RunStore.read(whole) as expected, RunStore.read(result.folder) as store:
        assert store.evaluations() == expected.evaluations()
        assert store.refusals() == expected.refusals()
        assert rules(store) == rules(expected)
        own = [e for e in expected.evaluations() if e.candidate.round > round_]
        assert store.spent().evaluations == len(own)
        assert store.spent_before().evaluations == len(expected.evaluations()) - len(own)
        counts = Counter(e.data["candidate"] for e in store.events() if e.kind == "evaluated")
        assert counts == Counter(c.id for c in store.candidates())
        assert store.ignored() == 0
        assert store.complete_rounds() == list(range(ROUNDS))


def test_where_it_comes_from_is_told(whole: Path) -> None:
    result = fork(whole, 2, {"per_niche": 3, "name": "other"}).run()
    with RunStore.read(result.folder) as store:
        origin = store.origin()
        assert origin is not None
        assert (origin.run, origin.round, origin.settings) == (whole.name, 2, {"per_niche": (4, 3)})
        assert (origin.scores, origin.costs) == (True, True)
        (event,) = [event for event in store.events() if event.kind == "run-forked"]
        assert event.data["message"] == f"{whole.name} after round 2, with per_niche 3"
        assert store.name.endswith("-other")
        assert len([c for c in store.candidates() if c.round == 3]) == 9


def test_evaluations_are_not_done_again(config: Settings, counted: Counter[str]) -> None:
    settings = config(device="slower", accuracy="plain", rounds=3)
    folder = Search(settings).run().folder
    counted.clear()
    result = fork(folder, 1, {"seed": 0, "parents": 4}).run()
    with RunStore.read(result.folder) as store:
        new = [c.architecture for c in store.candidates(2)]
        assert sorted(counted) == sorted(f"{half} {t}" for half in ("cost", "score") for t in new)
        assert set(counted.values()) == {1}


def other_tables(tmp_path: Path, tables: Path) -> Path:
    """The tables with a second device, ``late``, on which what is fast on ``toy`` is slow."""
    import pyarrow as pa
    from pyarrow import parquet

    folder = shutil.copytree(tables, tmp_path / "tables")
    costs = parquet.read_table(folder / "costs.parquet").to_pydict()
    costs["toy10__late_latency"] = [30 - value for value in costs["toy10__toy_latency"]]
    parquet.write_table(pa.table(costs), folder / "costs.parquet")
    return folder


# -- something differs ------------------------------------------------------------------


def test_on_another_device_every_latency_is_its_own(
    config: Settings, counted: Counter[str]
) -> None:
    settings = config(accuracy="plain", rounds=4)
    folder = Search(settings).run().folder
    counted.clear()
    result = fork(folder, 2, {"device": "slower"}).run()
    with RunStore.read(folder) as source, RunStore.read(result.folder) as store:
        taken = source.evaluations(through_round=2)
        assert store.candidates()[: len(taken)] == [e.candidate for e in taken]
        for evaluation in store.evaluations():
            assert evaluation.latency_ms == 100 + slow(evaluation.candidate.architecture)
        kept = {e.id: e.prediction for e in taken}
        again = {e.id: e.prediction for e in store.evaluations() if e.id in kept}
        assert again == kept
        new = [c.architecture for c in store.candidates(3)]
        costed = [*new, *(e.candidate.architecture for e in taken)]
        assert counted == Counter([f"score {t}" for t in new] + [f"cost {t}" for t in costed])
        assert store.spent().evaluations == len(new)
        assert store.sources().latency == "computed by a formula"
        origin = store.origin()
        assert origin is not None
        assert (origin.scores, origin.costs) == (True, False)
        assert origin.in_words().endswith("with device slower; latencies computed anew")


def test_with_another_predictor_latencies_are_kept(config: Settings, counted: Counter[str]) -> None:
    settings = config(device="slower", rounds=3)
    folder = Search(settings).run().folder
    counted.clear()
    result = fork(folder, 1, {"accuracy": "plain"}).run()
    with RunStore.read(folder) as source, RunStore.read(result.folder) as store:
        for evaluation in store.evaluations():
            assert evaluation.score == plain(evaluation.candidate.architecture)
        taken = [e.candidate.architecture for e in source.evaluations(through_round=1)]
        new = [c.architecture for c in store.candidates(2)]
        scored = [f"score {text}" for text in [*taken, *new]]
        assert counted == Counter(scored + [f"cost {text}" for text in new])


def test_with_another_fit_of_its_predictor_every_score_is_computed_anew(
    config: Settings, counted: Counter[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    folder = Search(config(accuracy="plain", rounds=3)).run().folder
    fitted = PREDICTORS["plain"]
    counted.clear()

    def again(*given: Any) -> AccuracyPredictor:
        predictor = fitted(*given)
        predictor.source += " (another fit)"
        return predictor

    monkeypatch.setitem(PREDICTORS, "plain", again)
    result = fork(folder, 1).run()
    with RunStore.read(result.folder) as store:
        texts = [candidate.architecture for candidate in store.candidates()]
        origin = store.origin()
    assert counted == Counter(f"score {text}" for text in texts)
    assert origin is not None
    assert (origin.scores, origin.costs) == (False, True)


def test_rules_are_measured_on_the_new_device_before_they_count(
    tmp_path: Path, tiny_tables: Path, config: Settings
) -> None:
    tables = other_tables(tmp_path, tiny_tables)
    folder = Search(config(data=tables, per_niche=8, rounds=6)).run().folder
    forked = fork(folder, 4, {"device": "late"})
    reported: list[tuple[str, list[Rule]]] = []

    def watch(event: Event) -> None:
        if event.kind == "step-begun" and event.span == "r5.plan":
            reported.append(("plan", forked.session.store.rules()))

    result = forked.run(watch)
    ((_, known),) = reported
    with RunStore.read(folder) as source, RunStore.read(result.folder) as store:
        before = [r for r in source.rules(through_round=4) if r.status == "in-force"]
        costly = [r for r in before if r.metric == "latency"]
        assert costly
        here = {r.id: r for r in known if r.scope.device == "late"}
        there = [r for r in known if r.scope.device == "toy"]
        assert {r.status for r in there} == {"retired"}
        claims = {(str(r.predicate), r.polarity, r.metric, r.scope.niche): r for r in here.values()}
        for rule in costly:  # what was slow is fast now: the same claim is refuted
            claim = claims[str(rule.predicate), rule.polarity, rule.metric, rule.scope.niche]
            assert claim.status != "in-force"
            assert claim.origin.startswith("in-force for toy, toy10")
        names = {e.id: e for e in store.evaluations()}
        assert all(id_ in names for rule in here.values() for id_ in rule.evidence)
        shown = {id_ for c in store.candidates(5) for id_ in c.design.rules}
        assert shown <= here.keys()
        assert {r.id for r in store.rules() if r.status == "in-force"} <= {
            r.id for r in store.rules() if r.scope.device == "late"
        }


def test_settings_that_were_steered_are_settings_of_the_fork(config: Settings) -> None:
    search = Search(config())
    asked = ("/rounds 3", "/ban avg_pool_3x3", "/budget evaluations 500", "/stop")

    def steer(event: Event) -> None:
        if event.kind == "round-planned" and event.round == 0:
            with SteeringClient.open(search.folder) as client:
                for order in asked:
                    client.give(order, "ann")

    folder = search.run(steer).folder
    result = fork(folder, 0, {"rounds": 2}).run()
    with RunStore.read(result.folder) as store:
        assert [d.status for d in store.directives()] == ["undone", "active", "undone", "undone"]
        assert (store.config.rounds, store.config.budget.evaluations) == (2, 500)
        assert store.complete_rounds() == [0, 1]
        assert not any("avg_pool" in c.architecture for c in store.candidates(1))
    check_replay(result.folder)


def test_directives_that_the_new_device_cannot_keep_are_taken_back(
    tmp_path: Path, tiny_tables: Path, config: Settings
) -> None:
    tables = other_tables(tmp_path, tiny_tables)
    search = Search(config(data=tables))

    def steer(event: Event) -> None:
        if event.kind == "round-planned" and event.round == 0:
            with SteeringClient.open(search.folder) as client:
                client.give("/limit latency<=9", "ann")
                client.give("/limit parameters<=1e9", "ann")

    folder = search.run(steer).folder
    result = fork(folder, 1, {"device": "late", "rounds": 3}).run()
    with RunStore.read(result.folder) as store:
        first, second = store.directives()
        assert (first.status, second.status) == ("undone", "active")
        assert first.reason == "no network of tiny can satisfy this: ask for less"
        assert len(store.candidates(2)) == 12


def test_limits_are_for_what_the_fork_spends_itself(whole: Path, tmp_path: Path) -> None:
    settings = {"budget.evaluations": 12, "rounds": 99, "output": tmp_path}
    result = fork(whole, 1, settings).run()
    assert "12 of 12 evaluations" in result.reason
    with RunStore.read(result.folder) as store:
        assert (store.spent().evaluations, store.spent_before().evaluations) == (12, 24)
    again = Search.resume(result.folder, budget=Budget(evaluations=20)).run()
    with RunStore.read(again.folder) as store:
        assert store.spent().evaluations == 20


# -- what can be done with a fork ---------------------------------------------------------


def check_replay(folder: Path) -> None:
    with open_recording(folder) as recording:
        found = replay(recording, folder.parent / "again")
    assert found.same_front
    assert found.same_rules


def test_a_fork_of_a_fork_and_back(tmp_path: Path, tiny_tables: Path, config: Settings) -> None:
    tables = other_tables(tmp_path, tiny_tables)
    first = Search(config(data=tables)).run().folder
    second = fork(first, 2, {"device": "late"}).run().folder
    for round_ in (1, 2, 3):
        third = fork(second, round_, {"device": "toy"}).run().folder
        with RunStore.read(third) as store, RunStore.read(first) as expected:
            latency = {e.candidate.architecture: e.latency_ms for e in expected.evaluations()}
            own = {e.candidate.architecture: e.latency_ms for e in store.evaluations()}
            shared = latency.keys() & own.keys()
            assert {text: own[text] for text in shared} == {t: latency[t] for t in shared}
            assert {r.scope.device for r in store.rules() if r.status != "retired"} <= {"toy"}
            assert store.spent_before().evaluations == 12 * (round_ + 1)
            claims = [(str(r.predicate), r.metric, r.polarity, r.scope) for r in store.rules()]
            assert len(claims) == len(set(claims))
    check_replay(third)


def test_a_fork_is_replayed_also_from_one_file(
    tmp_path: Path, config: Settings, counted: Counter[str]
) -> None:
    model = ScriptedModel(answer)
    settings = config(model=model.name, rounds=3)
    folder = Search(settings, {model.name: model}).run().folder
    changes = {"device": "slower", "accuracy": "plain", "rounds": 4}
    forked = fork(folder, 1, changes, {model.name: model}).run().folder
    export(forked, tmp_path / "fork.zip")
    counted.clear()
    asked = len(model.requests)
    check_replay(forked)
    with open_recording(tmp_path / "fork.zip") as recording:
        found = replay(recording, tmp_path / "elsewhere")
    assert (found.same_front, found.same_rules) == (True, True)
    assert (len(model.requests), sum(counted.values())) == (asked, 0)
    with RunStore.read(forked) as store:
        assert store.spent().calls > 0
        assert store.spent().calls + store.spent_before().calls == len(store.calls())


def test_a_run_under_way_is_forked_at_its_complete_rounds(config: Settings, whole: Path) -> None:
    search = Search(config())
    forks: list[Search] = []

    def watch(event: Event) -> None:
        if event.kind == "evaluated" and event.round == 2 and not forks:
            with pytest.raises(RunError, match="no complete round 2"):
                fork(search.folder, 2)
            forks.append(fork(search.folder))

    result = search.run(watch)
    (forked,) = forks
    origin = forked.session.store.origin()
    assert origin is not None
    assert origin.round == 1
    assert forked.session.store.status == "running"
    done = forked.run()
    fronts = [(r / "front.json").read_bytes() for r in (result.folder, done.folder, whole)]
    assert fronts[0] == fronts[1] == fronts[2]


def test_a_fork_that_was_only_made_is_resumed_and_steered(whole: Path, tmp_path: Path) -> None:
    made = fork(whole, 1, {"output": tmp_path})
    made.session.close()
    with SteeringClient.open(made.folder) as client:
        client.give("/ban nor_conv_3x3", "ann")
    result = Search.resume(made.folder).run()
    with RunStore.read(result.folder) as store:
        assert store.complete_rounds() == list(range(ROUNDS))
        assert not any("nor_conv_3x3" in c.architecture for c in store.candidates(2))
    check_replay(result.folder)


def test_on_another_device_alone_without_further_rounds(
    whole: Path, tmp_path: Path, counted: Counter[str]
) -> None:
    result = fork(whole, None, {"device": "slower", "output": tmp_path}).run()
    assert result.reason == "all rounds done"
    assert all(point.latency_ms >= 100 for point in result.front)
    more = Search.resume(result.folder, rounds=ROUNDS + 1).run()
    with RunStore.read(more.folder) as store:
        assert store.complete_rounds() == list(range(ROUNDS + 1))
        assert set(counted.values()) == {1}
    check_replay(more.folder)


def test_a_limit_of_time_may_end_it_while_it_takes_over(
    whole: Path, tmp_path: Path, counted: Counter[str]
) -> None:
    settings = {"device": "slower", "rounds": 3, "output": tmp_path, "budget.minutes": 1e-6}
    short = fork(whole, 1, settings).run()
    assert "minutes" in short.reason
    result = Search.resume(short.folder, budget=Budget(minutes=10)).run()
    with RunStore.read(result.folder) as store:
        assert len(store.evaluations()) == len(store.candidates()) == 36
        assert set(counted.values()) == {1}


# -- what cannot ----------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("round_", "settings", "complaint"),
    [
        (7, {}, "no complete round 7 in run .*: its rounds are 0 to 4"),
        (-1, {}, "no complete round -1"),
        (None, {}, "nothing left to do after round 4"),
        (2, {"rounds": "3"}, "nothing left to do after round 2, the last of its 3"),
        (2, {"rounds": "0"}, "setting 'rounds'"),
        (2, {"speed": "4"}, "unknown setting 'speed'"),
        (
            2,
            {"space": "nasbench201"},
            "keeps the niches of its run, so setting 'space' stays 'tiny'",
        ),
        (2, {"partition": "flops"}, "setting 'partition' stays 'operations', found 'flops'"),
        (2, {"scoring.resolution": "16"}, "setting 'scoring.resolution' stays 32, found 16"),
        (2, {"device": "moon"}, "moon"),
        (2, {"accuracy": "guess"}, "unknown accuracy predictor 'guess'"),
        (2, {"data": "nowhere"}, "nowhere"),
        (2, {"model": "nobody:at-all"}, "nobody"),
    ],
)
def test_bad_input_makes_no_run(
    whole: Path, round_: int | None, settings: dict[str, str], complaint: str
) -> None:
    before = sorted(whole.parent.iterdir())
    with pytest.raises(InputError, match=complaint):
        fork(whole, round_, settings)
    assert sorted(whole.parent.iterdir()) == before


def test_other_cuts_by_flops_are_other_niches(config: Settings) -> None:
    settings = config(partition="flops", niches=3, rounds=1)
    folder = Search(settings).run().folder
    with pytest.raises(ConfigError, match="keeps the niches of its run, found"):
        fork(folder, 0, {"niches": 2, "rounds": 2})
    assert fork(folder, 0, {"seed": 7, "rounds": 2}).run().front


def test_a_run_without_a_complete_round_cannot_be_forked(config: Settings) -> None:
    search = Search(config())
    search.stop()
    stopped = search.run()
    with pytest.raises(RunError, match="no complete round yet"):
        fork(stopped.folder)


def trained(store: RunStore, id_: str, images: str) -> TrainingRecord:
    """A training that a run knows, with a file in the place of its weights."""
    file = store.folder / "training" / f"{id_}.pt"
    file.parent.mkdir(exist_ok=True)
    file.write_text(id_)
    record = TrainingRecord(
        id_, SPACE.format(SPACE.at(7)), 0, 80.0, 79.0, 3, 2, 1.5, images, {}, f"training/{id_}.pt", 1.0
    )  # fmt: skip
    store.record_training(record)
    return record


def test_trainings_on_the_same_images_are_carried_over(whole: Path, tmp_path: Path) -> None:
    folder = shutil.copytree(whole, tmp_path / "runs" / "trained")
    with RunStore.open(folder) as store:
        store.pin_images("mine", "d1")
        kept = trained(store, "a", "d1")
        trained(store, "b", "d2")
    search = fork(folder, 1)
    search.session.close()
    with RunStore.read(search.folder) as store:
        assert store.trainings() == [kept]
        assert store.pinned_images() == ("mine", "d1")
        assert (store.folder / kept.weights).read_text() == "a"
    images = tmp_path / "others.npz"
    np.savez(
        images,
        images=np.arange(20 * 64, dtype=np.uint8).reshape(20, 8, 8),
        labels=np.arange(20) % 10,
    )
    search = fork(folder, 1, {"images": images})
    search.session.close()
    with RunStore.read(search.folder) as store:
        assert store.trainings() == []
        assert store.pinned_images() not in (None, ("mine", "d1"))


# -- killed around it -------------------------------------------------------------------------


class KilledError(BaseException):
    """Nothing after it runs, as after a kill."""


def test_killed_while_it_takes_over(whole: Path, tmp_path: Path, counted: Counter[str]) -> None:
    settings = {"device": "slower", "rounds": 3, "output": tmp_path}
    undisturbed = fork(whole, 1, settings | {"name": "whole"}).run()
    counted.clear()
    search = fork(whole, 1, settings | {"name": "killed"})
    seen: list[Event] = []

    def die(event: Event) -> None:
        seen.append(event)
        if event.kind == "evaluated" and len(seen) > 9:
            raise KilledError

    with pytest.raises(KilledError):
        search.run(die)
    result = Search.resume(search.folder).run()
    folders = result.folder, undisturbed.folder
    fronts = [(folder / "front.json").read_bytes() for folder in folders]
    assert fronts[0] == fronts[1]
    with RunStore.read(folders[0]) as store, RunStore.read(folders[1]) as expected:
        assert store.evaluations() == expected.evaluations()
        assert rules(store) == rules(expected)
        assert store.ignored() == 0


@pytest.mark.parametrize("commits", [1, 2, 4, 5, 6, 7])
def test_killed_while_it_is_made_leaves_a_whole_fork_or_none(
    whole: Path, tmp_path: Path, commits: int
) -> None:
    """By a signal that nobody can catch, right before one of the first commits."""
    before, output = digest(whole), tmp_path / "forks"
    process = warm.run(
        [sys.executable, str(CHILD), str(whole), str(output), str(commits)],
        timeout=120,
        check=False,
    )
    assert digest(whole) == before
    made = list_runs(output)
    shown = [folder for folder in output.iterdir() if not folder.name.startswith(".")]
    assert shown == [run.folder for run in made]
    if process.returncode == 0:
        assert len(made) == 1
    else:
        assert process.returncode == -signal.SIGKILL
    for run in made:
        result = Search.resume(run.folder).run()
        assert (result.folder / "front.json").read_bytes() == (whole / "front.json").read_bytes()
