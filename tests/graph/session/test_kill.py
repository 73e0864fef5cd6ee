"""SIGKILL at random moments: what is left is resumed, and ends as if nothing had happened."""

import json
import random
import signal
import time
from collections import Counter
from collections.abc import Iterator
from dataclasses import asdict, replace
from multiprocessing.process import BaseProcess
from pathlib import Path
from typing import Any

import pytest
from fork_server import Start, forking

from pelnas import SearchConfig
from pelnas.store import Event, RunStore, list_runs
from pelnas.traces.spans import CLOSING, OPENING

KILLS = 50
CHILD = Path(__file__).with_name("killed_search.py")
COMMITS = 120  # a run makes more than four hundred
LONGEST = 300.0  # seconds that a run without a kill may take on a busy machine


@pytest.fixture(scope="module")
def start() -> Iterator[Start]:
    """Starts a process on a run."""
    with forking(CHILD) as started:
        yield started


def finish(process: BaseProcess) -> None:
    process.join(LONGEST)
    assert process.exitcode == 0


def settings(output: Path, tables: Path, model: str, *, overlap: bool = False) -> SearchConfig:
    return SearchConfig(
        space="tiny",
        device="toy",
        dataset="toy10",
        data=tables,
        accuracy="table",
        model=model,
        rounds=4,
        per_niche=5,
        overlap=overlap,
        output=output,
    )


def killed(
    start: Start, config: SearchConfig, moments: random.Random, longest: float, rounds: int = 0
) -> int:
    """Kill and resume until the run has ended by itself; how often it was killed.

    Every other time at a moment on the clock, else right before one of the
    first commits, where what is stored and what is told could come apart.
    """
    kills = 0
    while True:
        by_clock = moments.random() < 0.5
        commits = 0 if by_clock else moments.randint(1, COMMITS)
        process = start(config, commits=commits, rounds=rounds)
        process.join(moments.uniform(0, longest) if by_clock else LONGEST)
        process.kill()
        process.join(60)
        if process.exitcode == 0:
            return kills
        assert process.exitcode == -signal.SIGKILL
        kills += 1


def plain(event: Event) -> str:
    """What an event tells, without when and how long."""
    data = {name: value for name, value in event.data.items() if name not in ("seconds", "again")}
    return json.dumps(asdict(replace(event, seq=0, time=0.0, data=data)), sort_keys=True)


def counted(store: RunStore) -> Counter[str]:
    """Everything that happened within spans, and once."""
    often = OPENING.keys() | CLOSING.keys() | {"rounds-changed"}  # which every resume tells
    return Counter(plain(event) for event in store.events() if event.kind not in often)


def calls(store: RunStore) -> list[tuple[Any, ...]]:
    return sorted((c.id, c.request, c.answer, c.outcome, c.problem) for c in store.calls())


def check_spans(store: RunStore) -> None:
    """Each begins, ends, and says of every repetition that it is one."""
    bounds = Counter((event.kind, event.span) for event in store.events() if event.kind in OPENING)
    marked = Counter(
        (event.kind, event.span)
        for event in store.events()
        if event.kind in OPENING and event.data.get("again")
    )
    assert all(marked[bound] == count - 1 for bound, count in bounds.items())
    begun = {event.span for event in store.events() if event.kind in OPENING}
    ended = {event.span for event in store.events() if event.kind in CLOSING}
    assert begun == ended


def check_same(run: Path, whole: Path) -> None:
    """The run that was killed holds what the other one holds, once."""
    assert (run / "front.json").read_bytes() == (whole / "front.json").read_bytes()
    with RunStore.read(run) as store, RunStore.read(whole) as expected:
        assert store.ignored() == 0
        assert store.evaluations() == expected.evaluations()
        rules, expected_rules = ([r.to_dict() for r in s.rules()] for s in (store, expected))
        assert json.dumps(rules) == json.dumps(expected_rules)
        assert calls(store) == calls(expected)
        assert counted(store) == counted(expected)
        scored = Counter(e.data["candidate"] for e in store.events() if e.kind == "evaluated")
        assert scored == Counter(candidate.id for candidate in store.candidates())
        check_spans(store)
        lines = (run / "events.jsonl").read_text().splitlines()
        assert [Event(**json.loads(line)) for line in lines] == store.events()


@pytest.mark.slow
@pytest.mark.timeout(3600)
@pytest.mark.parametrize(
    ("model", "overlap"),
    [("builtin:evolver", False), ("scripted:answers", False), ("scripted:answers", True)],
)
def test_runs_killed_at_fifty_random_moments_end_the_same(
    tmp_path: Path, tiny_tables: Path, start: Start, model: str, overlap: bool
) -> None:
    def of(name: str) -> SearchConfig:
        return settings(tmp_path / name, tiny_tables, model, overlap=overlap)

    finish(start(of("first")))  # loads what is loaded late
    began = time.monotonic()
    whole = of("whole")
    finish(start(whole))
    longest = time.monotonic() - began
    (expected,) = list_runs(whole.output)
    moments, kills, runs = random.Random(7), 0, 0
    while kills < KILLS:
        config = of(f"killed-{runs}")
        kills += killed(start, config, moments, longest)
        (run,) = list_runs(config.output)
        check_same(run.folder, expected.folder)
        runs += 1


@pytest.mark.slow
@pytest.mark.timeout(1800)
def test_runs_killed_around_their_first_end_go_on_the_same(
    tmp_path: Path, tiny_tables: Path, start: Start
) -> None:
    def two_rounds(name: str) -> SearchConfig:
        whole = settings(tmp_path / name, tiny_tables, "scripted:answers")
        return whole.model_copy(update={"rounds": 2})

    finish(start(two_rounds("first"), rounds=3))
    began = time.monotonic()
    finish(start(two_rounds("whole"), rounds=3))
    longest = time.monotonic() - began
    (expected,) = list_runs(tmp_path / "whole")
    assert expected.rounds == 3
    moments, kills, runs = random.Random(11), 0, 0
    while kills < KILLS // 2:
        config = two_rounds(f"killed-{runs}")
        kills += killed(start, config, moments, longest, rounds=3)
        (run,) = list_runs(config.output)
        check_same(run.folder, expected.folder)
        runs += 1
