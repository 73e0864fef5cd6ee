"""The state of the graph: ids, counters and plain values. The run's store holds the data."""

from typing import Any

from typing_extensions import (
    TypedDict,  # LangGraph's server makes no schemas of typing's below 3.12
)


class NicheTask(TypedDict):
    """What one designer or reflection agent is sent (``Send``)."""

    run: str
    round: int
    niche: int
    designs: int
    focus: str


class SearchInput(TypedDict, total=False):
    """What a client of the served graph gives. ``settings``: a SearchConfig as plain values."""

    settings: dict[str, Any]


class SearchState(SearchInput, total=False):
    """One search. A client of the served graph reads ``front``.

    ``run``: name of the run's folder. ``round``: counted from 0.
    ``plan``: this round's share of every niche. ``stop``: why the search ends, or ''.
    ``front``: the answer, one record for each point, by latency.
    """

    run: str
    round: int
    plan: list[dict[str, Any]]
    stop: str
    front: list[dict[str, Any]]
