"""Runs of the first release: read as they are, upgraded on request, and gone on with.

``tests/data/first_release.zip`` holds three runs that its own code made: one finished, one
stopped while it evaluated, and one, with a model, stopped among its designers.
"""

import json
import os
import runpy
import shutil
import sqlite3
import zipfile
from collections import Counter
from contextlib import closing
from pathlib import Path

import pytest

from pelnas import Search, SearchConfig
from pelnas.agents.testing.scripted import ScriptedModel
from pelnas.errors import RunError
from pelnas.graph.runs.replay import replay
from pelnas.recording import open_recording
from pelnas.report import front_json
from pelnas.report.verification import verify
from pelnas.store import RunStore, list_runs, upgrade

RUNS = Path(__file__).parents[1] / "data" / "first_release.zip"
MODEL = Path(__file__).parents[1] / "graph" / "session" / "killed_search.py"


@pytest.fixture
def release(tmp_path: Path, tiny_tables: Path) -> Path:
    """The folder of the three runs, whose tables lie where they do here."""
    with zipfile.ZipFile(RUNS) as archive:
        archive.extractall(tmp_path / "runs")
    for path in (tmp_path / "runs").glob("*/run.json"):
        places = {"data": str(tiny_tables), "output": str(tmp_path / "runs")}
        path.write_text(json.dumps(json.loads(path.read_text()) | places))
    return tmp_path / "runs"


def contents(folder: Path) -> dict[str, bytes]:
    """Every file, but for those that SQLite makes beside a database that is looked at."""
    files = [f for f in folder.rglob("*") if f.is_file() and f.suffix != ".sqlite-shm"]
    return {str(f): f.read_bytes() for f in files if f.stat().st_size > 0}


def model() -> ScriptedModel:
    return ScriptedModel(runpy.run_path(str(MODEL))["answer"])


def test_looking_at_them_writes_nothing(release: Path) -> None:
    before = contents(release)
    assert Counter(run.status for run in list_runs(release)) == {"finished": 1, "stopped": 2}
    with RunStore.read(release / "finished") as store:
        assert front_json(store) == (release / "finished" / "front.json").read_text()
        assert len(store.evaluations()) == 36
    missing = {problem.text for problem in verify(release / "finished")}
    assert missing == {f"{name} is missing" for name in ("front.csv", "front.png", "report.html")}
    assert contents(release) == before


@pytest.fixture
def burned(monkeypatch: pytest.MonkeyPatch) -> None:
    """Folders that cannot be written, as on a disc: also for a user who may write everywhere."""
    monkeypatch.setattr(os, "access", lambda _, mode: mode != os.W_OK)


@pytest.mark.usefixtures("burned")
def test_they_are_read_where_nothing_can_be_written(release: Path) -> None:
    folder = release / "finished"
    for path in (*folder.iterdir(), folder):
        path.chmod(0o555 if path.is_dir() else 0o444)
    try:
        with RunStore.read(folder) as store:
            assert len(store.evaluations()) == 36
        assert not (folder / "run.sqlite-shm").exists()
    finally:
        folder.chmod(0o755)


@pytest.mark.usefixtures("burned")
def test_a_log_left_on_media_that_cannot_be_written_is_read_too(release: Path) -> None:
    """SQLite would have to make an index for it there."""
    folder = release / "stopped"
    with closing(sqlite3.connect(folder / "run.sqlite", isolation_level=None)) as connection:
        connection.execute("PRAGMA wal_autocheckpoint = 0")
        connection.execute("UPDATE run SET seconds = 12345")
        shutil.copytree(folder, release / "burned")
    (release / "burned" / "run.sqlite-shm").unlink()
    assert (release / "burned" / "run.sqlite-wal").stat().st_size > 0
    before = contents(release / "burned")
    with RunStore.read(release / "burned") as store:
        assert store.spent().seconds == 12345
    assert contents(release / "burned") == before


def test_an_upgrade_is_asked_for_and_done_once(release: Path) -> None:
    was, now = upgrade(release / "finished")
    assert was < now
    assert upgrade(release / "finished") == (now, now)
    with RunStore.read(release / "finished") as store:
        assert front_json(store) == (release / "finished" / "front.json").read_text()
        assert store.id


@pytest.mark.parametrize("name", ["stopped", "between"])
def test_they_go_on_where_they_were(release: Path, name: str) -> None:
    with RunStore.read(release / name) as store:
        before = store.evaluations(), store.calls()
    again = model()
    folder = Search.resume(release / name, {again.name: again}).run().folder
    with RunStore.read(folder) as store:
        assert store.reason == "all rounds done"
        assert store.evaluations()[: len(before[0])] == before[0]
        assert {call.id for call in before[1]} <= {call.id for call in store.calls()}
        assert len(store.evaluations()) == len(store.candidates()) >= 36 - 12
        evaluated = Counter(e.data["candidate"] for e in store.events() if e.kind == "evaluated")
        assert evaluated == Counter(c.id for c in store.candidates())
        assert store.ignored() == 0
    assert verify(folder) == []


def test_without_a_model_they_end_as_they_would_have(release: Path, tmp_path: Path) -> None:
    settings = json.loads((release / "stopped" / "run.json").read_text())
    as_read = {"output": tmp_path / "whole", "surrogate": "large"}  # the first release had none
    whole = Search(SearchConfig(**(settings | as_read))).run().folder
    folder = Search.resume(release / "stopped").run().folder
    assert (folder / "front.json").read_bytes() == (whole / "front.json").read_bytes()


def test_they_are_extended_and_replayed(release: Path, tmp_path: Path) -> None:
    with open_recording(release / "finished") as recording:
        found = replay(recording, tmp_path / "again")
        assert found.same_front
        assert found.same_rules
    again = model()
    folder = Search.resume(release / "finished", {again.name: again}, rounds=4).run().folder
    with RunStore.read(folder) as store:
        assert len(store.evaluations()) == 48
        assert store.ignored() == 0


def test_runs_from_before_events_had_places_are_extended(release: Path) -> None:
    """Formats 1 and 2: their upgrade finds rounds, agents and niches, and no spans."""
    folder = release / "finished"
    with closing(sqlite3.connect(folder / "run.sqlite", isolation_level=None)) as connection:
        connection.execute("UPDATE events SET span = '', parent = ''")
        connection.execute("DELETE FROM events WHERE kind LIKE 'step-%' OR kind LIKE 'tool-%'")
    (folder / "events.jsonl").unlink()
    again = model()
    with pytest.raises(RunError, match="3 of 3 rounds are done"):
        Search.resume(folder, {again.name: again})
    Search.resume(folder, {again.name: again}, rounds=4).run()
    with RunStore.read(folder) as store:
        assert len(store.evaluations()) == 48
        assert store.ignored() == 0
