"""Progress is what the events say, and time is what the clock says."""

from typing import Any

from rich.console import Console

from pelnas.app.display.progress import Progress
from pelnas.app.display.progress_view import draw
from pelnas.config import load_config
from pelnas.store import Event


class Clock:
    """Seconds that a test sets."""

    def __init__(self) -> None:
        self.now = 1000.0

    def __call__(self) -> float:
        return self.now


def tell(progress: Progress, kind: str, **data: Any) -> None:
    place = {name: data.pop(name) for name in ("round", "niche", "agent") if name in data}
    progress.update(Event(1, 0.0, kind, data, **place))


def candidate(progress: Progress, name: str, score: float, latency: float | None) -> None:
    tell(progress, "predicted", round=0, candidate=name, score=score)
    tell(progress, "evaluated", round=0, candidate=name, niche=1, latency_ms=latency)


def test_a_round_is_counted() -> None:
    progress = Progress(load_config())
    tell(progress, "round-planned", round=2, plan=[])
    tell(progress, "designed", round=2, niche=0, accepted=4, refused=1)
    tell(progress, "designed", round=2, niche=1, accepted=3, refused=0)
    candidate(progress, "a", 1.0, 5.0)
    tell(progress, "call", agent="planner", niche=None, tokens=70, seconds=1.0, outcome="ok")
    assert (progress.round, progress.planned, progress.refused) == (2, 7, 1)
    assert (progress.scored, progress.timed, progress.evaluations) == (1, 1, 1)
    assert (progress.calls, progress.tokens) == (1, 70)
    tell(progress, "round-planned", round=3, plan=[])
    assert (progress.planned, progress.scored, progress.evaluations) == (0, 0, 1)


def test_the_front_leaves_out_what_is_dominated_or_cannot_run() -> None:
    progress = Progress(load_config())
    candidate(progress, "fast", 1.0, 2.0)
    candidate(progress, "good", 3.0, 5.0)
    candidate(progress, "worse", 0.5, 4.0)
    candidate(progress, "infeasible", 9.0, None)
    assert progress.front() == [(2.0, 1.0), (5.0, 3.0)]


def test_time_left_follows_the_limit_or_the_pace() -> None:
    clock = Clock()
    limited = Progress(load_config(None, {"budget": {"minutes": 2}}), before=30.0, clock=clock)
    paced = Progress(load_config(None, {"rounds": 5}), clock=clock)
    assert paced.seconds_left is None
    clock.now += 40
    tell(paced, "round-done", round=0, front=3, hypervolume=0.5)
    clock.now += 10
    assert (limited.seconds, limited.seconds_left) == (80.0, 40.0)
    assert paced.seconds_left == 5 * 40 - 50


def test_events_of_other_kinds_change_nothing() -> None:
    progress = Progress(load_config())
    tell(progress, "something-new", whatever=1)
    assert progress.stage == "starting"


def test_what_is_drawn_says_round_best_points_and_counts() -> None:
    progress = Progress(load_config(None, {"rounds": 7}))
    tell(progress, "round-planned", round=1, plan=[])
    candidate(progress, "a", 0.625, 3.25)
    console = Console(width=100, record=True, file=None)
    with console.capture() as shown:
        console.print(draw(progress))
    text = shown.get()
    assert "round 2 of 7  measuring niche 1" in text
    assert "3.250" in text
    assert "0.625" in text
    assert "1 evaluated, 0 refused, 0 model calls" in text


def test_time_paused_is_not_running_time_and_rounds_may_change() -> None:
    clock = Clock()
    progress = Progress(load_config(None, {"rounds": 4}), clock=clock)
    clock.now += 10
    tell(progress, "paused", directive="d1", author="ann")
    clock.now += 100
    assert (progress.seconds, progress.stage) == (10, "paused")
    tell(progress, "unpaused")
    clock.now += 5
    assert progress.seconds == 15
    tell(progress, "rounds-changed", rounds=9)
    assert progress.rounds == 9
