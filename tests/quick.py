"""What tests need not do in full each time: time networks for long, export one twice, import torch again.

``quickly`` holds for all tests; those that look at any of it are ``in_full``.
"""

import os
import subprocess
import sys
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from types import SimpleNamespace
from typing import Any

import pytest
import warm

from pelnas.app import launch
from pelnas.cache import Cache, Key
from pelnas.config import Measurement
from pelnas.pool import process
from pelnas.runtimes import exports, timer
from pelnas.runtimes.deployed import Deployed

PASSES = 3  # of each network, before another look at whether its latency is known
PYTHON = sys.executable

_relative_times = timer.relative_times
_is_kept, _measurable = Deployed.is_kept, Deployed.measurable
_files: dict[Key, Any] = {}  # of all tests of this process


def few_passes(passes: Any, reference: Any, measurement: Measurement, now: Any) -> Any:
    """A latency is the median of a few passes: nobody decides by it here."""
    less = {"warmup": 1, "repeats": min(PASSES, measurement.repeats)}
    return _relative_times(passes, reference, measurement.model_copy(update=less), now)


def kept(network: Deployed, cache: Cache) -> bool:
    """A file that some test has made is in the cache of each.

    Not of spaces that a test defines: of those the builds are counted.
    """
    if _is_kept(network, cache):
        return True
    file = _files.get(network._key()) if exports._can_be_found(network) else None
    if file is not None:
        cache.put(network._key(), file)
    return file is not None


def measurable(network: Deployed, cache: Cache) -> bytes:
    """The file, which later tests have as well."""
    kept(network, cache)
    content = _measurable(network, cache)
    _files.update(cache.get_many([network._key()]))
    return content


def worker(command: Sequence[str], *, env: Mapping[str, str], **options: Any) -> Any:
    """A process that need not import torch, unless it is to have other threads or another program."""
    threads = "OMP_NUM_THREADS"  # read while torch is imported
    if command[0] != PYTHON or env[threads] != os.environ[threads]:
        return subprocess.Popen(command, env=env, **options)
    return warm.Full(command, env=env, **options)


def _starting(start: Any) -> SimpleNamespace:
    """The module ``subprocess`` with another way to start a process."""
    return SimpleNamespace(**vars(subprocess) | {"Popen": start})


_WORKER = _starting(worker)
_PARTS = (
    (timer, "relative_times", _relative_times, few_passes),
    (Deployed, "is_kept", _is_kept, kept),
    (Deployed, "measurable", _measurable, measurable),
    (process, "subprocess", subprocess, _WORKER),
    (exports, "subprocess", subprocess, _WORKER),
    (launch, "subprocess", subprocess, _starting(warm.Warm)),
)


@contextmanager
def quickly() -> Iterator[None]:
    """For the length of a block."""
    with pytest.MonkeyPatch.context() as patch:
        for place, name, _, quick in _PARTS:
            patch.setattr(place, name, quick)
        yield


@contextmanager
def in_full() -> Iterator[None]:
    """All of it as it is, for the length of a block."""
    with pytest.MonkeyPatch.context() as patch:
        for place, name, whole, _ in _PARTS:
            patch.setattr(place, name, whole)
        yield
