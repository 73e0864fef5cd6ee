"""Score and latency of single cells: stored where known, else found now and kept nowhere."""

import threading
from pathlib import Path

import pytest
from filelock import FileLock

from pelnas import Search, load_config
from pelnas.cache import default_cache
from pelnas.errors import ArchitectureError, RunError
from pelnas.spaces import get_space
from pelnas.store import RunStore
from pelnas.tools import score_one

TINY = get_space("tiny")


def untried(store: RunStore) -> str:
    """The text of a cell that the run has not looked at, through which something flows."""
    known = {candidate.architecture for candidate in store.candidates()}
    alive = (TINY.at(i) for i in range(TINY.size) if TINY.features(TINY.at(i))["paths"] > 0)
    return next(text for text in map(TINY.format, alive) if text not in known)


def everything(store: RunStore) -> tuple[object, ...]:
    return store.candidates(), store.costs(), store.spent(), len(store.events())


def test_what_was_evaluated_is_told_as_it_is_stored(talkative_run: Path) -> None:
    with RunStore.read(talkative_run) as store:
        best = max(store.evaluations(), key=lambda e: e.score)
        score, latency = score_one.score(store, best.id), score_one.latency(store, best.id)
    assert (score["id"], score["score"], score["how"]) == (best.id, best.score, score_one.EVALUATED)
    assert (latency["latency_ms"], latency["how"]) == (best.latency_ms, score_one.EVALUATED)
    assert score["percentile"] > 90
    assert score_one.tell_score(score)[0].startswith(f"{best.id}: score ")


def test_what_was_not_comes_from_the_table_and_is_kept_nowhere(talkative_run: Path) -> None:
    with RunStore.read(talkative_run) as store:
        before, text = everything(store), untried(store)
        score, latency = score_one.score(store, text), score_one.latency(store, text)
        assert everything(store) == before
        lower = sum(e.score < score["score"] for e in store.evaluations())
        ties = sum(e.score == score["score"] for e in store.evaluations())
        slower = sum(e.latency_ms > latency["latency_ms"] for e in store.evaluations())
        count = len(store.evaluations())
    assert score["how"] == latency["how"] == "from the table"
    assert score["percentile"] == pytest.approx(100 * (lower + ties / 2) / count)
    assert latency["percentile"] == pytest.approx(100 * slower / count)
    line = " ".join(score_one.tell_latency(latency))
    assert "from the table" in line
    assert "no part of the run" in line
    assert text in line


@pytest.fixture(scope="module")
def scored(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The folder of a run that was scored and measured on this machine."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("PELNAS_CACHE", str(tmp_path_factory.mktemp("cache")))
        settings = {
            "space": "tiny",
            "rounds": 1,
            "per_niche": 1,
            "scoring": {"batch": 4, "resolution": 8, "reference": 8, "workers": 1},
            "measurement": {"warmup": 1, "repeats": 5},
            "output": tmp_path_factory.mktemp("scored") / "runs",
        }
        return Search(load_config(None, settings)).run().folder


def test_what_was_not_tried_is_predicted_and_measured_now(scored: Path) -> None:
    with RunStore.read(scored) as store:
        text = untried(store)
        score, latency = score_one.score(store, text), score_one.latency(store, text)
        known = store.evaluations()[0]
        again = score_one._predict(store, TINY, TINY.read(known.candidate.architecture))[0]
    assert (score["how"], latency["how"]) == ("predicted", "measured now")
    assert 0 <= score["score"] <= 1
    assert score["uncertainty"] > 0
    assert score["comparable"]
    assert latency["comparable"]
    assert latency["latency_ms"] > 0
    assert latency["spread_ms"] > 0
    assert again == known.prediction, "the scale is the run's own"


def test_a_run_from_another_machine_is_not_compared(scored: Path) -> None:
    with RunStore.read(scored) as store:
        answer = score_one._beside("measured here", "measured there", 1.0, [0.5, 2.0])
        assert (answer["comparable"], answer["percentile"]) == (False, None)
        latency = score_one.latency(store, untried(store))
    line = score_one.tell_latency(latency | answer)
    assert "not to be compared with this run's own: those are measured there" in line


def test_a_search_that_measures_wall_time_is_not_disturbed(tmp_path: Path) -> None:
    settings = {"space": "tiny", "output": tmp_path / "runs", "measurement": {"threads": 2}}
    with (
        RunStore.create(load_config(None, settings), "s") as held,
        RunStore.read(held.folder) as store,
        pytest.raises(RunError, match="wall time on 2"),
    ):
        score_one.latency(store, "7")


def test_one_question_at_a_time(talkative_run: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(score_one, "PATIENCE", 0.1)
    with RunStore.read(talkative_run) as store:
        text = untried(store)
        with FileLock(default_cache().path.with_name("probing.lock")):
            problems = []

            def ask() -> None:
                try:
                    score_one.score(store, text)
                except RunError as problem:
                    problems.append(str(problem))

            thread = threading.Thread(target=ask)
            thread.start()
            thread.join(60)
        assert "ask again" in problems[0]
        assert score_one.score(store, text)["score"] > 0


def test_what_names_nothing_is_one_clear_error(talkative_run: Path) -> None:
    with RunStore.read(talkative_run) as store:
        with pytest.raises(RunError, match="has no candidate r9n9c9"):
            score_one.score(store, "r9n9c9")
        with pytest.raises(ArchitectureError, match="expects a cell"):
            score_one.latency(store, "../../etc/passwd")
