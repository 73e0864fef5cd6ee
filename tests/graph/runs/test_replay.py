"""Recorded searches run again: the same bytes, nobody asked, and loud where something is missing."""

import json
import shutil
import sqlite3
import threading
import zipfile
from collections.abc import Sequence
from contextlib import closing
from itertools import count
from pathlib import Path
from typing import Any

import pytest

from pelnas import Search, SearchConfig
from pelnas.agents.testing.scripted import ScriptedModel
from pelnas.calls.call import Message
from pelnas.config import Budget
from pelnas.errors import ReplayError, StoreError
from pelnas.graph.runs.replay import replay
from pelnas.recording import export, open_recording
from pelnas.spaces import get_space
from pelnas.store import Event, RunStore, sums
from pelnas.store.database import Database

SPACE = get_space("tiny")


def answer(messages: Sequence[Message], schema: dict[str, Any]) -> str:
    """Designs of mixed quality, different for every niche and round; no plans, no rules."""
    start = sum(map(ord, messages[-1].content)) % SPACE.size
    cells = [SPACE.format(SPACE.at((start + 7 * k) % SPACE.size)) for k in range(4)]
    designs = [{"architecture": cell, "operation": "sample"} for cell in cells]
    return json.dumps({"designs": designs})


def recorded_run(tmp_path: Path, tables: Path, **changes: Any) -> Path:
    model = ScriptedModel(answer)
    settings = values(tmp_path, tables, designer_model=model.name, **changes)
    return Search(SearchConfig(**settings), {model.name: model}).run().folder


def values(tmp_path: Path, tables: Path, **changes: Any) -> dict[str, Any]:
    return {
        "space": "tiny",
        "device": "toy",
        "dataset": "toy10",
        "data": tables,
        "accuracy": "table",
        "rounds": 3,
        "per_niche": 4,
        "output": tmp_path / "runs",
    } | changes


def test_a_replay_finds_the_same_front_and_rules(tmp_path: Path, tiny_tables: Path) -> None:
    folder = recorded_run(tmp_path, tiny_tables)
    with open_recording(folder) as recording:
        found = replay(recording, tmp_path / "again")
    assert found.same_front
    assert found.same_rules
    first, second = folder / "front.json", found.result.folder / "front.json"
    assert first.read_bytes() == second.read_bytes()
    with RunStore.read(folder) as one, RunStore.read(found.result.folder) as other:
        answers = [{c.id: c.answer for c in store.calls()} for store in (one, other)]
        assert answers[0] == answers[1]


def test_an_exported_recording_needs_neither_the_run_nor_its_tables(
    tmp_path: Path, tiny_tables: Path
) -> None:
    tables = shutil.copytree(tiny_tables, tmp_path / "own")
    folder = recorded_run(tmp_path, tables)
    file = tmp_path / "shared.zip"
    export(folder, file)
    folder.rename(tmp_path / "elsewhere")
    tables.rename(tmp_path / "gone")
    with open_recording(file) as recording:
        found = replay(recording, tmp_path / "again")
    assert found.same_front
    assert found.same_rules


@pytest.mark.parametrize("name", ["C# nets", "file: 50%25 off, why?"])
def test_a_run_below_a_folder_of_any_name_is_exported_whole(
    tmp_path: Path, tiny_tables: Path, name: str
) -> None:
    """SQLite addresses give ``#``, ``?`` and ``%`` a meaning of their own."""
    folder = recorded_run(tmp_path / name, tiny_tables, rounds=1)
    before = sorted(tmp_path.iterdir())
    export(folder, tmp_path / name / "shared.zip")
    assert sorted(tmp_path.iterdir()) == before
    with open_recording(tmp_path / name / "shared.zip") as recording:
        assert replay(recording, tmp_path / "again").same_front


def test_a_copy_that_lacks_something_is_not_called_done(
    tmp_path: Path, tiny_tables: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    folder = recorded_run(tmp_path, tiny_tables, rounds=1)
    copied = Database.rows

    def lossy(self: Database, sql: str, values: Sequence[Any] = ()) -> list[sqlite3.Row]:
        found = copied(self, sql, values)
        if sql.startswith("VACUUM INTO"):
            with closing(sqlite3.connect(values[0])) as copy, copy:
                copy.execute("DELETE FROM events")
        return found

    monkeypatch.setattr(Database, "rows", lossy)
    with pytest.raises(StoreError, match=r"found 0: .* nothing was written"):
        export(folder, tmp_path / "shared.zip")
    assert not (tmp_path / "shared.zip").exists()


def test_a_missing_request_is_told_with_its_nearest(tmp_path: Path, tiny_tables: Path) -> None:
    folder = recorded_run(tmp_path, tiny_tables)
    with sqlite3.connect(folder / "run.sqlite") as connection:
        sums.register(connection)
        connection.execute(
            "UPDATE calls SET request = 'other', messages = replace(messages, 'Round 2', 'Round 5')"
            " WHERE id = 'r1.designer.n0.a0'"
        )
    connection.close()
    with (
        open_recording(folder) as recording,
        pytest.raises(ReplayError, match=r"r1\.designer\.n0\.a0.*Round 5.*Round 2"),
    ):
        replay(recording, tmp_path / "again")


def test_a_missing_score_is_told(tmp_path: Path, tiny_tables: Path) -> None:
    folder = recorded_run(tmp_path, tiny_tables)
    with sqlite3.connect(folder / "run.sqlite") as connection:
        connection.execute("DELETE FROM predictions WHERE candidate = 'r1n1c0'")
    connection.close()
    with (
        open_recording(folder) as recording,
        pytest.raises(ReplayError, match="whose score nobody recorded"),
    ):
        replay(recording, tmp_path / "again")


def test_a_run_that_ran_out_of_time_ends_where_it_ended(tmp_path: Path, tiny_tables: Path) -> None:
    model = ScriptedModel(answer)
    settings = values(tmp_path, tiny_tables, designer_model=model.name, budget=Budget(minutes=60))
    search = Search(SearchConfig(**settings), {model.name: model})
    evaluated = count(1)

    def spend(event: Event) -> None:
        if event.kind == "evaluated" and next(evaluated) == 17:  # the fifth of the second round
            search.session.meter._ticked -= 3600  # an hour has passed

    assert "60 minutes" in search.run(spend).reason
    with RunStore.read(search.folder) as store:
        assert len(store.evaluations()) == 17 < len(store.candidates())
    with open_recording(search.folder) as recording:
        found = replay(recording, tmp_path / "again")
    assert found.same_front
    with RunStore.read(found.result.folder) as again:
        assert len(again.evaluations()) == 17


def test_calls_that_a_budget_refused_are_refused_again(tmp_path: Path, tiny_tables: Path) -> None:
    """The designer of niche 0 came late, and got none of the two calls there were."""
    model = ScriptedModel(answer)
    settings = values(tmp_path, tiny_tables, designer_model=model.name, budget=Budget(calls=2))
    search = Search(SearchConfig(**settings), {model.name: model})

    asked = threading.Event()
    both = threading.Barrier(2, action=asked.set)  # else one of them might get both calls

    def hold_up(event: Event) -> None:
        if (event.kind, event.span) == ("step-begun", "r0.design.n0"):
            assert asked.wait(timeout=60)
        if event.kind == "call-begun":
            both.wait(timeout=60)

    folder = search.run(hold_up).folder
    with RunStore.read(folder) as store:
        assert {call.niche for call in store.calls()} == {1, 2}
    with open_recording(folder) as recording:
        found = replay(recording, tmp_path / "again")
    assert found.same_front
    assert found.same_rules


@pytest.mark.parametrize("content", [b"", b"no archive", None])
def test_a_file_that_is_no_recording_is_refused(tmp_path: Path, content: bytes | None) -> None:
    file = tmp_path / "recording.zip"
    if content is None:
        with zipfile.ZipFile(file, "w") as archive:
            archive.writestr("../run.json", "{}")
    else:
        file.write_bytes(content)
    with pytest.raises(ReplayError, match="expected a recording"), open_recording(file):
        pass
