"""A first signal stops cleanly, a second one at once."""

import os
import signal
from collections.abc import Callable, Iterator
from concurrent.futures import Future, wait
from contextlib import contextmanager
from types import FrameType
from typing import TypeVar

SIGNALS = (signal.SIGINT, signal.SIGTERM)
INTERRUPTED = 128 + signal.SIGINT  # exit code, as shells count
LOOK = 0.2  # seconds between two looks

T = TypeVar("T")


@contextmanager
def stopped_by_signals(stop: Callable[[], None], notice: str) -> Iterator[list[int]]:
    """Call ``stop`` and show ``notice`` on a first signal; what came is in the list."""
    received: list[int] = []

    def on_signal(number: int, _: FrameType | None) -> None:
        received.append(number)
        if len(received) > 1:
            raise KeyboardInterrupt
        os.write(2, f"pelnas: {notice}\n".encode())  # print could be the very call interrupted
        stop()

    before = {number: signal.signal(number, on_signal) for number in SIGNALS}
    try:
        yield received
    finally:
        for number, handler in before.items():
            signal.signal(number, handler)


def result_of(future: Future[T]) -> T:
    """Its result, or its error, in the main thread, in which Python calls what a signal calls.

    A wait without a limit would end by the signal alone; one that came the moment before, or to
    another thread, is not heard until the wait is over.
    """
    while not future.done():
        wait([future], LOOK)
    return future.result()
