"""A predictor is kept for the next question exactly as long as it would be made the same again."""

import shutil
import sqlite3
from contextlib import closing
from pathlib import Path

import numpy as np
import pytest
from filelock import FileLock

from pelnas import Search, load_config
from pelnas.cache import default_cache
from pelnas.config import Scoring, SearchConfig
from pelnas.images import load_images
from pelnas.predictors import PREDICTORS, AccuracyPredictor, get_predictor
from pelnas.predictors.labels import KEPT, Label
from pelnas.spaces import get_space
from pelnas.store import RunStore, sums
from pelnas.tools import score_one
from pelnas.tools.predictor_cache import KeptPredictor

TINY = get_space("tiny")
ALIVE = [i for i in range(TINY.size) if TINY.features(TINY.at(i))["paths"] > 0]
SMALL = {"batch": 6, "resolution": 8, "reference": 8, "workers": 1}


@pytest.fixture(scope="module")
def scored(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The folder of a run that was scored on images of its own."""
    place = tmp_path_factory.mktemp("scored")
    rng = np.random.default_rng(0)
    shades = rng.integers(0, 255, (24, 8, 8, 3), dtype=np.uint8)
    np.savez(place / "images.npz", images=shades, labels=np.arange(24) % 3)
    settings = {
        "space": "tiny",
        "rounds": 1,
        "per_niche": 1,
        "images": place / "images.npz",
        "scoring": SMALL,
        "measurement": {"warmup": 1, "repeats": 2},
        "output": place / "runs",
    }
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("PELNAS_CACHE", str(tmp_path_factory.mktemp("cache")))
        return Search(load_config(None, settings)).run().folder


@pytest.fixture
def copy(scored: Path, tmp_path: Path) -> Path:
    """A run of one's own, to change."""
    return Path(shutil.copytree(scored, tmp_path / "runs" / scored.name))


@pytest.fixture
def made(monkeypatch: pytest.MonkeyPatch) -> list[AccuracyPredictor]:
    """Every predictor that questions have made so far."""
    found: list[AccuracyPredictor] = []
    maker = PREDICTORS["rank-sum"]

    def noted(*given: object) -> AccuracyPredictor:
        found.append(maker(*given))  # type: ignore[arg-type]
        return found[-1]

    monkeypatch.setitem(PREDICTORS, "rank-sum", noted)
    monkeypatch.setattr(score_one, "_KEPT", KeptPredictor())
    return found


def asked(folder: Path, index: int) -> tuple[float, float]:
    with RunStore.read(folder) as store:
        score = score_one.score(store, str(index))
    assert score["how"] == score_one.PREDICTED
    return score["score"], score["uncertainty"]


def anew(folder: Path, index: int, monkeypatch: pytest.MonkeyPatch) -> tuple[float, float]:
    """What is answered where nothing was kept."""
    with monkeypatch.context() as patch:
        patch.setattr(score_one, "_KEPT", KeptPredictor())
        return asked(folder, index)


def untried(folder: Path, count: int = 1) -> list[int]:
    with RunStore.read(folder) as store:
        known = {candidate.architecture for candidate in store.candidates()}
    return [i for i in ALIVE if TINY.format(TINY.at(i)) not in known][-count:]


def test_it_is_made_once_and_answers_as_if_made_anew(
    scored: Path, made: list[AccuracyPredictor], monkeypatch: pytest.MonkeyPatch
) -> None:
    indices = untried(scored, 4)
    scores = [asked(scored, index) for index in indices]
    assert len(made) == 1
    assert scores == [anew(scored, index, monkeypatch) for index in indices]


def test_one_that_learned_from_labels_answers_as_if_made_anew(tmp_path: Path) -> None:
    config = SearchConfig(space="tiny", accuracy="few-shot", scoring=Scoring(**SMALL))
    labels = [Label(TINY.format(TINY.at(i)), 50.0 + 5 * (i % 7)) for i in ALIVE[:12]]
    made_from = config, TINY, load_images(None, 8), default_cache(), labels
    kept, wanted = KeptPredictor(), [TINY.at(i) for i in ALIVE[-3:]]
    first = kept.of(*made_from)
    scores = [next(iter(first.predict([one]))) for one in wanted]
    first.close()
    assert kept.of(*made_from) is first
    assert list(kept.of(*made_from).predict(wanted)) == scores
    assert list(get_predictor(*made_from).predict(wanted)) == scores


def test_a_run_that_goes_on_does_not_make_it_anew(
    copy: Path, made: list[AccuracyPredictor]
) -> None:
    (index,) = untried(copy)
    before = asked(copy, index)
    with RunStore.open(copy) as store:
        store.event("round-done")
    assert asked(copy, index) == before
    assert len(made) == 1


def test_other_labels_make_it_anew(copy: Path, made: list[AccuracyPredictor]) -> None:
    (index,) = untried(copy)
    for accuracy in (50, 60, 60):
        (copy / KEPT).write_text(f"architecture,accuracy\n{index},{accuracy}\n")
        asked(copy, index)
    assert len(made) == 2


def test_other_images_make_it_anew(
    scored: Path, made: list[AccuracyPredictor], monkeypatch: pytest.MonkeyPatch
) -> None:
    (index,) = untried(scored)
    before = asked(scored, index)
    with RunStore.read(scored) as store:
        file = Path(str(store.config.images))
    whole = file.read_bytes()
    try:
        held = dict(np.load(file))
        np.savez(file, images=255 - held["images"] // 2, labels=held["labels"][::-1])
        changed = asked(scored, index)
        assert changed != before
        assert changed == anew(scored, index, monkeypatch)
    finally:
        file.write_bytes(whole)
    assert asked(scored, index) == before


def test_other_settings_make_it_anew(
    copy: Path, made: list[AccuracyPredictor], monkeypatch: pytest.MonkeyPatch
) -> None:
    (index,) = untried(copy)
    before = asked(copy, index)
    settings = copy / "run.json"
    text = settings.read_text()
    settings.write_text(text.replace('"seed": 0', '"seed": 1'))
    assert settings.read_text() != text
    with closing(sqlite3.connect(copy / "run.sqlite")) as connection, connection:
        sums.register(connection)
        connection.execute("UPDATE settings SET body = ?", (settings.read_text(),))
    changed = asked(copy, index)
    assert changed != before
    assert changed == anew(copy, index, monkeypatch)


def test_between_questions_nobody_is_kept_waiting(
    scored: Path, made: list[AccuracyPredictor]
) -> None:
    asked(scored, untried(scored)[0])
    with FileLock(default_cache().path.with_name("probing.lock"), timeout=0):
        assert len(made) == 1
