"""Orders of programs wait in the store, change nothing, and are decided on once."""

import sqlite3
from pathlib import Path

import pytest

from pelnas.config import SearchConfig
from pelnas.directives import parse
from pelnas.store import RunStore
from pelnas.store.folder import DATABASE

BAN = "/ban none"


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    with RunStore.create(SearchConfig(space="tiny", output=tmp_path)) as store:
        return store.folder


def test_an_order_waits_until_it_is_decided_on(folder: Path) -> None:
    with RunStore.steer(folder) as store:
        first = store.append_waiting(parse(BAN), "mcp", "please ban \ud800")
        second = store.append_waiting(parse("/pause"), "mcp", "/pause")
        assert (first.id, second.id) == ("w1", "w2")
        assert store.directives() == []
    with RunStore.steer(folder) as store:
        assert [(w.id, w.author, w.words) for w in store.waiting()] == [
            ("w1", "mcp", "please ban ?"),
            ("w2", "mcp", "/pause"),
        ]
        assert store.waiting()[0].order == parse(BAN)
        assert store.decide_waiting(1, "ann", "given")
        assert [w.id for w in store.waiting()] == ["w2"]
        assert not store.decide_waiting(1, "bob", "declined")
        assert not store.decide_waiting(9, "bob", "given")


def test_what_was_asked_and_decided_is_never_changed(folder: Path) -> None:
    with RunStore.steer(folder) as store:
        store.append_waiting(parse(BAN), "mcp", BAN)
        store.append_waiting(parse(BAN), "mcp", BAN)
        store.decide_waiting(1, "ann", "declined")
    with sqlite3.connect(folder / DATABASE) as connection:
        for change in (
            "UPDATE waiting SET command = '/stop'",
            "DELETE FROM waiting",
            "UPDATE decided SET decision = 'given'",
            "DELETE FROM decided",
        ):
            with pytest.raises(sqlite3.DatabaseError):
                connection.execute(change)
    connection.close()
