"""Whether a run is whole, and what can be mended where it is not."""

import json
import shutil
import sqlite3
from collections.abc import Callable
from contextlib import closing
from pathlib import Path

import pytest

from pelnas import Search, SearchConfig
from pelnas.errors import RunError
from pelnas.report.verification import repair, verify
from pelnas.store import RunStore, sums
from pelnas.store.database import Database


@pytest.fixture(scope="module")
def finished(tmp_path_factory: pytest.TempPathFactory, toy: Callable[..., SearchConfig]) -> Path:
    """The folder of a finished run; to read only."""
    return Search(toy(tmp_path_factory.mktemp("whole"), rounds=2, per_niche=3)).run().folder


@pytest.fixture
def run(finished: Path, tmp_path: Path) -> Path:
    return Path(shutil.copytree(finished, tmp_path / "run"))


def change(folder: Path, sql: str, *, guarded: bool = False) -> None:
    """Change a store; unless ``guarded``, behind the back of its checksums."""
    with closing(sqlite3.connect(folder / "run.sqlite", isolation_level=None)) as connection:
        sums.register(connection)
        found = connection.execute("SELECT name, sql FROM sqlite_master WHERE type = 'trigger'")
        triggers = [] if guarded else found.fetchall()
        for name, _ in triggers:
            connection.execute(f"DROP TRIGGER {name}")
        assert connection.execute(sql).rowcount > 0
        for _, trigger in triggers:
            connection.execute(trigger)


def texts(folder: Path) -> str:
    return "; ".join(problem.text for problem in verify(folder))


def test_a_whole_run_has_no_problem_and_is_left_as_it_is(run: Path) -> None:
    before = {path: path.read_bytes() for path in run.rglob("*") if path.is_file()}
    assert verify(run) == []
    assert {path: path.read_bytes() for path in run.rglob("*") if path.is_file()} == before
    assert repair(run) == []


@pytest.mark.parametrize(
    ("sql", "said"),
    [
        (
            "UPDATE predictions SET score = 99 WHERE candidate = 'r0n0c0'",
            "predictions r0n0c0 (chan",
        ),
        ("UPDATE designs SET rationale = 'x' WHERE id = 'r0n0c1'", "designs r0n0c1 (changed)"),
        ("DELETE FROM costs WHERE candidate = 'r1n1c0'", "costs r1n1c0 (missing)"),
        ("INSERT INTO costs VALUES ('r9n9c9', 1, 0, NULL, 0)", "costs r9n9c9 (unknown)"),
        ("UPDATE events SET kind = 'x' WHERE seq = 7", "events 7 (changed)"),
        ("UPDATE run SET finished = NULL", "run 1 (changed)"),
        ("UPDATE niches SET label = 'x' WHERE niche = 0", "niches 0 (changed)"),
    ],
)
def test_a_record_that_changed_is_named(run: Path, sql: str, said: str) -> None:
    change(run, sql)
    assert said in texts(run)


@pytest.mark.parametrize(
    ("sql", "said"),
    [
        ("DELETE FROM designs WHERE id = 'r0n0c0'", "design r0n0c0 was reported and is not stored"),
        ("DELETE FROM costs WHERE candidate = 'r0n0c0'", "r0n0c0 was reported as evaluated"),
        ("DELETE FROM predictions WHERE candidate = 'r0n0c0'", "r0n0c0 was reported as scored"),
        (
            "DELETE FROM events WHERE kind = 'evaluated' AND niche = 0",
            "a cost that was not reported",
        ),
        (
            "DELETE FROM events WHERE kind = 'predicted' AND niche = 0",
            "score that was not reported",
        ),
        ("DELETE FROM events WHERE kind = 'designed' AND niche = 1", "stored and was not reported"),
        ("DELETE FROM events WHERE kind = 'round-planned' AND round = 1", "the plan of round 1"),
    ],
)
def test_what_is_stored_and_what_was_reported_are_compared(run: Path, sql: str, said: str) -> None:
    """Also where the checksums are right, as those of a pelnas with an error would be."""
    change(run, sql, guarded=True)
    assert said in texts(run)


def test_damaged_scores_and_costs_are_computed_again(run: Path, finished: Path) -> None:
    change(run, "UPDATE predictions SET score = 99 WHERE candidate = 'r0n0c0'")
    change(run, "DELETE FROM costs WHERE candidate = 'r1n1c0'")
    with pytest.raises(RunError, match="damaged"):
        Search.resume(run)
    assert any("`pelnas resume` computes them again" in line for line in repair(run))
    resumed = Search.resume(run).run()
    assert resumed.reason == "all rounds done"
    assert (run / "front.json").read_bytes() == (finished / "front.json").read_bytes()
    with RunStore.read(run) as store, RunStore.read(finished) as expected:
        assert store.evaluations() == expected.evaluations()
        assert [r.to_dict() for r in store.rules()] == [r.to_dict() for r in expected.rules()]
    assert verify(run) == []


def test_damaged_events_come_back_from_their_file(run: Path, finished: Path) -> None:
    change(run, "UPDATE events SET data = '{}' WHERE kind = 'designed'")
    change(run, "DELETE FROM events WHERE kind = 'learned'")
    repair(run)
    assert verify(run) == []
    with RunStore.read(run) as store, RunStore.read(finished) as expected:
        assert store.events() == expected.events()


@pytest.mark.parametrize("key", ["'x'", "''", "'5'", "'[]'", "'[1, 2, 3]'", "'[[1]]'", "x'00ff'"])
@pytest.mark.parametrize("table", ["events", "costs", "designs"])
def test_a_checksum_that_names_no_record_is_dropped(run: Path, table: str, key: str) -> None:
    change(
        run,
        f"UPDATE sums SET key = {key} WHERE name = '{table}' AND key ="  # noqa: S608 - our names
        f" (SELECT key FROM sums WHERE name = '{table}' ORDER BY key LIMIT 1)",
    )
    assert "a checksum that names no record" in texts(run)
    assert "dropped 1 damaged checksums" in repair(run)
    assert "names no record" not in texts(run)


def test_settings_and_reports_are_restored(run: Path, finished: Path) -> None:
    (run / "run.json").write_text(json.dumps({"space": "other"}))
    assert "run.json" in texts(run)
    repair(run)
    assert (run / "run.json").read_bytes() == (finished / "run.json").read_bytes()
    (run / "run.json").unlink()
    (run / "front.json").write_text("[]")
    (run / "report.html").unlink()
    repair(run)
    assert verify(run) == []
    assert (run / "front.json").read_bytes() == (finished / "front.json").read_bytes()


def test_lost_records_are_named_and_can_be_accepted(
    tmp_path: Path, toy: Callable[..., SearchConfig], finished: Path
) -> None:
    """The log of the database was removed: the events of its last commits are in the file alone."""
    search = Search(toy(tmp_path, rounds=2, per_niche=3))
    copy = tmp_path / "copy"

    def pull(event: object) -> None:
        if getattr(event, "kind", "") == "round-done" and not copy.exists():
            shutil.copytree(search.folder, copy, ignore=shutil.ignore_patterns("run.sqlite-*"))

    search.run(pull)
    assert "what happened in between is lost" in texts(copy)
    with pytest.raises(RunError, match="has lost"):
        Search.resume(copy)
    assert any("events.lost.jsonl" in line for line in repair(copy))
    assert (copy / "events.lost.jsonl").stat().st_size > (copy / "events.jsonl").stat().st_size
    Search.resume(copy).run()
    assert (copy / "front.json").read_bytes() == (finished / "front.json").read_bytes()
    assert verify(copy) == []


def test_a_file_whose_structure_is_damaged_is_one_problem(run: Path) -> None:
    data = bytearray((run / "run.sqlite").read_bytes())
    data[4096 * 3 : 4096 * 3 + 200] = bytes(200)
    (run / "run.sqlite").write_bytes(data)
    assert "damaged" in texts(run)


def test_tables_that_are_not_ours_are_refused(run: Path) -> None:
    with closing(sqlite3.connect(run / "run.sqlite", isolation_level=None)) as connection:
        connection.execute(
            "CREATE TRIGGER planted AFTER INSERT ON events BEGIN DELETE FROM costs; END"
        )
    assert "found others" in texts(run)
    with pytest.raises(RunError, match="found others"):
        RunStore.open(run)


def test_what_is_no_run_is_said(tmp_path: Path) -> None:
    with pytest.raises(RunError, match="there is no run"):
        verify(tmp_path)


def test_checksums_follow_every_way_of_writing(tmp_path: Path) -> None:
    database = Database(tmp_path / "run.sqlite", new=True)
    with database.transaction() as connection:
        connection.execute("INSERT INTO costs VALUES ('a', 1, 2, NULL, 0)")
        connection.execute("INSERT OR REPLACE INTO costs VALUES ('a', 1.5, 2, 3, 0)")
        connection.execute("INSERT INTO costs VALUES ('b', '7', 0, NULL, 0)")
        connection.execute("UPDATE costs SET candidate = 'c' WHERE candidate = 'b'")
        connection.execute("DELETE FROM costs WHERE candidate = 'a'")
    assert list(database.damaged()) == []
    database.close()
