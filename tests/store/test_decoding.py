"""Rows that something damaged: one sentence for whoever reads them, and no harm to other runs."""

import os
import shutil
import sqlite3
from contextlib import closing
from pathlib import Path

import pytest

from pelnas.calls.call import Message
from pelnas.errors import RunError, StoreError
from pelnas.graph.estimate.estimate import estimate
from pelnas.graph.session.problem import ground_of
from pelnas.report import front_points
from pelnas.store import RunStore, find_run, list_runs, write_atomically
from pelnas.store.decoding import checked


def damaged(talkative_run: Path, place: Path, statement: str, value: object) -> Path:
    """A copy of a run with another value in its rows."""
    folder = place / "20200101-000000-damaged"
    shutil.copytree(talkative_run, folder, ignore=shutil.ignore_patterns("knowledge"))
    with closing(sqlite3.connect(folder / "run.sqlite", isolation_level=None)) as connection:
        connection.create_function("record_sum", -1, lambda *_: 0)  # its triggers ask for it
        connection.execute(statement, (value,))
    return folder


@pytest.mark.parametrize(
    ("statement", "value", "question"),
    [
        ("UPDATE events SET data = ?", "{", "events"),
        ("UPDATE events SET data = ?", "9" * 5_000, "events"),
        ("UPDATE events SET data = ?", "[" * 100_000, "events"),
        ("UPDATE events SET time = ?", "soon", "events"),
        ("UPDATE designs SET parents = ?", "1", "candidates"),
        ("UPDATE designs SET architecture = ?", b"\x00\xff", "candidates"),
        ("UPDATE designs SET slot = ? WHERE rowid = 1", "first", "evaluations"),
        ("UPDATE predictions SET score = ?", "good", "evaluations"),
        ("UPDATE predictions SET proxies = ?", "[]", "evaluations"),
        ("UPDATE costs SET latency_ms = ?", "fast", "costs"),
        ("UPDATE calls SET messages = ?", "[[1]]", "calls"),
        ("UPDATE calls SET answer = ?", b"x", "calls"),
        ("UPDATE rules SET body = ?", "null", "rules"),
        ("UPDATE run SET sources = ?", "[]", "sources"),
        ("UPDATE run SET seconds = ?", "long", "spent"),
    ],
)
def test_a_damaged_record_is_one_sentence(
    talkative_run: Path, tmp_path: Path, statement: str, value: object, question: str
) -> None:
    folder = damaged(talkative_run, tmp_path, statement, value)
    with RunStore.read(folder) as store, pytest.raises((RunError, StoreError)) as caught:
        getattr(store, question)()
    assert "\n" not in str(caught.value)


def test_a_damaged_old_run_stops_no_other(talkative_run: Path, tmp_path: Path) -> None:
    shutil.copytree(talkative_run, tmp_path / talkative_run.name)
    damaged(talkative_run, tmp_path, "UPDATE calls SET messages = ?", "{")
    for file in ("run.sqlite", "run.json"):
        broken = tmp_path / f"20200101-000001-{file}"
        shutil.copytree(talkative_run, broken, ignore=shutil.ignore_patterns("knowledge"))
        (broken / file).write_bytes(b"\xff[" * 50_000)
    with RunStore.read(talkative_run) as store:
        config = store.config.model_copy(update={"output": tmp_path})
    assert {run.status for run in list_runs(tmp_path)} == {"finished", "unreadable"}
    assert find_run(tmp_path, "last").name == talkative_run.name
    assert estimate(config, ground_of(config).partition).evaluations > 0


def test_texts_that_are_no_utf_8_make_a_run_unreadable_and_no_more(
    talkative_run: Path, tmp_path: Path
) -> None:
    folder = damaged(talkative_run, tmp_path, "UPDATE run SET reason = ?", "done")
    file = folder / "run.sqlite"
    file.write_bytes(file.read_bytes().replace(b"none", b"n\xffne"))
    with RunStore.read(folder) as store, pytest.raises((RunError, StoreError)):
        front_points(store)
    assert len(list_runs(tmp_path)) == 1


def test_fields_are_of_their_types() -> None:
    assert checked(Message("user", "x")) == Message("user", "x")
    with pytest.raises(TypeError, match="content"):
        checked(Message("user", 7))  # type: ignore[arg-type]


@pytest.mark.parametrize("name", ["pipe", "folder", "", "nowhere/file"])
def test_what_is_no_file_is_not_replaced_by_one(tmp_path: Path, name: str) -> None:
    os.mkfifo(tmp_path / "pipe")
    (tmp_path / "folder").mkdir()
    path = tmp_path / name if name else Path("/")
    with pytest.raises(StoreError):
        write_atomically(path, "x")
    assert sorted(os.listdir(tmp_path)) == ["folder", "pipe"]
