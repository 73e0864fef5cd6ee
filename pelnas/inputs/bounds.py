"""The range of every number that a caller can give, in one place.

Settings, options of the command line, commands and requests take theirs from here.
The upper ends are far above every sensible use; they are where a machine would run
out of memory, a date would overflow, or a loop would not end within anybody's life.
"""

from collections.abc import Mapping
from typing import Any, NamedTuple

from pydantic import Field


class Range(NamedTuple):
    """Both ends belong to it."""

    low: float
    high: float

    def __contains__(self, value: object) -> bool:
        return isinstance(value, int | float) and self.low <= value <= self.high

    def __str__(self) -> str:
        return f"{self.low:,.10g} to {self.high:,.10g}".replace(",", "")


LARGE = 1_000_000_000

SEED = Range(0, 2**63 - 1)  # what torch, NumPy and SQLite all take
ROUNDS = Range(1, 100_000)
PER_NICHE = Range(1, 10_000)
PARENTS = Range(1, 1_000)
RULES = Range(0, 1_000)
SHARE = Range(0, 1)  # of designs
PROMPT_TOKENS = Range(500, 1_000_000)  # of one prompt of an agent
TOOL_CALLS = Range(0, 1_000)  # of an agent in a round
NICHES = Range(1, 64)
NICHE = Range(0, 999)  # the number of one
ROUND = Range(0, 100_000)  # the number of one
TEMPERATURE = Range(0, 2)
AT_ONCE = Range(1, 100_000)  # calls to a provider

CALLS = Range(1, LARGE)
TOKENS = Range(1, 1_000 * LARGE)
DOLLARS = Range(1e-9, LARGE)
MINUTES = Range(1e-6, 10 * 366 * 24 * 60)  # ten years
EVALUATIONS = Range(1, LARGE)

THREADS = Range(
    1, 256
)  # a thread of ONNX Runtime spins while it waits, and two networks are timed in turn
WORKERS = Range(0, 1_024)
BATCH = Range(1, 65_536)  # images
RESOLUTION = Range(8, 4_096)  # pixels a side
CHANNELS = Range(1, 64)  # of images
PIXELS = 2**26  # of a batch: more do not fit the memory of any machine once a network sees them
REFERENCE = Range(8, 100_000)  # sampled cells
PASSES = Range(1, 10_000)  # forward passes of a measurement

SEARCHES = Range(1, 10_000)  # that one MCP server starts
PORT = Range(0, 65_535)  # 0: any that is free
SEEDS = Range(1, 10_000)  # runs of each
REPEATS = Range(1, 10_000)
SAMPLE = Range(1, 1_000_000)  # architectures
SECONDS = Range(0, 366 * 24 * 3_600)  # that somebody may wait

#: Of a training, by the name of the setting.
TRAINING: Mapping[str, Range] = {
    "epochs": Range(1, 100_000),
    "batch": Range(2, 65_536),
    "learning_rate": Range(1e-7, 100),
    "momentum": Range(0, 0.999),
    "weight_decay": Range(0, 1),
    "warmup": Range(0, 0.9),
    "label_smoothing": Range(0, 0.9),
    "shift": Range(0, 0.5),
    "patience": Range(0, 100_000),
    "seed": Range(0, 2**32 - 1),
}


def within(allowed: Range) -> Any:
    """The constraint of a setting: ``Annotated[int, within(ROUNDS)]``."""
    return Field(ge=allowed.low, le=allowed.high)
