"""A run's folder holds its own files only: nothing in it leads out, nothing is open to others."""

import os
import stat
from pathlib import Path

import pytest

from pelnas import SearchConfig
from pelnas.errors import RunError, StoreError
from pelnas.inputs import formats
from pelnas.recording import export
from pelnas.store import RunStore, TrainingRecord, list_runs, write_atomically
from pelnas.store.events_file import Mirror
from pelnas.store.folder import check_plain, content, in_use, inside, open_to_append

LEADING_OUT = [
    "../x", "a/../../x", "/etc/passwd", "..", "", ".", "a\0b", "C:\\x", "C:x", "\\\\host\\share",
    "..\\x", "\\x",
]  # fmt: skip


@pytest.mark.parametrize("name", LEADING_OUT)
def test_a_name_that_leads_out_is_refused(tmp_path: Path, name: str) -> None:
    with pytest.raises(RunError, match="within the run"):
        inside(tmp_path, name)


@pytest.mark.parametrize("name", ["a", "training/a.pt", ".lock", "a b", "ä", "a..b"])
def test_a_name_within_is_a_path_below_the_folder(tmp_path: Path, name: str) -> None:
    assert inside(tmp_path, name) == tmp_path / name


def odd(place: Path, kind: str, target: Path) -> None:
    if kind == "pipe":
        os.mkfifo(place)
    else:
        place.symlink_to(target)


@pytest.mark.parametrize("kind", ["link to a file", "link to a folder", "link to nothing", "pipe"])
def test_a_link_or_a_pipe_is_none_of_its_files(tmp_path: Path, kind: str) -> None:
    folder, outside = tmp_path / "run", tmp_path / "outside"
    folder.mkdir()
    (outside / "x").mkdir(parents=True)
    (outside / "file").write_text("mine")
    targets = {"link to a file": "file", "link to a folder": "x"}
    odd(folder / "odd", kind, outside / targets.get(kind, "new"))
    for look in (lambda: inside(folder, "odd/below"), lambda: check_plain(folder)):
        with pytest.raises(RunError, match="'odd', a"):
            look()
    with pytest.raises(RunError, match="'odd', a"):
        open_to_append(folder, "odd")
    assert (outside / "file").read_text() == "mine"
    assert sorted(each.name for each in outside.iterdir()) == ["file", "x"]


def test_a_file_with_another_name_elsewhere_is_not_written_through(tmp_path: Path) -> None:
    folder, mine = tmp_path / "run", tmp_path / "mine"
    folder.mkdir()
    mine.write_text("mine")
    (folder / "lines").hardlink_to(mine)
    handle = open_to_append(folder, "lines")
    os.write(handle, b" and more")
    os.close(handle)
    assert (folder / "lines").read_text() == "mine and more"
    assert mine.read_text() == "mine"


def test_a_link_is_replaced_and_not_followed(tmp_path: Path) -> None:
    mine, link = tmp_path / "mine", tmp_path / "link"
    mine.write_text("mine")
    link.symlink_to(mine)
    write_atomically(link, "new")
    assert (mine.read_text(), link.read_text(), link.is_symlink()) == ("mine", "new", False)


def test_a_file_beyond_the_memory_is_not_read(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """It may be a hole of terabytes, which takes no room in what was sent."""
    monkeypatch.setattr(formats, "memory", lambda: 2**20)
    with (tmp_path / "events.jsonl").open("wb") as file:
        file.truncate(2**18)
    with pytest.raises(RunError, match="more than this machine's memory"):
        content(tmp_path, "events.jsonl")
    with pytest.raises(RunError, match="more than this machine's memory"):
        Mirror(tmp_path / "events.jsonl").reconcile([])


@pytest.fixture
def run(tmp_path: Path) -> Path:
    """The folder of a run that nobody holds."""
    with RunStore.create(SearchConfig(output=tmp_path / "runs")) as store:
        return store.folder


NAMES = [
    "run.json", "run.sqlite", "run.sqlite-wal", "run.sqlite-shm", "run.sqlite-journal",
    "events.jsonl", "conversations.jsonl", ".conversations.lock", ".lock", ".host", "knowledge",
    "training", "labels.csv", "report.html", "front.json",
]  # fmt: skip


@pytest.mark.parametrize("name", NAMES)
def test_a_run_with_a_link_is_neither_opened_nor_read(run: Path, tmp_path: Path, name: str) -> None:
    mine = tmp_path / "mine"
    place = run / name
    if place.exists():
        place.rename(mine)
    else:
        mine.write_text("mine")
    before = mine.read_bytes()
    place.symlink_to(mine)
    for door in (RunStore.open, RunStore.read, RunStore.steer):
        with pytest.raises(RunError, match="a link"):
            door(run)
    assert [each.status for each in list_runs(run.parent)] == ["unreadable"]
    assert not in_use(run)
    assert mine.read_bytes() == before
    assert sorted(each.name for each in tmp_path.iterdir()) == ["mine", "runs"]


@pytest.mark.parametrize("weights", ["../../.bashrc", "/etc/passwd", "run.sqlite", "training/../x"])
def test_weights_of_a_training_lie_in_its_folder(run: Path, weights: str) -> None:
    record = TrainingRecord("a", "x", 0, 80.0, 79.0, 3, 2, 1.5, "d", {}, weights, 1.0)
    with RunStore.open(run) as store:
        store.record_training(record)
        with pytest.raises(RunError, match="as training/NAME"):
            store.trainings()


def test_only_what_is_to_be_shared_is_open_to_others(run: Path, tmp_path: Path) -> None:
    recording, picture = tmp_path / "recording.zip", tmp_path / "picture.svg"
    before = os.umask(0o022)
    try:
        with RunStore.open(run) as store:
            store.event("begun")
            places = [*run.rglob("*")]  # with what SQLite keeps beside an open store
        export(run, recording)
        write_atomically(picture, "<svg/>", shared=True)
    finally:
        os.umask(before)
    modes = {
        each.name: stat.S_IMODE(each.stat().st_mode) for each in (*places, run) if each.exists()
    }
    assert {"run.json", "run.sqlite", "events.jsonl", ".lock", ".host"} <= {p.name for p in places}
    assert {name for name, mode in modes.items() if mode & 0o077} == set()
    assert stat.S_IMODE(recording.stat().st_mode) == 0o600
    assert stat.S_IMODE(picture.stat().st_mode) == 0o644


def test_a_folder_that_cannot_be_written_is_one_sentence(tmp_path: Path) -> None:
    with pytest.raises(StoreError, match="cannot be written"):
        write_atomically(tmp_path / "missing" / "file", "x")
