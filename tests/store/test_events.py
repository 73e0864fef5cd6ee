"""The event stream: whole or not at all, in order, and the same in the file as in the database."""

import json
import math
import os
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import asdict
from pathlib import Path

import pytest

from pelnas.config import SearchConfig
from pelnas.errors import StoreError
from pelnas.store import Event, RunStore


@pytest.fixture
def store(tmp_path: Path) -> Iterator[RunStore]:
    with RunStore.create(SearchConfig(output=tmp_path), "s") as run:
        yield run


def lines(store: RunStore) -> list[Event]:
    text = (store.folder / "events.jsonl").read_text()
    assert text.endswith("\n") or not text
    return [Event(**json.loads(line)) for line in text.splitlines()]


def test_an_event_has_its_place_and_its_data(store: RunStore) -> None:
    store.event(
        "designed", span="r1.design.n2", parent="r1", round=1, agent="designer", niche=2, n=3
    )
    (event,) = store.events()
    assert asdict(event) == {
        "seq": 1,
        "time": event.time,
        "kind": "designed",
        "span": "r1.design.n2",
        "parent": "r1",
        "round": 1,
        "agent": "designer",
        "niche": 2,
        "data": {"n": 3},
    }
    assert lines(store) == [event]
    assert store.events_of("r1.design.n2") == [event]
    assert store.kinds_and_spans() == {("designed", "r1.design.n2")}


def test_lines_are_json_of_every_reader_and_one_line_each(store: RunStore) -> None:
    store.event("said", text="a\nb\u2028c \ud83d", score=math.inf, spread=math.nan)
    raw = (store.folder / "events.jsonl").read_bytes()
    assert raw.count(b"\n") == 1
    assert raw.isascii()
    refuse = {"parse_constant": lambda name: pytest.fail(f"{name} is no JSON")}
    assert json.loads(raw, **refuse)["data"]["score"] is None
    assert lines(store) == store.events()


def test_what_is_stored_together_is_told_together(store: RunStore) -> None:
    heard: list[str] = []
    store.subscribe(lambda event: heard.append(event.kind))
    with store.together():
        store.add_seconds(1.0)
        store.event("first")
        with store.together():
            store.event("second")
        assert heard == []
        assert lines(store) == []
        with RunStore.read(store.folder) as view:
            assert (view.events(), view.spent().seconds) == ([], 0.0)
    assert heard == ["first", "second"]
    assert [event.kind for event in lines(store)] == heard
    assert store.spent().seconds == 1.0


def test_nothing_of_a_block_that_fails_is_stored_or_told(store: RunStore) -> None:
    heard: list[Event] = []
    store.subscribe(heard.append)

    def fail() -> None:
        with store.together():
            store.add_seconds(1.0)
            store.event("lost")
            raise KeyError

    with pytest.raises(KeyError):
        fail()
    store.event("kept")
    assert [event.kind for event in store.events()] == ["kept"]
    assert heard == store.events() == lines(store)
    assert store.spent().seconds == 0.0


def test_threads_tell_in_one_order(store: RunStore) -> None:
    def tell(name: int) -> None:
        for number in range(20):
            with store.together():
                store.event("a", name=name, number=number)
                store.event("b", name=name, number=number)

    with ThreadPoolExecutor(6) as pool:
        list(pool.map(tell, range(6)))
    events = store.events()
    assert lines(store) == events
    assert [event.seq for event in events] == list(range(1, 241))
    assert [event.time for event in events] == sorted(event.time for event in events)
    pairs = list(zip(events[::2], events[1::2], strict=True))
    assert all((a.kind, b.kind, a.data) == ("a", "b", b.data) for a, b in pairs)


@pytest.mark.parametrize(
    "damage",
    [
        lambda _: b"",
        lambda raw: raw[:-7],
        lambda raw: raw[: raw.index(b"\n") + 1],
        lambda raw: raw + b'{"seq": 99}\n',
        lambda raw: raw.replace(b"two", b"2"),
        lambda raw: raw[:-1],
    ],
    ids=["empty", "torn", "behind", "ahead", "edited", "unended"],
)
def test_opening_a_run_makes_the_file_say_what_the_database_says(
    store: RunStore, damage: Callable[[bytes], bytes]
) -> None:
    for kind in ("one", "two", "three"):
        store.event(kind)
    store.close()
    path = store.folder / "events.jsonl"
    whole = path.read_bytes()
    path.write_bytes(damage(whole))
    with RunStore.open(store.folder) as again:
        assert path.read_bytes() == whole
        again.event("four")
        assert lines(again) == again.events()


def test_a_file_that_is_gone_is_written_anew(store: RunStore) -> None:
    store.event("one")
    store.close()
    (store.folder / "events.jsonl").unlink()
    with RunStore.open(store.folder) as again:
        assert lines(again) == again.events()


def test_a_file_that_could_not_be_written_is_made_good_by_the_next_event(store: RunStore) -> None:
    store.event("one")
    path = store.folder / "events.jsonl"
    excluded = path.rename(store.folder / "aside")
    path.mkdir()  # nobody can write there, not even root
    with pytest.raises(StoreError, match="cannot be written"):
        store.event("two")
    path.rmdir()
    excluded.rename(path)
    with path.open("ab") as file:
        file.write(b'{"half": ')
    store.event("three")
    assert [event.kind for event in lines(store)] == ["one", "two", "three"]


def test_a_run_is_read_while_it_is_written(store: RunStore) -> None:
    with RunStore.read(store.folder) as view:
        store.event("one")
        store.event("two")
        assert [event.kind for event in view.events()] == ["one", "two"]
        assert [event.kind for event in view.events(after=1)] == ["two"]


def test_events_of_older_runs_find_their_places(store: RunStore) -> None:
    """A file of the first version, in which places stood among the data."""
    import sqlite3

    from pelnas.store.migrations import MIGRATIONS

    store.close()
    path = store.folder / "run.sqlite"
    for name in os.listdir(store.folder):
        if name.startswith("run.sqlite"):
            (store.folder / name).unlink()
    old = sqlite3.connect(path)
    old.executescript(MIGRATIONS[0])
    data = json.dumps({"round": 2, "niche": None, "agent": "planner", "tokens": 7})
    old.execute("INSERT INTO events (time, kind, data) VALUES (5, 'call', ?)", (data,))
    old.execute("INSERT INTO run (only, started) VALUES (1, 5)")
    old.execute(f"PRAGMA application_id = {0x50454C4E}")
    old.execute("PRAGMA user_version = 1")
    old.commit()
    old.close()
    with RunStore.open(store.folder) as again:
        (event,) = again.events()
        assert (event.round, event.niche, event.agent) == (2, None, "planner")
        assert event.data == {"tokens": 7}
        assert lines(again) == [event]
