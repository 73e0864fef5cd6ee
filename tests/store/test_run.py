"""Folders, locks, formats and lists of runs: one writer at a time, and clear refusals."""

import os
import sqlite3
from collections.abc import Iterator
from pathlib import Path

import pytest

from pelnas.architecture import Design
from pelnas.config import Budget, SearchConfig
from pelnas.errors import RunError, StoreError
from pelnas.store import (
    RunStore,
    RunSummary,
    find_run,
    list_runs,
    write_atomically,
)
from pelnas.store.folder import lock, unlock

DESIGN = Design("|a~0|", "openai:x", "mutation")


@pytest.fixture
def config(tmp_path: Path) -> SearchConfig:
    return SearchConfig(name="digits", output=tmp_path / "runs", budget=Budget(calls=7))


@pytest.fixture
def store(config: SearchConfig) -> Iterator[RunStore]:
    with RunStore.create(config, "20260101-000000") as run:
        yield run


# -- folders and locks ----------------------------------------------------------


def test_two_runs_of_the_same_second_get_their_own_folders(config: SearchConfig) -> None:
    with RunStore.create(config, "s") as first, RunStore.create(config, "s") as second:
        assert [first.name, second.name] == ["s-digits", "s-digits-2"]


def test_a_run_is_there_as_a_whole_or_not_at_all(config: SearchConfig) -> None:
    seen: list[list[RunSummary]] = []

    def begin(run: RunStore) -> None:
        run.replace_designs(0, 0, [DESIGN], [])
        seen.append(list_runs(config.output))
        assert not [f for f in config.output.iterdir() if not f.name.startswith(".")]

    with RunStore.create(config, "s", begin) as run:
        assert [f.name for f in config.output.iterdir()] == [run.name] == ["s-digits"]
        assert len(run.candidates()) == 1
    assert seen == [[]]


def test_what_a_dead_process_left_is_cleared_and_nothing_else(config: SearchConfig) -> None:
    output = config.output
    dead, held, young = (output / f".making-{name}" for name in ("dead", "held", "young"))
    for folder in (dead, held, young):
        folder.mkdir(parents=True)
        (folder / "run.json").write_text(config.model_dump_json())
        (folder / "run.sqlite").touch()
    guard = lock(held)
    for folder in (dead, held):
        os.utime(folder, (0, 0))
    assert list_runs(output) == []
    with RunStore.create(config, "s"):
        assert {f.name for f in output.iterdir()} == {held.name, young.name, "s-digits"}
    unlock(held, guard)


@pytest.mark.parametrize("name", ["../../away", "/etc/x", "a b\nc", "...", "", "x" * 400])
def test_a_run_stays_in_its_output_folder(tmp_path: Path, name: str) -> None:
    with RunStore.create(SearchConfig(name=name, output=tmp_path), "s") as run:
        assert run.folder.resolve().parent == tmp_path.resolve()
        assert run.config.name == name


def test_configuration_comes_back_as_it_was_resolved(store: RunStore, config: SearchConfig) -> None:
    store.close()
    with RunStore.open(store.folder) as again:
        assert again.config == config


def test_the_name_of_a_run_is_on_disk_before_one_goes_on_with_it(
    store: RunStore, monkeypatch: pytest.MonkeyPatch
) -> None:
    """It was made by a process that died before that, or renamed since."""
    store.close()
    synced: list[int] = []
    real = os.fsync

    def watched(handle: int) -> None:
        synced.append(os.fstat(handle).st_ino)
        real(handle)

    monkeypatch.setattr(os, "fsync", watched)
    with RunStore.open(store.folder):
        assert store.folder.parent.stat().st_ino in synced


def test_a_held_run_is_refused_but_can_be_read(store: RunStore) -> None:
    with pytest.raises(RunError, match="in use by another process"):
        RunStore.open(store.folder)
    with RunStore.read(store.folder) as view:
        store.event("started")
        assert [event.kind for event in view.events()] == ["started"]


def test_a_view_cannot_write(store: RunStore) -> None:
    with RunStore.read(store.folder) as view, pytest.raises(StoreError, match="readonly"):
        view.event("no")


def test_a_closed_run_says_so(store: RunStore) -> None:
    store.close()
    store.close()
    with pytest.raises(StoreError, match="closed"):
        store.events()


def test_a_run_in_a_read_only_folder_can_be_read(store: RunStore) -> None:
    store.event("one")
    store.close()
    store.folder.chmod(0o555)
    try:
        with RunStore.read(store.folder) as view:
            assert len(view.events()) == 1
    finally:
        store.folder.chmod(0o755)


def test_no_run_there(tmp_path: Path) -> None:
    for way in (RunStore.open, RunStore.read):
        with pytest.raises(RunError, match="no run in"):
            way(tmp_path)


def test_a_database_of_another_program_is_refused(store: RunStore) -> None:
    store.close()
    path = store.folder / "run.sqlite"
    path.unlink()
    other = sqlite3.connect(path)
    other.execute("CREATE TABLE photos (id)")
    other.close()
    for way in (RunStore.open, RunStore.read):
        with pytest.raises(RunError, match="another program's database"):
            way(store.folder)
    path.write_bytes(b"no database at all, but long enough to be read as one" * 40)
    with pytest.raises(RunError, match="another or a damaged file"):
        RunStore.open(store.folder)


def test_a_byte_that_is_no_utf_8_in_the_definition_of_a_table_is_damage(store: RunStore) -> None:
    store.close()
    database = store.folder / "run.sqlite"
    content = bytearray(database.read_bytes())
    content[content.index(b"INSERT OR REPLACE INTO sums") + len("INSERT OR REPLACE INTO ")] |= 0x80
    database.write_bytes(content)
    with pytest.raises(RunError, match="another or a damaged file"):
        RunStore.read(store.folder)


def test_a_flipped_bit_in_the_name_of_a_column_is_damage(store: RunStore) -> None:
    """SQLite reads such a table; only statements that name the column would fail, later."""
    store.close()
    database = store.folder / "run.sqlite"
    content = bytearray(database.read_bytes())
    content[content.index(b"proxies TEXT")] ^= 1
    database.write_bytes(content)
    for way in (RunStore.open, RunStore.read):
        with pytest.raises(RunError, match="something else changed the file"):
            way(store.folder)


def test_tables_that_change_beneath_an_open_run_are_damage(store: RunStore) -> None:
    other = sqlite3.connect(store.folder / "run.sqlite")
    other.execute("ALTER TABLE predictions RENAME COLUMN proxies TO qroxies")
    other.close()
    with pytest.raises(RunError, match="no such column: proxies"):
        store.predictions()


def test_a_newer_format_is_refused(store: RunStore) -> None:
    store.close()
    newer = sqlite3.connect(store.folder / "run.sqlite")
    newer.execute("PRAGMA user_version = 999")
    newer.close()
    for way in (RunStore.open, RunStore.read):
        with pytest.raises(RunError, match="newer pelnas"):
            way(store.folder)


def test_a_store_that_was_emptied_is_refused_and_not_begun_anew(store: RunStore) -> None:
    """Runs are published whole, so that an empty file is never one that has just begun."""
    store.close()
    (store.folder / "run.sqlite").write_bytes(b"")
    for look in (RunStore.read, RunStore.open, RunStore.steer):
        with pytest.raises(RunError, match="what it held is lost"):
            look(store.folder)


def test_settings_that_cannot_be_read_are_named(store: RunStore) -> None:
    store.close()
    (store.folder / "run.json").write_text('{"sapce": "tiny"}')
    with pytest.raises(RunError, match=r"run\.json"):
        RunStore.open(store.folder)


def test_an_output_that_is_a_file_is_refused(tmp_path: Path) -> None:
    (tmp_path / "runs").write_text("")
    with pytest.raises(StoreError, match="cannot be written"):
        RunStore.create(SearchConfig(output=tmp_path / "runs"))


# -- lists of runs -----------------------------------------------------------------


def test_runs_are_listed_with_what_they_are_doing(config: SearchConfig) -> None:
    done = RunStore.create(config, "a")
    done.finish("done")
    done.close()
    RunStore.create(config, "b").close()
    broken = RunStore.create(config, "c")
    broken.close()
    (broken.folder / "run.json").write_text("{")
    with RunStore.create(config, "d") as busy:
        busy.replace_designs(0, 0, [DESIGN], [])
        busy.replace_designs(1, 0, [DESIGN, DESIGN], [])
        found = {run.name: run for run in list_runs(config.output)}
    assert {name: run.status for name, run in found.items()} == {
        "a-digits": "finished",
        "b-digits": "stopped",
        "c-digits": "unreadable",
        "d-digits": "running",
    }
    assert (found["d-digits"].rounds, found["d-digits"].candidates) == (2, 3)
    assert found["d-digits"].models == ("builtin:evolver",)
    assert found["a-digits"].reason == "done"


def test_no_folder_means_no_runs(tmp_path: Path) -> None:
    assert list_runs(tmp_path / "none") == []
    with pytest.raises(RunError, match="start one"):
        find_run(tmp_path / "none", "last")


def test_a_run_is_found_by_what_people_type(config: SearchConfig) -> None:
    for stamp in ("20260101-1", "20260102-1"):
        RunStore.create(config, stamp).close()
    output = config.output
    for name in ("20260102-1-digits", "20260102", "last", str(output / "20260102-1-digits")):
        assert find_run(output, name).name == "20260102-1-digits"
    with pytest.raises(RunError, match="may mean 20260101-1-digits, 20260102-1-digits"):
        find_run(output, "digits")
    with pytest.raises(RunError, match="use one of 20260102-1-digits"):
        find_run(output, "20260102-1-digitz")
    with pytest.raises(RunError, match="use one of"):
        find_run(output, "")


def test_files_are_replaced_whole(tmp_path: Path) -> None:
    path = tmp_path / "front.json"
    write_atomically(path, "old")
    write_atomically(path, b"new")
    assert path.read_text() == "new"
    assert list(tmp_path.iterdir()) == [path]
    with pytest.raises(StoreError, match="cannot be written"):
        write_atomically(tmp_path / "none" / "x", "text")
