"""The frozen values that travel between the boxes of the method."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Self


@dataclass(frozen=True, slots=True, order=True)
class Architecture:
    """One point of a search space.

    ``genes[i]`` is an index into ``space.choices[i]``, so that one evolution
    serves every space. Text forms belong to the space (``format``, ``parse``).
    """

    space: str
    genes: tuple[int, ...]


@dataclass(frozen=True, slots=True)
class Shape:
    """What a network takes and gives: images (channels, height, width), logits (classes,)."""

    classes: int = 10
    height: int = 32  # pixels
    width: int = 32
    channels: int = 3

    @classmethod
    def square(cls, classes: int, side: int, channels: int = 3) -> Self:
        """Of images with ``side`` pixels each way."""
        return cls(classes, side, side, channels)

    @property
    def pixels(self) -> tuple[int, int, int]:
        """The shape of one image as a tensor: (channels, height, width)."""
        return (self.channels, self.height, self.width)

    @property
    def size(self) -> str:
        """Height and width for people and keys: ``224``, or ``96x128`` where they differ."""
        both = self.height, self.width
        return str(self.height) if len(set(both)) == 1 else f"{self.height}x{self.width}"


@dataclass(frozen=True, slots=True)
class Prediction:
    """What is believed about an architecture's accuracy.

    ``score``: higher is better, in the predictor's own ``unit``.
    ``uncertainty``: one standard deviation in the same unit; 0 for a table.
    ``proxies``: raw proxy values by name; empty for a table.
    """

    score: float
    uncertainty: float = 0.0
    proxies: Mapping[str, float] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class Cost:
    """What a device charges for an architecture; lower is better.

    ``latency_ms``: median; ``None`` where the device cannot run it (infeasible, not fast).
    ``spread_ms``: interquartile range of the repeats, or of what is predicted; 0 for a table.
    ``energy_mj``: millijoule, ``None`` where the device does not report it.
    ``extrapolated``: predicted, and far from all networks that were measured.
    """

    latency_ms: float | None
    spread_ms: float = 0.0
    energy_mj: float | None = None
    extrapolated: bool = False

    @property
    def feasible(self) -> bool:
        return self.latency_ms is not None


@dataclass(frozen=True, slots=True)
class Design:
    """An architecture that somebody proposed and the validator let through.

    ``author``: the model that designed it, ``provider:model``.
    ``method``: how: ``sample``, ``mutation``, ``crossover``, ``surrogate``, ``free``, or ``seed``
    where a person asked for it (author ``person``).
    ``parents``: ids of candidates; ``rules``: ids of the rules its designer saw.
    ``call``: id of the model call in which it was born, ``None`` without one.
    """

    architecture: str  # the space's official text
    author: str
    method: str
    parents: tuple[str, ...] = ()
    rationale: str = ""
    rules: tuple[str, ...] = ()
    call: str | None = None


@dataclass(frozen=True, slots=True)
class Refusal:
    """A proposal that the validator refused, and why.

    ``kind``: ``malformed``, ``out-of-niche``, ``duplicate`` or ``directive``;
    ``directive``: the id of the one that it breaks.
    """

    architecture: str  # as proposed, cut to a readable length
    author: str
    kind: str
    reason: str
    call: str | None = None
    directive: str | None = None


def candidate_id(round_: int, niche: int, slot: int) -> str:
    """``r3n2c5``: known before anything is stored, so concurrent designers cannot change it."""
    return f"r{round_}n{niche}c{slot}"


@dataclass(frozen=True, slots=True)
class Candidate:
    """A design that has its place in the run: round, niche and slot, counted from 0."""

    id: str
    round: int
    niche: int
    slot: int
    design: Design

    @property
    def architecture(self) -> str:
        return self.design.architecture


@dataclass(frozen=True, slots=True)
class Evaluation:
    """A candidate with all that was measured or predicted of it.

    ``parameters`` and ``flops`` are plain counts (not millions). ``memory``: peak of the
    activations in bytes, ``size``: of the weights on disk in bytes; ``None`` where nothing
    has counted them.
    """

    candidate: Candidate
    prediction: Prediction
    cost: Cost
    parameters: int
    flops: float
    memory: int | None = None
    size: int | None = None

    @property
    def id(self) -> str:
        return self.candidate.id

    @property
    def score(self) -> float:
        return self.prediction.score

    @property
    def latency_ms(self) -> float:
        """The median latency; ``inf`` for an infeasible candidate, so that it never sorts as fast."""
        return float("inf") if self.cost.latency_ms is None else self.cost.latency_ms
