"""What questions are answered with: plain values for JSON, by their names.

Scores: higher is better, in the run's own unit; latency in ms, lower is better. A difference
is ``None`` where either end is unknown.
"""

from typing import Any, NotRequired, TypedDict

Row = dict[str, Any]  # as a record of the core makes it (``to_dict``, ``asdict``)
Change = TypedDict("Change", {"position": str, "from": str, "to": str})


class Brief(TypedDict):
    """An architecture in short; where the run has not evaluated it, the first two alone."""

    id: str | None
    architecture: str
    score: NotRequired[float]
    uncertainty: NotRequired[float]
    latency_ms: NotRequired[float | None]
    spread_ms: NotRequired[float | None]
    parameters: NotRequired[int]
    niche: NotRequired[int]
    round: NotRequired[int]
    on_front: NotRequired[bool]


class Neighbour(Brief):
    """A point of the front, and how it differs from what was asked about.

    ``cost_differences``: of each objective of the run, where latency is not the only one.
    """

    changed: list[Change]
    score_difference: float | None
    latency_difference_ms: float | None
    cost_differences: NotRequired[dict[str, float | None]]


class Status(TypedDict):
    """How a run stands."""

    run: str
    state: str
    reason: str
    paused_by: str | None
    rounds_begun: int
    rounds: int
    unit: str
    on_front: int
    best: Row | None
    fastest: Row | None
    spent: Row
    forked_from: str | None
    directives: list[Row]


class Differences(TypedDict):
    """The second minus the first; ``dominates``: the id of the one that does.

    ``cost_differences``: of each objective of the run, where latency is not the only one.
    """

    score_difference: float | None
    latency_difference_ms: float | None
    cost_differences: NotRequired[dict[str, float | None]]
    within_uncertainty: bool | None
    dominates: str | None


class Comparison(Differences):
    """Two architectures side by side."""

    first: Brief
    second: Brief
    changed: list[Change]


class Tried(TypedDict):
    """What was planned, designed and refused in a niche."""

    niche: Row
    plans: list[Row]
    designs: list[Row]
    refusals: list[Row]


class Afford(TypedDict):
    """What a latency budget costs in accuracy."""

    latency_ms: float
    unit: str
    within: Brief | None
    best: Brief | None
    next: Brief | None
    score_lost: float | None


class Outlook(TypedDict):
    """Score and latency, each ``evaluated`` or ``predicted``; see ``pelnas.tools.what_if``."""

    score: float | None
    score_is: str
    score_between: list[float] | None
    latency_ms: float | None
    latency_is: str
    costs: NotRequired[dict[str, float | None]]


class Changed(Change, Outlook):
    """An architecture one operation away.

    ``costs``, ``cost_changes``: of each objective of the run, where latency is not the only one.
    """

    architecture: str
    id: str | None
    score_change: float | None
    latency_change_ms: float | None
    cost_changes: NotRequired[dict[str, float | None]]


class OneChange(TypedDict):
    """Every architecture one operation away; see ``pelnas.tools.what_if.one_change``."""

    evaluations: int
    score_error: float | None
    latency_error_ms: float | None
    here: Outlook
    changes: list[Changed]


class Standing(TypedDict):
    """Where an architecture stands, and why."""

    on_front: bool
    rank: int | None
    dominators: list[Brief]
    dominates: list[str]
    refusals: list[Row]
    why: str


class Birth(TypedDict):
    """Who designed it, from what, in which call, and under which rules."""

    born: Row | None
    call: Row | None
    rules: list[Row]


class Explanation(Standing, OneChange, Birth):
    """Everything that a run can say of an architecture; see ``pelnas.tools.explain.explain``."""

    run: str
    architecture: str
    index: int
    operations: str
    id: str | None
    evaluation: Brief | None
    sources: Row
    neighbours: list[Neighbour]
    proxies: list[Row]


class Named(TypedDict):
    """The architecture that an answer is about."""

    run: str
    architecture: str
    index: int
    id: str | None


class Beside(TypedDict):
    """Where a value stands among those of the run; see ``pelnas.tools.score_one``."""

    source: str
    run_source: str
    comparable: bool
    percentile: float | None
    of: int


class Measured(Named, Beside):
    """A value of one architecture, and ``how`` it was found."""

    how: str


class Score(Measured):
    """A score."""

    score: float
    uncertainty: float
    unit: str
    proxies: dict[str, float]


class Latency(Measured):
    """A latency."""

    latency_ms: float | None
    spread_ms: float | None
    energy_mj: float | None
