"""What workers of tests do, where any interpreter finds it."""

import os
import time
import zlib
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from pelnas.cache import Cache, cache_key, default_cache
from pelnas.errors import DataError, SpaceError

Arrays = Mapping[str, NDArray[Any]]


def echoing(settings: Mapping[str, Any], arrays: Arrays) -> Callable[[Any], Any]:
    """Answers with the task, the settings, and the sum of all arrays."""
    total = sum(float(np.sum(array)) for array in arrays.values())
    return lambda task: [task, settings["name"], total]


def acting(settings: Mapping[str, Any], _: Arrays) -> Callable[[Any], Any]:
    """A task is what to do and with what, see ``ACTS``."""
    return lambda task: ACTS[task[0]](*task[1:])


def failing(settings: Mapping[str, Any], _: Arrays) -> Callable[[Any], Any]:
    return lambda _: {}["missing"]


def putting(path: Path, writer: int, count: int) -> None:
    """Put so many entries into a cache, one after the other."""
    own = Cache(path)
    for n in range(count):
        own.put(cache_key("x", writer=writer, n=n), n)


def remembering(settings: Mapping[str, Any], _: Arrays) -> Callable[[Any], Any]:
    """A worker with a cache of its own folder: the value of a key is told, and a new one put."""
    os.environ["PELNAS_CACHE"] = settings["folder"]
    cache = default_cache()

    def remember(task: Any) -> Any:
        wanted, put = cache_key(task[0]), cache_key(task[1])
        cache.put(put, os.getpid())
        return cache.get_many([wanted]).get(wanted), os.getpid()

    return remember


def answering_once(settings: Mapping[str, Any], _: Arrays) -> Callable[[Any], Any]:
    """The first task of each worker; the others take longer than any test."""
    seconds = iter([0.0])

    def answer(_: Any) -> Any:
        time.sleep(next(seconds, 60))
        return {}

    return answer


def refusing_the_first_last(settings: Mapping[str, Any], _: Arrays) -> Callable[[Any], Any]:
    """Every task is refused, the one of the settings long after all others."""

    def refuse(task: Any) -> Any:
        time.sleep(2.0 if task == settings["first"] else 0)
        raise DataError("it does not fit")

    return refuse


def scoring_two_rounds(settings: Mapping[str, Any], _: Arrays) -> Callable[[str], Any]:
    """Made proxies. A network named in the file ``slow`` waits until one named in ``later`` is scored.

    ``folder``: where these files are; then a file ``seen`` is there, too.
    """
    folder = Path(settings["folder"])

    def texts(name: str) -> list[str]:
        return (folder / name).read_text().split() if (folder / name).exists() else []

    def score(text: str) -> Any:
        _note(str(folder / "scored"), text)
        end = time.monotonic() + 240  # workers of Ray may only be starting
        while text in texts("slow") and time.monotonic() < end:
            if set(texts("later")) & set(texts("scored")):
                (folder / "seen").touch()
                break
            time.sleep(0.05)
        return dict.fromkeys(settings["proxies"], zlib.crc32(text.encode()) / 2**32)

    return score


def refusing(settings: Mapping[str, Any], _: Arrays) -> Callable[[Any], Any]:
    raise SpaceError("there is no such space here")


def _misfit(text: str) -> None:
    raise DataError(text)


def _die(marker: str, times: int) -> str:
    """Ends the worker the first ``times`` times; each time leaves a line in the file ``marker``."""
    before = len(Path(marker).read_text().splitlines()) if os.path.exists(marker) else 0
    if before < times:
        with open(marker, "a") as file:
            file.write("died\n")
        os._exit(3)
    return "lived"


def _await(marker: str) -> str:
    end = time.monotonic() + 60
    while not os.path.exists(marker) and time.monotonic() < end:
        time.sleep(0.02)
    return "seen"


def _note(log: str, text: str) -> str:
    with open(log, "a") as file:
        file.write(text + "\n")
    return text


def _sleep(seconds: float) -> str:
    time.sleep(seconds)
    return "slept"


ACTS: Mapping[str, Callable[..., Any]] = {
    "say": lambda value: value,
    "misfit": _misfit,
    "fail": lambda: {}["missing"],
    "die": _die,
    "note": _note,
    "sleep": _sleep,
    "await": _await,
    "threads": lambda: os.environ["OMP_NUM_THREADS"],
    "process": os.getpid,
}
