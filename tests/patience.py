"""How long tests wait for others: never without a limit."""

import subprocess
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any

SECONDS = 60.0  # far longer than anything takes that is waited for


@contextmanager
def limited(process: "subprocess.Popen[Any]", seconds: float = SECONDS) -> Iterator[None]:
    """End the process when the block takes longer: whoever reads from it then reads its end."""
    alarm = threading.Timer(seconds, process.kill)
    alarm.daemon = True
    alarm.start()
    try:
        yield
    finally:
        alarm.cancel()


def until(holds: Callable[[], Any], seconds: float = SECONDS) -> Any:
    """What a condition gives once it holds. AssertionError: it did not come true in time."""
    end = time.monotonic() + seconds
    while not (found := holds()):
        assert time.monotonic() < end, f"it did not happen within {seconds:g} s"
        time.sleep(0.02)
    return found
