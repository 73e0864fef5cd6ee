"""Orders given in a conversation, until their effect has been reported."""

from collections.abc import Sequence
from pathlib import Path

from typing_extensions import (
    TypedDict,  # LangGraph's server makes no schemas of typing's below 3.12
)

from pelnas.errors import InputError
from pelnas.store import RunStore
from pelnas.tools.directive_outcomes import news
from pelnas.tools.runs import run_below


class Given(TypedDict):
    """A directive that was given in a conversation and whose effect has not been reported yet."""

    run: str
    id: str


def news_of(output: Path, awaited: Sequence[Given]) -> tuple[list[str], list[Given]]:
    """What became of orders, a sentence for each that is decided on; and those that still wait."""
    told: list[str] = []
    waiting: list[Given] = []
    for given in awaited:
        try:
            with RunStore.read(run_below(output, given["run"])) as store:
                line = news(store, given["id"])
        except InputError:
            continue  # the run is gone, and its orders with it
        if line:
            told.append(line)
        else:
            waiting.append(given)
    return told, waiting
