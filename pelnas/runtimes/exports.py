"""ONNX files of many networks at once, before any of them is timed: on all cores."""

import json
import subprocess
import sys
from collections.abc import Iterator, Sequence
from contextlib import contextmanager, suppress
from dataclasses import asdict
from pathlib import Path

from pelnas.architecture import Shape
from pelnas.cache import Cache
from pelnas.errors import InputError
from pelnas.processes import cores, environment
from pelnas.runtimes.deployed import Deployed
from pelnas.spaces import get_space

START, EACH = 120.0, 60.0  # seconds that a process may take to start, and for each network
FEW = 8  # networks that are exported before another process has imported torch


def export_all(networks: Sequence[Deployed], cache: Cache) -> None:
    """Put the files of these into the cache; where this fails, they are made when they are loaded.

    This process exports a share, and one more process for each other core another. It
    ends when all are done, so that nothing disturbs what is timed next.
    """
    missing = [each for each in networks if not each.is_kept(cache)]
    shares = cores()
    if len(missing) <= FEW or shares == 1 or not _can_be_found(missing[0]):
        return
    with _processes([missing[n::shares] for n in range(1, shares)], cache):
        for network in missing[::shares]:
            network.measurable(cache)


def _can_be_found(network: Deployed) -> bool:
    """Whether another process gets the same space by its name."""
    try:
        return type(get_space(network.space.name)) is type(network.space)
    except InputError:
        return False


@contextmanager
def _processes(shares: Sequence[Sequence[Deployed]], cache: Cache) -> Iterator[None]:
    """Export each share in a process of its own; all have ended after the block."""
    started: list[subprocess.Popen[bytes]] = []
    try:
        # One by one: those that were started end, too, where a later one cannot be.
        started.extend(_started(share, cache) for share in shares if share)
        yield
        longest = START + EACH * max(map(len, shares), default=0)
        with suppress(subprocess.TimeoutExpired):  # what it lacks is exported when it is loaded
            for process in started:
                process.wait(longest)
    finally:
        for process in started:
            process.kill()
            process.wait()


def _started(share: Sequence[Deployed], cache: Cache) -> "subprocess.Popen[bytes]":
    job = {
        "cache": str(cache.path),
        "space": share[0].space.name,
        "shape": asdict(share[0].shape),
        "architectures": [each.space.format(each.architecture) for each in share],
    }
    # A session of its own: Ctrl-C reaches the search, which then ends its processes.
    process = subprocess.Popen(
        [sys.executable, "-c", "from pelnas.runtimes.exports import serve; serve()"],
        stdin=subprocess.PIPE,
        stdout=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL,
        env=environment(1),
        start_new_session=True,
    )
    assert process.stdin is not None  # noqa: S101 - it is a pipe
    try:
        process.stdin.write(json.dumps(job).encode())
        process.stdin.close()
    except BrokenPipeError:
        pass  # it died: its share is exported when it is loaded
    return process


def serve() -> None:
    """The other process's side: a share from standard input, whose files go into the cache.

    A network that cannot be exported ends it: the search meets the same error, and says it.
    """
    job = json.load(sys.stdin)
    space, shape = get_space(job["space"]), Shape(**job["shape"])
    cache = Cache(Path(job["cache"]))
    for text in job["architectures"]:
        Deployed(space, space.parse(text), shape).measurable(cache)
