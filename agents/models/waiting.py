"""Waiting for a model server, but no longer than its reply is wanted."""

import threading
import time
from collections.abc import Callable
from contextvars import copy_context
from typing import Generic, TypeVar

from pelnas.agents.models.transport import Request, under
from pelnas.errors import BudgetExhausted, Stopped

LOOK_EVERY = 0.25  # seconds between two looks whether anybody still waits

T = TypeVar("T")


class Waiting:
    """Ends what a server holds up: at a deadline, with the search, or with its time."""

    def __init__(self, name: str, redact: Callable[[str], str]) -> None:
        self._name = name
        self._redact = redact
        self._stop = threading.Event()
        self._minutes_left: Callable[[], float | None] = lambda: None

    def set_deadline(self, minutes_left: Callable[[], float | None]) -> None:
        """Another search begins to use the model, and has so many minutes left."""
        if minutes_left != self._minutes_left:
            self._minutes_left = minutes_left
            self._stop.clear()

    def stop(self) -> None:
        """The search is to stop."""
        self._stop.set()

    def check(self) -> None:
        """Stopped, BudgetExhausted: nobody waits any longer."""
        if self._stop.is_set():
            raise Stopped(
                f"the search was asked to stop while it waited for {self._name}:"
                " go on with 'pelnas resume'"
            )
        if self._minutes_left() == 0:
            raise BudgetExhausted(
                f"the budget of minutes was spent while the search waited for {self._name}:"
                " give a larger one to go on"
            )

    def sleep(self, seconds: float) -> None:
        """Wait before another attempt. Stopped, BudgetExhausted."""
        end = time.monotonic() + seconds
        while (left := end - time.monotonic()) > 0:
            self._stop.wait(min(left, LOOK_EVERY))
            self.check()

    def reply(self, send: Callable[[], T], until: float) -> T:
        """What ``send`` returns or raises. TimeoutError: ``until`` has passed, by ``time.monotonic``.

        It runs in a thread of its own, which is left behind where nobody waits any longer:
        what it reads it gives up at its next byte, or when its time is over.
        """
        self.check()
        request = Request(until, self._redact)
        outcome = _Outcome(send, request)
        context = copy_context()
        threading.Thread(target=context.run, args=(outcome.settle,), daemon=True).start()
        try:
            while not outcome.done.wait(LOOK_EVERY):
                self.check()
                request.left()
        finally:
            request.over.set()
        return outcome.take()


class _Outcome(Generic[T]):
    """What came of a request, handed from thread to thread."""

    def __init__(self, send: Callable[[], T], request: Request) -> None:
        self.done = threading.Event()
        self._send = send
        self._request = request
        self._values: list[T] = []
        self._error: BaseException | None = None

    def settle(self) -> None:
        try:
            with under(self._request):
                self._values.append(self._send())
        except BaseException as error:  # noqa: BLE001 - raised again where it is waited for
            self._error = error
        finally:
            self.done.set()

    def take(self) -> T:
        if self._error is not None:
            raise self._error
        return self._values[0]
