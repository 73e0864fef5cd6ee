"""The run store when its process is killed and when the disk is full."""

import os
import random
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest
import warm
from patience import limited

from pelnas.store import RunStore

# Opens or begins a run, then stores one design after another and says each time what is stored.
WRITER = """
import sys
from pathlib import Path
from pelnas.architecture import Cost, Design, Prediction
from pelnas.config import SearchConfig
from pelnas.errors import StoreError
from pelnas.store import RunStore

output, first, last = Path(sys.argv[1]), int(sys.argv[2]), int(sys.argv[3])
folder = output / "s-search"
run = RunStore.open(folder) if folder.exists() else RunStore.create(SearchConfig(output=output), "s")
if len(sys.argv) > 4:
    import resource
    resource.setrlimit(resource.RLIMIT_FSIZE, (int(sys.argv[4]),) * 2)
try:
    for number in range(first, last):
        run.replace_designs(number, 0, [Design("x" * 200, "m", "free")], [])
        for candidate in run.without_prediction(number):
            run.record_prediction(candidate.id, Prediction(float(number)), 1, 1.0)
        for candidate in run.without_cost(number):
            run.record_cost(candidate.id, Cost(1.0))
        run.event("scored", number=number)
        print(number, flush=True)
except StoreError as error:
    print("refused", len(run.evaluations()), error, flush=True)
"""


def start(*arguments: object) -> warm.Warm:
    command = [sys.executable, "-c", WRITER, *map(str, arguments)]
    return warm.Warm(command, stdout=subprocess.PIPE, text=True)


def test_a_killed_process_loses_nothing_it_was_told_is_stored(tmp_path: Path) -> None:
    rng = random.Random(0)
    stored: list[int] = []
    for _ in range(8):
        with start(tmp_path, stored[-1] + 1 if stored else 0, 10**6) as writer:
            assert writer.stdout is not None
            with limited(writer):
                stored.append(int(writer.stdout.readline()))  # it is at work
            time.sleep(rng.uniform(0, 0.1))
            os.kill(writer.pid, signal.SIGKILL)
            stored += [int(line) for line in writer.stdout if line.endswith("\n")]
        with RunStore.read(tmp_path / "s-search") as run:
            scored = [evaluation.score for evaluation in run.evaluations()]
            events = {event.data["number"] for event in run.events()}
        assert scored[: len(stored)] == stored
        assert len(scored) <= len(stored) + 1  # at most the one that was under way
        assert events >= set(stored)
    assert stored == list(range(len(stored)))
    with RunStore.open(tmp_path / "s-search") as run:  # the lock went with the process
        assert run.ignored() == 0  # and nothing was scored twice


def check_refused(output: Path, lines: list[str]) -> None:
    stored = [int(line) for line in lines[:-1]]
    assert stored == list(range(len(stored)))
    assert stored, "the disk was full before anything was stored"
    word, kept, *message = lines[-1].split(" ", 2)
    assert word == "refused"
    assert int(kept) >= len(stored)
    assert "free disk space" in message[0]
    with RunStore.read(output / "s-search") as run:
        assert [e.score for e in run.evaluations()][: len(stored)] == stored


def test_a_full_file_system_is_one_clear_sentence_and_loses_nothing(tmp_path: Path) -> None:
    disk = tmp_path / "disk"
    disk.mkdir()
    mount = ["mount", "-t", "tmpfs", "-o", "size=1m", "tmpfs", str(disk)]
    try:
        mounted = subprocess.run(mount, capture_output=True, timeout=120).returncode == 0
    except FileNotFoundError:
        mounted = False
    if not mounted:
        pytest.skip("mounting a small file system needs more rights than these tests have")
    try:
        with start(disk, 0, 10**6) as writer:
            check_refused(disk, writer.communicate(timeout=120)[0].splitlines())
    finally:
        subprocess.run(["umount", str(disk)], check=True, timeout=120)


def test_a_file_that_may_not_grow_is_one_clear_sentence_and_loses_nothing(
    tmp_path: Path,
) -> None:
    with start(tmp_path, 0, 10**6, 300_000) as writer:
        check_refused(tmp_path, writer.communicate(timeout=120)[0].splitlines())
