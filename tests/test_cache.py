"""The cache gives back what was put in, to any thread and process, or says why it cannot."""

import os
import pickle
import signal
import sqlite3
import subprocess
import sys
import threading
from collections.abc import Sequence
from contextlib import closing
from multiprocessing import get_context
from pathlib import Path

import pytest
import warm
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from patience import limited
from pool_work import putting

from pelnas.architecture import Shape
from pelnas.cache import Cache, Entry, cache_key, default_cache, share
from pelnas.config import Measurement
from pelnas.devices.host import HostDevice, _is_timing
from pelnas.errors import StoreError
from pelnas.spaces import get_space

# Keeps the cache to itself: its lock, or the right to write.
HOLDER = """
import sqlite3, sys
from filelock import FileLock
path, what = sys.argv[1:]
if what == "lock":
    held = FileLock(path + ".lock")
    held.acquire()
else:
    held = sqlite3.connect(path, isolation_level=None)
    held.execute("BEGIN EXCLUSIVE")
print("held", flush=True)
sys.stdin.read()
"""
EACH = 25  # entries a writer puts

numbers = st.integers(-(2**63) + 1, 2**63 - 1)
scalars = st.none() | st.booleans() | numbers | st.floats(allow_nan=False) | st.text()
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


def test_processes_and_threads_lose_nothing(tmp_path: Path) -> None:
    path = tmp_path / "cache.sqlite"  # created by all of them at once
    context = get_context("spawn")
    processes = [context.Process(target=putting, args=(path, w, EACH)) for w in range(3)]
    threads = [threading.Thread(target=putting, args=(path, w, EACH)) for w in range(3, 6)]
    for worker in (*processes, *threads):
        worker.start()
    for worker in (*processes, *threads):
        worker.join(60)
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


@pytest.mark.parametrize(
    "text", ["{", "9" * 5_000, "[" * 100_000, "[-1.0, 0.1]", '"fast"', "[NaN, 1]"]
)
def test_a_value_that_is_none_of_its_kind_counts_as_not_there(cache: Cache, text: str) -> None:
    damaged, sound = cache_key("x", a=1), cache_key("x", a=2)
    cache.put_many({damaged: [1.0, 0.1], sound: [2.0, 0.1]})
    with closing(sqlite3.connect(cache.path)) as connection, connection:
        connection.execute("UPDATE entries SET value = ? WHERE key LIKE '%1]%'", (text,))
    assert cache.get_many([damaged, sound], _is_timing) == {sound: [2.0, 0.1]}


def test_a_timing_that_is_none_is_measured_again(cache: Cache) -> None:
    space = get_space("tiny")
    device = HostDevice(space, Shape.square(10, 8), Measurement(warmup=1, repeats=1), cache)
    (cost,) = device.costs([space.at(0)])
    with closing(sqlite3.connect(cache.path)) as connection, connection:
        connection.execute("UPDATE entries SET value = '[-3.0, 0.1]'")
    (again,) = device.costs([space.at(0)])
    assert cost.latency_ms > 0
    assert again.latency_ms > 0


@pytest.mark.parametrize("kept", ["lock", "database"])
def test_a_stopped_process_does_not_keep_others_waiting(
    tmp_path: Path, kept: str, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    monkeypatch.setattr("pelnas.cache.BUSY_SECONDS", 0.2)
    path = tmp_path / "cache.sqlite"
    key = cache_key("x", a=1)
    if kept == "database":
        Cache(path).put(key, 0)
    command = [sys.executable, "-c", HOLDER, str(path), kept]
    pipes = {"stdin": subprocess.PIPE, "stdout": subprocess.PIPE, "text": True}
    with warm.Warm(command, **pipes) as holder:
        try:
            assert holder.stdout is not None
            with limited(holder):
                assert holder.stdout.readline() == "held\n"
            os.kill(holder.pid, signal.SIGSTOP)
            cache = Cache(path)
            cache.put(key, 1)
            cache.put(key, 2)
            assert cache.get_many([key]) == {}
        finally:
            holder.kill()
    messages = [record.getMessage() for record in caplog.records]
    assert len(messages) == 1
    assert "going on without it" in messages[0]


def test_the_default_is_where_the_environment_says(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("PELNAS_CACHE", str(tmp_path / "mine"))
    assert default_cache().path.parent == tmp_path / "mine"


class Elsewhere:
    """Entries of another machine, in memory."""

    def __init__(self) -> None:
        self.held: dict[str, str] = {}
        self.asked: list[str] = []

    def values(self, hashes: Sequence[str]) -> dict[str, str]:
        self.asked += hashes
        return {hash_: self.held[hash_] for hash_ in hashes if hash_ in self.held}

    def keep(self, entries: Sequence[Entry]) -> None:
        self.held |= {hash_: value for hash_, _, value in entries}


def test_what_another_machine_has_is_found_and_kept_here(tmp_path: Path) -> None:
    elsewhere, key, other = Elsewhere(), cache_key("score", of="a"), cache_key("score", of="b")
    Cache(tmp_path / "theirs", elsewhere).put(key, {"zen": 1.5})
    mine = Cache(tmp_path / "mine", elsewhere)
    assert Cache(tmp_path / "mine").get_many([key]) == {}
    assert mine.get_many([key, other]) == {key: {"zen": 1.5}}
    assert len(elsewhere.asked) == 2
    assert mine.get_many([key]) == {key: {"zen": 1.5}}
    assert len(elsewhere.asked) == 2  # not asked again for what is here now
    assert Cache(tmp_path / "mine").get_many([key]) == {key: {"zen": 1.5}}


def test_what_another_machine_has_damaged_counts_as_missing(tmp_path: Path) -> None:
    elsewhere, key = Elsewhere(), cache_key("score", of="a")
    Cache(tmp_path / "theirs", elsewhere).put(key, 1.5)
    elsewhere.held = dict.fromkeys(elsewhere.held, "{")
    mine = Cache(tmp_path / "mine", elsewhere)
    assert mine.get_many([key]) == {}
    mine.put(key, 2.5)
    assert mine.get_many([key]) == {key: 2.5}


def test_the_caches_of_a_process_share_what_it_was_told_to() -> None:
    elsewhere = Elsewhere()
    share(elsewhere)
    try:
        default_cache().put(cache_key("score"), 1)
    finally:
        share(None)
    assert list(elsewhere.held.values()) == ["1"]
    default_cache().put(cache_key("score"), 2)
    assert list(elsewhere.held.values()) == ["1"]
