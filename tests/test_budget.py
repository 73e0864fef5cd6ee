"""The meter: what is spent is spent once, and nobody passes a limit."""

import threading
from concurrent.futures import ThreadPoolExecutor

import pytest

from pelnas.budget import BOOKED, Meter, Spent
from pelnas.calls.usage import Usage
from pelnas.config import Budget
from pelnas.errors import BudgetExhausted


class Account:
    """A ledger in memory, for a meter that is tried without a run."""

    def __init__(self, spent: Spent | None = None) -> None:
        self.now = spent or Spent()

    def spent(self) -> Spent:
        return self.now

    def add_seconds(self, seconds: float) -> None:
        self.now = Spent(
            self.now.calls, self.now.tokens, self.now.seconds + seconds, self.now.evaluations
        )


class Clock:
    """Seconds that pass when told to."""

    def __init__(self) -> None:
        self.seconds = 1000.0

    def __call__(self) -> float:
        return self.seconds


def test_without_limits_nothing_is_refused() -> None:
    meter = Meter(Budget(), Account(Spent(10**6, 10**9, 1e9, 10**6)))
    meter.before_call()
    meter.after_call(Usage(10**9))
    assert meter.allow_evaluations(7) == 7
    assert meter.exhausted() == ""
    assert meter.warnings() == []
    assert meter.minutes_left() is None


def test_calls_continue_over_resumes() -> None:
    meter = Meter(Budget(calls=3), Account(Spent(calls=2)))
    meter.before_call()
    meter.after_call(Usage(5))
    with pytest.raises(BudgetExhausted, match=r"budget of calls is spent \(3 of 3 calls\)"):
        meter.before_call()


def test_a_reserved_call_counts_before_it_is_made() -> None:
    meter = Meter(Budget(calls=1), Account())
    meter.before_call()
    with pytest.raises(BudgetExhausted):
        meter.before_call()


def test_tokens_are_settled_after_the_call() -> None:
    meter = Meter(Budget(tokens=100), Account(Spent(tokens=40)))
    meter.before_call()
    meter.after_call(Usage(59))
    assert meter.exhausted() == ""
    meter.before_call()
    meter.after_call(Usage(30))
    assert "129 of 100 tokens" in meter.exhausted()
    with pytest.raises(BudgetExhausted, match="129 of 100 tokens"):
        meter.before_call()


def test_minutes_run_with_the_clock_and_are_kept_by_ticks() -> None:
    clock, account = Clock(), Account(Spent(seconds=30))
    meter = Meter(Budget(minutes=2), account, clock)
    clock.seconds += 60
    assert meter.minutes_left() == pytest.approx(0.5)
    meter.tick()
    assert account.spent().seconds == pytest.approx(90)
    assert meter.minutes_left() == pytest.approx(0.5)
    clock.seconds += 60
    assert meter.minutes_left() == 0
    assert "2.5 of 2 minutes" in meter.exhausted()
    with pytest.raises(BudgetExhausted, match="minutes"):
        meter.before_call()


def test_short_times_are_booked_together() -> None:
    clock, account = Clock(), Account()
    meter = Meter(Budget(minutes=1), account, clock)
    for ticks in range(1, 26):
        clock.seconds += BOOKED / 10
        meter.tick()
        assert 60 - 60 * (meter.minutes_left() or 0) == pytest.approx(ticks * BOOKED / 10)
        assert 0 <= ticks * BOOKED / 10 - account.now.seconds < 1.01 * BOOKED


@pytest.mark.parametrize(("done", "wanted", "allowed"), [(0, 5, 5), (7, 5, 3), (10, 5, 0)])
def test_evaluations_are_cut_to_what_is_left(done: int, wanted: int, allowed: int) -> None:
    meter = Meter(Budget(evaluations=10), Account(Spent(evaluations=done)))
    assert meter.allow_evaluations(wanted) == allowed
    assert bool(meter.exhausted()) == (done >= 10)


def test_spent_evaluations_do_not_forbid_a_call() -> None:
    """A reflection on the last round may still be made."""
    Meter(Budget(evaluations=1), Account(Spent(evaluations=1))).before_call()


def test_several_spent_budgets_are_named_together() -> None:
    meter = Meter(Budget(calls=1, tokens=10), Account(Spent(calls=1, tokens=10)))
    assert meter.exhausted() == (
        "the budget of calls and tokens is spent (1 of 1 calls and 10 of 10 tokens):"
        " give a larger one to go on"
    )


@pytest.mark.parametrize(("calls", "warned"), [(79, False), (80, True), (99, True), (100, False)])
def test_a_warning_comes_at_eighty_percent(calls: int, warned: bool) -> None:
    meter = Meter(Budget(calls=100), Account(Spent(calls=calls)))
    expected = [f"{calls} of 100 calls used ({calls}%)"] if warned else []
    assert meter.warnings() == expected


def run_designers(meter: Meter, tokens: int) -> tuple[int, int]:
    """(calls made, most at once) by 16 designers who ask until they are refused."""
    lock, made, flying, most = threading.Lock(), 0, 0, 0
    together = threading.Barrier(16)

    def designer(_: int) -> None:
        nonlocal made, flying, most
        together.wait(60)
        while True:
            try:
                meter.before_call()
            except BudgetExhausted:
                return
            with lock:
                made, flying = made + 1, flying + 1
                most = max(most, flying)
            threading.Event().wait(0.001)
            with lock:
                flying -= 1
            meter.after_call(Usage(tokens))

    with ThreadPoolExecutor(16) as pool:
        list(pool.map(designer, range(16)))
    return made, most


def test_concurrent_designers_never_make_a_call_too_many() -> None:
    made, _ = run_designers(Meter(Budget(calls=37), Account(Spent(calls=5))), tokens=10)
    assert made == 32


def test_concurrent_designers_pass_a_limit_of_tokens_by_one_call_at_most() -> None:
    made, most = run_designers(Meter(Budget(tokens=1005), Account()), tokens=10)
    assert made == 101  # 100 calls leave 5 tokens: one more is let through, and passes the limit
    assert most > 1  # and they did run side by side


def test_time_paused_is_not_booked_and_another_budget_holds_at_once() -> None:
    clock, account = Clock(), Account()
    meter = Meter(Budget(minutes=1), account, clock)
    clock.seconds += 30
    meter.tick()
    clock.seconds += 1000
    meter.forget()
    assert meter.minutes_left() == 0.5
    meter.tick()
    assert account.now.seconds == 30
    meter.change(Budget(minutes=0.25, calls=1))
    assert "minutes" in meter.exhausted()
    meter.change(Budget(calls=1))
    meter.before_call()
    with pytest.raises(BudgetExhausted, match="calls"):
        meter.before_call()
    meter.change(Budget())
    meter.before_call()


def test_dollars_are_held_like_tokens() -> None:
    meter = Meter(Budget(dollars=1), Account(Spent(dollars=0.5)))
    meter.before_call()
    meter.after_call(Usage(10, dollars=0.375))
    assert meter.warnings() == ["0.875 of 1 dollars used (88%)"]
    meter.before_call()
    meter.after_call(Usage(10, dollars=0.25))
    with pytest.raises(BudgetExhausted, match=r"dollars is spent \(1\.125 of 1 dollars\)"):
        meter.before_call()


def test_dollars_are_passed_by_one_call_at_most_under_many_designers() -> None:
    meter, paid = Meter(Budget(dollars=10.5), Account()), []

    def designer() -> None:
        for _ in range(20):
            try:
                meter.before_call()
            except BudgetExhausted:
                return
            paid.append(1.0)
            meter.after_call(Usage(7, dollars=1.0))

    with ThreadPoolExecutor(8) as pool:
        for work in [pool.submit(designer) for _ in range(8)]:
            work.result(60)
    assert sum(paid) == 11
