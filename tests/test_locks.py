"""A lock is looked at without being taken, and taken where the file system has none."""

import errno
import os
import threading
from pathlib import Path

import pytest
from filelock import Timeout

from pelnas import locks
from pelnas.store.folder import in_use, lock, unlock

LOOKS = 300


def test_two_that_look_at_once_do_not_see_each_other(tmp_path: Path) -> None:
    locks.take(tmp_path / ".lock", 0).release()
    found: list[bool] = []

    def look() -> None:
        found.extend(in_use(tmp_path) for _ in range(LOOKS))

    threads = [threading.Thread(target=look) for _ in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(60)
    assert found == [False] * (4 * LOOKS)


def test_who_looks_is_in_nobodys_way(tmp_path: Path) -> None:
    guard = lock(tmp_path)
    assert in_use(tmp_path)
    unlock(tmp_path, guard)
    assert not in_use(tmp_path)


def test_a_pipe_in_the_place_of_a_lock_keeps_nobody_waiting(tmp_path: Path) -> None:
    os.mkfifo(tmp_path / ".lock")
    assert not in_use(tmp_path)


@pytest.mark.parametrize("answer", [errno.ENOSYS, errno.EOPNOTSUPP, errno.ENOLCK])
def test_a_file_system_without_locks_is_provided_for(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, answer: int
) -> None:
    def refuse(handle: int, operation: int) -> None:
        raise OSError(answer, os.strerror(answer))

    monkeypatch.setattr("fcntl.flock", refuse)
    path = tmp_path / ".lock"
    assert not locks.held(path)
    guard = locks.take(path, 0)
    assert locks.held(path)
    with pytest.raises(Timeout):
        locks.take(path, 0)
    guard.release()
    assert not locks.held(path)
    locks.take(path, 0).release()
