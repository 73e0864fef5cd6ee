"""A first signal stops cleanly, a second one at once."""

import os
import signal
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from types import FrameType

SIGNALS = (signal.SIGINT, signal.SIGTERM)
INTERRUPTED = 128 + signal.SIGINT  # exit code, as shells count


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
