"""The cache gives back what was put in, to any thread and process, or says why it cannot."""

import pickle
import sqlite3
import threading
from multiprocessing import get_context
from pathlib import Path

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from pelnas.cache import Cache, cache_key, default_cache
from pelnas.errors import StoreError

EACH = 25  # entries a writer puts

scalars = st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False) | st.text()
values = st.recursive(
    scalars, lambda inner: st.lists(inner) | st.dictionaries(st.text(), inner), max_leaves=8
)


@pytest.fixture
def cache(tmp_path: Path) -> Cache:
    return Cache(tmp_path / "deep" / "cache.sqlite")


@settings(suppress_health_check=[HealthCheck.function_scoped_fixture], deadline=None)
@given(st.text(st.characters(exclude_categories=["Cs"])), values)
def test_a_value_comes_back_as_it_was(cache: Cache, name: str, value: object) -> None:
    key = cache_key("any", name=name)
    cache.put(key, value)
    assert cache.get_many([key]) == {key: value}


def test_only_what_is_there_comes_back(cache: Cache) -> None:
    known, unknown = cache_key("x", a=1), cache_key("x", a=2)
    cache.put(known, [1.5, None])
    assert cache.get_many([unknown, known, known]) == {known: [1.5, None]}
    assert cache.get_many([]) == {}


def test_a_key_is_its_names_and_values_in_any_order(cache: Cache) -> None:
    assert cache_key("x", a=1, b="2") == cache_key("x", b="2", a=1)
    cache.put(cache_key("x", a=1), "number")
    cache.put(cache_key("x", a="1"), "text")
    cache.put(cache_key("y", a=1), "other kind")
    assert cache.get_many([cache_key("x", a=1)]) == {cache_key("x", a=1): "number"}
    assert cache.get_many([cache_key("x", a="1")]) == {cache_key("x", a="1"): "text"}


def test_the_last_value_wins(cache: Cache) -> None:
    key = cache_key("x", a=1)
    cache.put(key, 1)
    cache.put(key, 2)
    assert cache.get_many([key]) == {key: 2}


def test_many_keys_are_asked_for_at_once(cache: Cache) -> None:
    entries = {cache_key("x", a=n): n for n in range(2345)}
    cache.put_many(entries)
    assert cache.get_many(entries) == entries


def test_entries_outlive_their_cache_and_travel_with_it(cache: Cache) -> None:
    key = cache_key("x", a=1)
    cache.put(key, "kept")
    assert Cache(cache.path).get_many([key]) == {key: "kept"}
    copy = pickle.loads(pickle.dumps(cache))  # noqa: S301 - our own bytes
    assert copy.get_many([key]) == {key: "kept"}


def write(path: Path, writer: int) -> None:
    own = Cache(path)
    for n in range(EACH):
        own.put(cache_key("x", writer=writer, n=n), n)


def test_processes_and_threads_lose_nothing(tmp_path: Path) -> None:
    path = tmp_path / "cache.sqlite"  # created by all of them at once
    context = get_context("spawn")
    processes = [context.Process(target=write, args=(path, w)) for w in range(3)]
    threads = [threading.Thread(target=write, args=(path, w)) for w in range(3, 6)]
    for worker in (*processes, *threads):
        worker.start()
    for worker in (*processes, *threads):
        worker.join()
    assert [process.exitcode for process in processes] == [0, 0, 0]
    entries = {cache_key("x", writer=w, n=n): n for w in range(6) for n in range(EACH)}
    assert Cache(path).get_many(entries) == entries


def test_a_file_that_is_no_cache_is_named_and_left_alone(tmp_path: Path) -> None:
    path = tmp_path / "cache.sqlite"
    path.write_bytes(b"something else of the user's" * 50)
    with pytest.raises(StoreError, match=r"usable cache .*cache\.sqlite.*PELNAS_CACHE"):
        Cache(path)
    assert path.read_bytes() == b"something else of the user's" * 50


def test_a_folder_that_cannot_be_is_refused(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("")
    with pytest.raises(StoreError, match="PELNAS_CACHE"):
        Cache(tmp_path / "file" / "cache.sqlite")


def test_a_value_that_was_damaged_is_refused(cache: Cache) -> None:
    key = cache_key("x", a=1)
    cache.put(key, 1)
    with sqlite3.connect(cache.path) as connection:
        connection.execute("UPDATE entries SET value = '{'")
    connection.close()
    with pytest.raises(StoreError, match="usable cache"):
        cache.get_many([key])


def test_the_default_is_where_the_environment_says(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("PELNAS_CACHE", str(tmp_path / "mine"))
    assert default_cache().path.parent == tmp_path / "mine"
