"""Which runs of a server are in use, and when the last worker has released one.

LangGraph cancels a run by cancelling what waits for its nodes; the threads that the nodes work
in go on. A run is let go once the last of them has noticed, and nobody takes it up before.
"""

import threading
from collections import Counter
from collections.abc import Callable

from pelnas.errors import RunError

PATIENCE = 60.0  # seconds to wait for the piece of work that a cancelled search is in


class Leases:
    """Workers of runs, by name; safe to use from several threads."""

    def __init__(self, close: Callable[[str], None], idle: float) -> None:
        """``close``: lets a run go. ``idle``: seconds without any worker until it is let go."""
        self._close = close
        self._idle = idle
        self._workers: Counter[str] = Counter()
        self._ending: set[str] = set()
        self._timers: dict[str, threading.Timer] = {}
        self._changed = threading.Condition()

    def enter(self, name: str) -> None:
        """A worker begins; it waits while earlier ones end. RunError: that takes too long."""
        with self._changed:
            if not self._changed.wait_for(lambda: name not in self._ending, PATIENCE):
                raise RunError(
                    f"run {name} was cancelled, and a piece of its work is not done yet:"
                    " try again in a minute"
                )
            self._workers[name] += 1
            self._hush(name)

    def end(self, name: str) -> None:
        """The workers of a run are about to leave for good: it is let go after the last one."""
        with self._changed:
            if self._workers[name]:
                self._ending.add(name)

    def ending(self, name: str) -> bool:
        """Whether the workers of a run are about to leave for good."""
        with self._changed:
            return name in self._ending

    def leave(self, name: str) -> None:
        """A worker has ended. Where it was the last, the run is let go: at once, or when idle."""
        with self._changed:
            self._workers[name] -= 1
            if self._workers[name] > 0:
                return
            del self._workers[name]
            if name not in self._ending:
                self._timer(name)
                return
        self._let_go(name)

    def touch(self, name: str) -> None:
        """Somebody looks at a run beside its workers: it is let go when idle, as after them."""
        with self._changed:
            if not self._workers[name] and name not in self._ending:
                self._timer(name)

    def _timer(self, name: str) -> None:
        self._hush(name)
        timer = threading.Timer(self._idle, self._is_idle, (name,))
        timer.daemon = True
        self._timers[name] = timer
        timer.start()

    def _hush(self, name: str) -> None:
        timer = self._timers.pop(name, None)
        if timer is not None:
            timer.cancel()

    def _is_idle(self, name: str) -> None:
        with self._changed:
            mine = self._timers.get(name) is threading.current_thread()
            if not mine or self._workers[name] or name in self._ending:
                return
            del self._timers[name]
            self._ending.add(name)  # whoever comes now waits until it is closed
        self._let_go(name)

    def _let_go(self, name: str) -> None:
        """Close a run and wake up who waits for that."""
        try:
            self._close(name)
        finally:
            with self._changed:
                self._ending.discard(name)
                self._changed.notify_all()
