"""Where a run is follows from its store: whatever happens to the folder, nothing is done twice."""

import json
import random
import shutil
import sqlite3
import time
from collections import Counter
from collections.abc import Callable
from functools import partial
from pathlib import Path

import pytest
from langgraph.checkpoint.memory import InMemorySaver

from pelnas import Search, SearchConfig
from pelnas.errors import RunError, Stopped
from pelnas.graph.runs.fork import fork
from pelnas.graph.runs.search import Result
from pelnas.graph.search.graph import build_graph
from pelnas.graph.session.open_runs import Sessions
from pelnas.graph.session.position import Position, position
from pelnas.store import Event, RunStore

pytestmark = pytest.mark.usefixtures("no_pictures")
Settings = Callable[..., SearchConfig]
STOPS = (1, 24, 30)  # evaluations after which a search of 36 is stopped


@pytest.fixture(scope="module")
def config(toy: Settings) -> Settings:
    return partial(toy, rounds=3, per_niche=4)


@pytest.fixture(scope="module")
def whole(config: Settings, tmp_path_factory: pytest.TempPathFactory) -> Result:
    """A search that nothing disturbed; to read only."""
    return Search(config(tmp_path_factory.mktemp("whole"))).run()


def stop_after(search: Search, kind: str, count: int) -> Result:
    seen = 0

    def stop(event: Event) -> None:
        nonlocal seen
        seen += event.kind == kind
        if seen == count:
            search.stop()

    return search.run(stop)


@pytest.fixture
def stopped(config: Settings, tmp_path: Path) -> Path:
    """The folder of a search that was stopped in the middle of its second round."""
    return stop_after(Search(config(tmp_path)), "evaluated", 17).folder


def check_same(folder: Path, whole: Path) -> None:
    """The same answer, by the same evaluations, each made once."""
    assert (folder / "front.json").read_bytes() == (whole / "front.json").read_bytes()
    with RunStore.read(folder) as store, RunStore.read(whole) as expected:
        assert store.evaluations() == expected.evaluations()
        assert store.ignored() == 0
        evaluated = Counter(e.data["candidate"] for e in store.events() if e.kind == "evaluated")
        assert evaluated == Counter(c.id for c in expected.candidates())


# -- the folder ------------------------------------------------------------------------


def test_a_stopped_run_that_was_renamed_goes_on(stopped: Path, whole: Result) -> None:
    renamed = stopped.rename(stopped.parent / "my experiment #1")
    check_same(Search.resume(renamed).run().folder, whole.folder)


def test_a_copy_goes_on_and_so_does_the_original(
    stopped: Path, tmp_path: Path, whole: Result
) -> None:
    copy = Path(shutil.copytree(stopped, tmp_path / "elsewhere" / stopped.name))
    for folder in (copy, stopped):
        check_same(Search.resume(folder).run().folder, whole.folder)
    with RunStore.read(copy) as one, RunStore.read(stopped) as other:
        assert one.id == other.id != ""


def test_a_finished_run_that_was_renamed_is_extended(
    config: Settings, tmp_path: Path, whole: Result
) -> None:
    short = Search(config(tmp_path, rounds=2)).run().folder
    renamed = short.rename(short.with_name("kept"))
    check_same(Search.resume(renamed, rounds=3).run().folder, whole.folder)


def test_a_clock_that_steps_back_changes_nothing(
    stopped: Path, whole: Result, monkeypatch: pytest.MonkeyPatch
) -> None:
    now = time.time
    monkeypatch.setattr(time, "time", lambda: now() - 15.0)
    check_same(Search.resume(stopped).run().folder, whole.folder)


@pytest.mark.parametrize("content", [b"", b"SQLite format 3\0" + bytes(100), b"no database"])
def test_checkpoints_in_the_folder_are_nobodys_business(
    stopped: Path, whole: Result, content: bytes
) -> None:
    (stopped / "checkpoints.sqlite").write_bytes(content)
    check_same(Search.resume(stopped).run().folder, whole.folder)
    assert (stopped / "checkpoints.sqlite").read_bytes() == content


# -- the store ---------------------------------------------------------------------------


@pytest.mark.parametrize("count", STOPS)
def test_a_run_goes_on_wherever_it_was_stopped(
    config: Settings, tmp_path: Path, whole: Result, count: int
) -> None:
    stopped = stop_after(Search(config(tmp_path)), "evaluated", count).folder
    check_same(Search.resume(stopped).run().folder, whole.folder)


@pytest.mark.parametrize("kind", ["round-planned", "designed", "reflected", "learned"])
def test_a_run_goes_on_after_every_kind_of_step(
    config: Settings, tmp_path: Path, whole: Result, kind: str
) -> None:
    stopped = stop_after(Search(config(tmp_path)), kind, 2).folder
    check_same(Search.resume(stopped).run().folder, whole.folder)


def test_a_store_without_its_log_is_refused(config: Settings, tmp_path: Path) -> None:
    search = Search(config(tmp_path))
    copy = tmp_path / "copy"

    def pull_the_plug(event: Event) -> None:
        if event.kind == "round-done" and event.round == 1:
            shutil.copytree(search.folder, copy, ignore=shutil.ignore_patterns("run.sqlite-*"))
            search.stop()

    search.run(pull_the_plug)
    with pytest.raises(RunError, match=r"has lost what happened.*run\.sqlite-wal.*--repair"):
        Search.resume(copy)


@pytest.mark.parametrize(
    "change",
    [
        "UPDATE predictions SET score = score + 1 WHERE rowid = 3",
        "UPDATE designs SET architecture = (SELECT architecture FROM designs LIMIT 1)"
        " WHERE id = 'r1n0c0'",
        "DELETE FROM costs WHERE rowid = 5",
        "DELETE FROM events WHERE seq = 20",
        "UPDATE niches SET label = 'other' WHERE niche = 1",
        "UPDATE run SET finished = 5",
    ],
)
def test_a_damaged_record_is_refused(stopped: Path, change: str) -> None:
    tamper(stopped, change)
    with pytest.raises(RunError, match=r"damaged: .*pelnas verify"):
        Search.resume(stopped)
    with pytest.raises(RunError, match="damaged: "):
        fork(stopped, 0)


def tamper(folder: Path, *changes: str) -> None:
    """Change a store behind the back of its checksums, as a flipped bit would."""
    connection = sqlite3.connect(folder / "run.sqlite", isolation_level=None)
    triggers = connection.execute(
        "SELECT name, sql FROM sqlite_master WHERE type = 'trigger'"
    ).fetchall()
    for name, _ in triggers:
        connection.execute(f"DROP TRIGGER {name}")
    for change in changes:
        assert connection.execute(change).rowcount == 1
    for _, sql in triggers:
        connection.execute(sql)
    connection.close()


def test_flipped_bytes_anywhere_in_the_store_are_refused_or_harmless(
    stopped: Path, tmp_path: Path, whole: Result
) -> None:
    data = (stopped / "run.sqlite").read_bytes()
    rng, refused = random.Random(5), 0
    for number in range(6):
        copy = Path(shutil.copytree(stopped, tmp_path / "flipped" / str(number)))
        place = rng.randrange(len(data))
        flipped = bytes([data[place] ^ (1 << rng.randrange(8))])
        (copy / "run.sqlite").write_bytes(data[:place] + flipped + data[place + 1 :])
        try:
            search = Search.resume(copy)
        except RunError:
            refused += 1
        else:
            check_same(search.run().folder, whole.folder)
    assert refused > 0


@pytest.mark.parametrize(
    ("name", "value"), [("seed", 7), ("device", "other"), ("budget", {"calls": 5})]
)
def test_settings_that_were_edited_are_refused(stopped: Path, name: str, value: object) -> None:
    path = stopped / "run.json"
    values = json.loads(path.read_text())
    path.write_text(json.dumps(values | {name: value}))
    for look in (Search.resume, RunStore.read, RunStore.steer, fork):
        with pytest.raises(RunError, match=rf"changed after its run was made \({name}"):
            look(stopped)


def test_settings_in_another_layout_are_the_same_settings(stopped: Path, whole: Result) -> None:
    path = stopped / "run.json"
    path.write_text(json.dumps(json.loads(path.read_text())))
    check_same(Search.resume(stopped).run().folder, whole.folder)


# -- the graph ---------------------------------------------------------------------------


@pytest.mark.parametrize("node", ["prepare", "plan", "design", "evaluate", "learn", "report"])
def test_a_state_that_is_not_the_runs_redoes_nothing(
    stopped: Path, whole: Result, node: str
) -> None:
    """A thread of a server may be older than its run, or written by somebody else."""
    graph = build_graph(Sessions(stopped.parent), InMemorySaver())
    thread = {"configurable": {"thread_id": "1"}, "recursion_limit": 100}
    forged = {"run": stopped.name, "round": 0, "plan": [], "stop": "because I say so"}
    graph.update_state(thread, forged, as_node=node)  # type: ignore[arg-type]
    before = node if graph.get_state(thread).next else None  # type: ignore[arg-type]
    graph.invoke(None if before else {"run": stopped.name}, thread)  # type: ignore[arg-type]
    check_same(stopped, whole.folder)


def test_a_search_whose_server_died_is_resumed_here(
    config: Settings, tmp_path: Path, whole: Result
) -> None:
    sessions = Sessions(tmp_path / "runs")
    graph = build_graph(sessions, InMemorySaver())
    session = sessions.create(json.loads(config(tmp_path).model_dump_json()))

    def stop(event: Event) -> None:
        if event.kind == "round-done":
            session.stop()

    session.store.subscribe(stop)
    thread = {"configurable": {"thread_id": "1"}, "recursion_limit": 100}
    with pytest.raises(Stopped):
        graph.invoke({"run": session.store.folder.name}, thread)  # type: ignore[call-overload]
    sessions.close(session.store.folder.name)  # as a server does that dies, by force
    check_same(Search.resume(session.store.folder).run().folder, whole.folder)


def test_a_finished_run_is_not_begun_again_by_a_state(whole: Result) -> None:
    graph = build_graph(Sessions(whole.folder.parent))
    with pytest.raises(RunError, match="finished"):
        graph.invoke({"run": whole.folder.name, "round": 0})  # type: ignore[call-overload]


def test_where_a_run_is_is_read_from_its_records(stopped: Path, whole: Result) -> None:
    with RunStore.read(stopped) as store:
        assert position(store) == Position(1, "evaluate")
    with RunStore.read(whole.folder) as store:
        assert position(store) == Position(3, "plan")


def test_reading_costs_what_one_round_holds(whole: Result) -> None:
    """No statement reads a table from end to end, but for the rows of one round."""
    with RunStore.read(whole.folder) as store:
        asked: list[str] = []
        store._database._connection.set_trace_callback(asked.append)
        position(store)
        store._database._connection.set_trace_callback(None)
        plans = [
            str(row["detail"])
            for sql in asked
            for row in store._database.rows(f"EXPLAIN QUERY PLAN {sql}")
        ]
    assert not [plan for plan in plans if plan.startswith("SCAN events") and "INDEX" not in plan]
    assert not [plan for plan in plans if plan.startswith("SCAN designs")]
