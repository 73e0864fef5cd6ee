"""The values that only the store hands out."""

from collections.abc import Mapping
from dataclasses import asdict, dataclass, field
from itertools import islice
from pathlib import Path
from typing import Any

from pelnas.architecture import Shape
from pelnas.config import SearchConfig

SHOWN = 10  # classes that are named in words


@dataclass(frozen=True, slots=True)
class PlanEntry:
    """What the planner asks of one niche in one round.

    ``count``: designs asked for; ``focus``: what to look for, in words;
    ``author``: the model that planned it, ``provider:model``.
    """

    niche: int
    count: int
    focus: str
    author: str


@dataclass(frozen=True, slots=True)
class Sources:
    """Where a run's numbers come from, for reports.

    ``dataset``: as resolved. ``unit``: of scores. ``accuracy``, ``latency``: one
    phrase each, from the predictor and the device; a table of benchmark
    truth says so. ``classes``: outputs of the networks. ``class_images``: training images
    by the name of their class, of the images that networks are judged on; empty where there
    are none. ``held_out``: images that their source holds out.
    """

    dataset: str
    unit: str
    accuracy: str
    latency: str
    classes: int = 10  # outputs of the networks
    class_images: Mapping[str, int] = field(default_factory=dict)
    held_out: int = 0
    channels: int = 3  # of the images that networks take

    def shape(self, config: SearchConfig) -> Shape:
        """Of the networks of a run with these settings."""
        return Shape(self.classes, *config.scoring.size, self.channels)

    @property
    def images(self) -> str:
        """The images in words; '' where there are none."""
        return images_in_words(self.class_images, self.held_out)


def images_in_words(class_images: Mapping[str, int], held_out: int) -> str:
    """How many training images there are, of which classes, and how many of each."""
    if not class_images:
        return ""
    named = ", ".join(f"{name} {count:,}" for name, count in islice(class_images.items(), SHOWN))
    if len(class_images) > SHOWN:
        least, most = min(class_images.values()), max(class_images.values())
        named += f" and {len(class_images) - SHOWN} more, {least:,} to {most:,} of each"
    apart = f", and {held_out:,} held out" if held_out else ""
    return f"{sum(class_images.values()):,} images of {len(class_images)} classes ({named}){apart}"


@dataclass(frozen=True, slots=True)
class Event:
    """Something that happened. ``seq`` counts from 1 within a run; ``time``: seconds since 1970.

    ``span``: the piece of work it happened in, or that it begins or ends;
    ``parent``: the span around that one. ``round`` and ``niche`` count from 0.
    ``agent``: whose work it was, '' for the program's own. ``data``: the rest,
    by kind; ids stand under ``candidate``, ``call`` and ``rule``.
    """

    seq: int
    time: float
    kind: str
    data: Mapping[str, Any]
    span: str = ""
    parent: str = ""
    round: int | None = None
    agent: str = ""
    niche: int | None = None


@dataclass(frozen=True, slots=True)
class Origin:
    """The run that a fork goes on from, as it was after a round.

    ``run``: the name of its folder. ``round``: the last one that was taken over,
    counted from 0. ``settings``: those that differ, as (there, here) by their
    dotted names. ``scores``, ``costs``: whether predictions and costs were taken
    over, too; else they are computed anew.
    """

    run: str
    round: int
    settings: Mapping[str, tuple[Any, Any]]
    scores: bool
    costs: bool

    def to_dict(self) -> dict[str, Any]:
        """Plain values for JSON."""
        return asdict(self) | {"settings": {n: list(pair) for n, pair in self.settings.items()}}

    def in_words(self) -> str:
        """``20260101-120000-search after round 3, with device raspi4; latencies computed anew``."""
        changed = ", ".join(f"{name} {_value(here)}" for name, (_, here) in self.settings.items())
        parts = {"scores": self.scores, "latencies": self.costs}
        anew = " and ".join(name for name, kept in parts.items() if not kept)
        return (
            f"{self.run} after round {self.round}"
            + (f", with {changed}" if changed else "")
            + (f"; {anew} computed anew" if anew else "")
        )


def _value(value: Any) -> str:
    if isinstance(value, list | tuple):
        return ", ".join(map(str, value)) or "none"
    return "none" if value is None else str(value)


@dataclass(frozen=True, slots=True)
class RunSummary:
    """A run in a list of runs.

    ``started``: seconds since 1970. ``status``: ``running`` (a process works on
    it now), ``stopped`` (unfinished, can be resumed), ``finished`` or
    ``unreadable``; ``reason`` says why it finished or cannot be read.
    ``origin``: of a fork.
    """

    name: str
    folder: Path
    started: float
    status: str
    reason: str
    rounds: int
    candidates: int
    models: tuple[str, ...]
    origin: Origin | None = None
