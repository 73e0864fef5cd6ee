"""The view of a running search: live on a terminal, line by line anywhere else."""

import sys
from collections.abc import Callable
from contextlib import AbstractContextManager
from typing import TYPE_CHECKING, Self

from pelnas.app.display.output import console, counted, duration, note, stand_in
from pelnas.app.display.progress import Progress
from pelnas.calls.prices import in_words
from pelnas.inputs.quantities import UNITS
from pelnas.pareto import evenly_spaced
from pelnas.store import Event
from pelnas.traces.text import visible

if TYPE_CHECKING:
    from rich.console import Group

BEST = 8  # points of the front that fit on a screen beside everything else
REDRAWS = 4  # a second


class View(AbstractContextManager["View"]):
    """Shows events while it is open."""

    def __init__(self, progress: Progress) -> None:
        self.progress = progress

    def __call__(self, event: Event) -> None:
        self.progress.update(event)
        note = _note(event)
        if note:
            self.note(note)

    def note(self, text: str) -> None:
        """A sentence for the person, at once."""
        note(text)

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        """Nothing to release."""


class Lines(View):
    """One line for each round, for logs and pipes."""

    def __call__(self, event: Event) -> None:
        super().__call__(event)
        if event.kind == "round-done":
            self.note(
                f"round {(event.round or 0) + 1} of {self.progress.rounds} done,"
                f" {event.data['front']} on the front, {counts(self.progress)}"
            )


class Screen(View):
    """A few lines that redraw themselves."""

    def __init__(self, progress: Progress) -> None:
        super().__init__(progress)
        from rich.live import Live

        self._live = Live(
            console=console(errors=True),
            get_renderable=lambda: draw(self.progress),
            refresh_per_second=REDRAWS,
            transient=True,
        )

    def __enter__(self) -> Self:
        self._live.start()
        return self

    def note(self, text: str) -> None:
        self._live.console.print(visible(f"pelnas: {text}"), markup=False)

    def __exit__(self, *_: object) -> None:
        self._live.stop()


def view_of(progress: Progress) -> View:
    """The view that fits standard error."""
    kind: Callable[[Progress], View] = Screen if sys.stderr.isatty() else Lines
    return kind(progress)


def _note(event: Event) -> str:
    """The line for an event; empty for most."""
    match event.kind:
        case "run-started":
            return f"run {event.data['name']} begins"
        case "run-resumed":
            return f"run {event.data['name']} goes on"
        case "budget" | "notice":
            return str(event.data["message"])
        case "fallback":
            return (
                f"{stand_in(event.data.get('to'), event.agent)} stands in: {event.data['problem']}"
            )
        case "directive":
            return _directive_note(event)
        case "paused":
            name, who = event.data["directive"], event.data["author"]
            return f"paused by {name} ({who}); go on with: pelnas steer RUN /resume"
        case "unpaused":
            return "going on"
    return ""


def _directive_note(event: Event) -> str:
    status, why = event.data["status"], event.data["reason"]
    state = {"active": "in force", "undone": f"undone {why}", "refused": f"refused: {why}"}
    name, who, asks = event.data["directive"], event.data["author"], event.data["asks"]
    return f"{name} ({who}): {asks}: {state[status]}"


def counts(progress: Progress) -> str:
    """Everything countable in one line."""
    left = progress.seconds_left
    parts = [
        f"{progress.evaluations} evaluated",
        f"{progress.refused} refused",
        counted(progress.calls, "model call"),
        f"{progress.tokens} tokens",
        in_words(progress.dollars, progress.unpriced),
        f"{duration(progress.seconds)} spent",
    ]
    return ", ".join(parts + ([f"about {duration(left)} left"] if left is not None else []))


def draw(progress: Progress) -> "Group":
    """Round, stage, best points and counts."""
    from rich.console import Group
    from rich.progress_bar import ProgressBar
    from rich.table import Table
    from rich.text import Text

    niche = "" if progress.niche is None else f" niche {progress.niche}"
    headline = Text.assemble(
        (f"round {progress.round + 1} of {progress.rounds}", "bold"), f"  {progress.stage}{niche}"
    )
    bar = Table.grid()  # a bar alone ends without a line break
    bar.add_row(ProgressBar(max(1, 2 * progress.planned), progress.scored + progress.timed, 60))
    front = progress.front()
    best = Table(box=None, pad_edge=False)
    for name in progress.objectives:
        best.add_column(f"{name}, {UNITS[name]}".rstrip(", "), justify="right")
    best.add_column("score", justify="right")
    for index in evenly_spaced([point[0] for point in front], BEST):
        best.add_row(*(f"{number:.3f}" for number in front[index]))
    title = Text(f"best so far, {len(front)} on the front:")
    return Group(headline, bar, title, best, Text(counts(progress), style="dim"))
