"""When a served run is let go: after its last worker, and before anybody takes it up again."""

import threading
import time

import pytest
from patience import until

from pelnas.errors import RunError
from pelnas.graph.serve import leases as module
from pelnas.graph.serve.leases import Leases

NEVER, SOON = 600.0, 30.0  # seconds


def test_a_run_is_let_go_after_the_last_of_its_workers() -> None:
    closed: list[str] = []
    leases = Leases(closed.append, NEVER)
    for _ in range(3):
        leases.enter("a")
    leases.end("a")
    leases.leave("a")
    leases.leave("a")
    assert (closed, leases.ending("a")) == ([], True)
    leases.leave("a")
    assert (closed, leases.ending("a")) == (["a"], False)


def test_a_worker_that_comes_while_others_end_waits_for_the_run_to_be_let_go() -> None:
    order: list[str] = []
    leases = Leases(order.append, NEVER)
    leases.enter("a")
    leases.end("a")

    def come() -> None:
        leases.enter("a")
        order.append("came")

    thread = threading.Thread(target=come)
    thread.start()
    leases.enter("b")  # another run is nobody's business
    leases.leave("a")
    thread.join(30)
    assert order == ["a", "came"]


def test_nobody_waits_for_ever(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(module, "PATIENCE", 0.01)
    leases = Leases(lambda _: None, NEVER)
    leases.enter("a")
    leases.end("a")
    with pytest.raises(RunError, match="try again in a minute"):
        leases.enter("a")
    leases.leave("a")
    leases.enter("a")


def test_a_run_that_nobody_works_on_is_let_go() -> None:
    closed: list[str] = []
    leases = Leases(closed.append, 0.01)
    leases.touch("looked at")
    until(lambda: closed == ["looked at"], SOON)
    leases.enter("a")
    leases.touch("a")
    leases.leave("a")
    until(lambda: closed == ["looked at", "a"], SOON)


def test_a_worker_in_time_keeps_it() -> None:
    closed: list[str] = []
    leases = Leases(closed.append, 0.2)
    leases.touch("a")
    leases.enter("a")
    time.sleep(0.5)
    assert closed == []
    leases.leave("a")
    until(lambda: closed == ["a"], SOON)


def test_a_run_that_cannot_be_closed_is_not_waited_for() -> None:
    def fail(name: str) -> None:
        raise OSError(name)

    leases = Leases(fail, NEVER)
    leases.enter("a")
    leases.end("a")
    with pytest.raises(OSError, match="a"):
        leases.leave("a")
    leases.enter("a")
