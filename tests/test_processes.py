"""Workers compute with the threads they are given, and import what this process does; sums on one core."""

import os
import subprocess
import sys

import numpy as np
import pytest
from threadpoolctl import threadpool_info, threadpool_limits

from pelnas.processes import cores, environment, one_core


def test_a_worker_has_its_threads_and_finds_the_package() -> None:
    code = "import os, pelnas; print(os.environ['OMP_NUM_THREADS'], pelnas.__file__)"
    found = subprocess.run(
        [sys.executable, "-c", code],
        env=environment(3),
        capture_output=True,
        text=True,
        check=True,
        timeout=60,
    )
    threads, file = found.stdout.split()
    assert threads == "3"
    assert file == sys.modules["pelnas"].__file__


def test_cores_are_those_that_the_process_may_use(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(os, "sched_getaffinity", lambda _: {0, 5, 7}, raising=False)
    assert cores() == 3
    monkeypatch.delattr(os, "sched_getaffinity")
    monkeypatch.setattr(os, "cpu_count", lambda: None)
    assert cores() == 1


def test_sums_stay_on_one_core_until_the_last_who_asked_has_left() -> None:
    def threads() -> set[int]:
        return {pool["num_threads"] for pool in threadpool_info() if pool["user_api"] == "blas"}

    assert np.eye(2).sum() == 2  # loads a library of sums
    with threadpool_limits(2, user_api="blas"):
        one, other = one_core(), one_core()
        one.__enter__()
        other.__enter__()
        assert threads() == {1}
        one.__exit__(None, None, None)
        assert threads() == {1}
        other.__exit__(None, None, None)
        assert threads() == {2}
