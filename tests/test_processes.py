"""Worker processes compute with the threads they are given, and import what this process does."""

import os
import subprocess
import sys

import pytest

from pelnas.processes import cores, environment


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
