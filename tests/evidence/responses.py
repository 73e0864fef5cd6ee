"""How long a conversation takes to answer while a search works beside it, and while that rests.

``python tests/evidence/responses.py images=digits.parquet``: settings of a search, by name.
"""

import signal
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from statistics import median

import numpy as np

from pelnas.config import SearchConfig, load_config
from pelnas.errors import RunError
from pelnas.graph.chat.console import Talk
from pelnas.graph.runs.search import Search
from pelnas.spaces import get_space
from pelnas.store import RunStore
from pelnas.store.folder import in_use

AUTHOR = "bench"
POLL_SECONDS = 0.02
REPEATS = 3  # of each question
PATIENCE = 600.0  # seconds in which a search must have begun, or paused
#: What is asked about a candidate, another one, and networks that were not tried.
QUESTIONS = (
    "/status",
    "/front",
    "/why {id}",
    "/compare {id} {other}",
    "/nearest {id}",
    "/within {ms:.3g}",
    "/niche {niche}",
    "/niches",
    "/rules",
    "/directives",
    "/score {new}",
    "/latency {new}",
)
COMPUTED = ("/score", "/latency")  # the others read what is stored
Seconds = dict[str, list[float]]


@dataclass(frozen=True)
class Responses:
    """Seconds until an answer, by command: while a search works, and while the same search is paused.

    ``pause``: from the yes to ``/pause`` until the search waits; it ends its piece of work first.
    """

    working: Seconds
    resting: Seconds
    pause: float


def measure(
    config: SearchConfig, repeats: int, rng: np.random.Generator, gap: float = 0.5
) -> Responses:
    """Ask every question ``repeats`` times beside a search in a process of its own, and beside its pause.

    ``rng``: draws the networks that are asked about, other ones each time: what was scored once
    is answered from the cache. ``gap``: seconds between two questions, so that they meet the
    search at different work.
    RunError: the search ended before everything was asked.
    """
    search = Search(config)
    search.session.close()
    folder = search.folder
    with _working(folder):
        _until(folder, lambda store: len(store.evaluations()) > 1)
        talk = Talk(folder.parent, folder.name, AUTHOR)
        working = _ask(talk, folder, repeats, rng, gap)
        if not in_use(folder):
            raise RunError("the search ended before everything was asked: give it more rounds")
        seconds = _pause(talk, folder)
        return Responses(working, _ask(talk, folder, repeats, rng), seconds)


@contextmanager
def _working(folder: Path) -> Iterator[None]:
    """The search of a run in a process of its own, stopped as by Ctrl-C at the end."""
    run = [folder.name, "--output", str(folder.parent)]
    command = [sys.executable, "-m", "pelnas", "resume", *run]
    with subprocess.Popen(
        command, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL, start_new_session=True
    ) as child:
        try:
            yield
        finally:
            child.send_signal(signal.SIGINT)


def _ask(
    talk: Talk, folder: Path, repeats: int, rng: np.random.Generator, gap: float = 0.0
) -> Seconds:
    """Every question in turn, about other networks each time."""
    found: Seconds = {question.split()[0]: [] for question in QUESTIONS}
    for _ in range(repeats):
        for question in QUESTIONS:
            line = _line(question, folder, rng)
            began = time.perf_counter()
            talk.say(line)
            found[question.split()[0]].append(time.perf_counter() - began)
            time.sleep(gap)
    return found


def _line(question: str, folder: Path, rng: np.random.Generator) -> str:
    with RunStore.read(folder) as store:
        tried, space = store.evaluations(), get_space(store.config.space)
    one, other = (tried[i] for i in rng.choice(len(tried), 2, replace=False))
    known = {each.candidate.architecture for each in tried}
    drawn = (space.format(space.sample(rng)) for _ in range(1000))
    return question.format(
        id=one.id,
        other=other.id,
        ms=one.latency_ms,
        niche=one.candidate.niche,
        new=next((text for text in drawn if text not in known), one.id),
    )


def _pause(talk: Talk, folder: Path) -> float:
    talk.say("/pause")
    began = time.perf_counter()
    talk.say("yes")
    _until(folder, lambda store: any(e.kind == "paused" for e in store.events_of("run")))
    return time.perf_counter() - began


def _until(folder: Path, held: Callable[[RunStore], bool]) -> None:
    for _ in range(int(PATIENCE / POLL_SECONDS)):
        with RunStore.read(folder) as store:
            if held(store):
                return
        time.sleep(POLL_SECONDS)
    raise RunError(f"the search did not get there in {PATIENCE:g} s: see `pelnas trace`")


def main(*settings: str) -> None:
    """Print the seconds until an answer to each question, beside the search and its pause."""
    given = {"name": "bench", "rounds": "1000"} | dict(each.split("=", 1) for each in settings)
    # No seed: an earlier measurement has scored the networks that it would draw.
    found = measure(load_config(None, given), REPEATS, np.random.default_rng())
    print(f"paused {found.pause:.2f} s after the yes; seconds, median and longest")
    stored = [one for one in found.working if one not in COMPUTED]
    rows = {one: (found.working[one], found.resting[one]) for one in found.working}
    rows["all from the store"] = (
        [s for one in stored for s in found.working[one]],
        [s for one in stored for s in found.resting[one]],
    )
    for name, (working, resting) in rows.items():
        beside = f"{median(working):.3f} {max(working):.3f} beside the search"
        print(f"{name}: {beside}, {median(resting):.3f} {max(resting):.3f} beside its pause")


if __name__ == "__main__":
    main(*sys.argv[1:])
