"""The options that several commands share; their defaults are the configuration's own."""

import math
from collections.abc import Mapping
from copy import copy
from functools import reduce
from pathlib import Path
from typing import Annotated, Any, get_args

import typer
from pydantic import BaseModel

from pelnas.config import SearchConfig
from pelnas.inputs.bounds import Range

#: Settings that stand in a section of the configuration, by the name of their option.
NESTED = {
    "max_calls": ("budget", "calls"),
    "max_tokens": ("budget", "tokens"),
    "max_dollars": ("budget", "dollars"),
    "max_minutes": ("budget", "minutes"),
    "max_evaluations": ("budget", "evaluations"),
    "reference": ("scoring", "reference"),
    "batch": ("scoring", "batch"),
}
DEFAULTS = SearchConfig()
DEFAULT = " Default: "  # before what holds where an option is not given
BY_HAND = "hand:questions"  # the model of --by-hand, which takes no value


def settings(options: Mapping[str, Any]) -> dict[str, Any]:
    """Options by parameter as the nested settings of ``load_config``; what was not given is left out."""
    nested: dict[str, Any] = {}
    for name, value in options.items():
        if value is None or value == []:
            continue
        *sections, last = NESTED.get(name, (name,))
        place = reduce(lambda inside, section: inside.setdefault(section, {}), sections, nested)
        place[last] = value
    return nested


def default(name: str) -> Any:
    """What the configuration says where an option is not given."""
    start: Any = DEFAULTS
    return reduce(_field, NESTED.get(name, (name,)), start)


def _field(model: BaseModel, name: str) -> Any:
    return getattr(model, name)


def setting(name: str, text: str, otherwise: str = "") -> Any:
    """An option for a setting, with the configuration's default in its help.

    ``otherwise``: what it means where the configuration has no value.
    """
    value = default(name)
    told = otherwise if value in (None, "", ()) else str(value)
    return typer.Option(
        f"--{name.replace('_', '-')}", help=text + (f"{DEFAULT}{told}." if told else "")
    )


def number(allowed: Range, name: str, text: str) -> Any:
    """An option for a number that is no setting of a search, within its range."""
    return typer.Option(name, min=allowed.low, max=allowed.high, callback=_is_number, help=text)


def _is_number(value: Any) -> Any:
    """NaN is neither below nor above any bound."""
    if isinstance(value, float) and math.isnan(value):
        raise typer.BadParameter("nan is not a number")
    return value


def of_run(option: Any) -> Any:
    """The same option where RUN's own setting holds without it."""
    found = copy(get_args(option)[1])
    found.help = found.help.partition(DEFAULT)[0] + f"{DEFAULT}as in RUN."
    return found


Space = Annotated[str | None, setting("space", "Search space; see `pelnas spaces`.")]
Device = Annotated[
    str | None, setting("device", "host: this machine; else a device of --data, see `devices`.")
]
Dataset = Annotated[
    str | None, setting("dataset", "Data set of the tables in --data, or a label for --images.")
]
Images = Annotated[
    Path | None,
    setting("images", "Folder of class folders, .npz or .parquet.", "small digits"),
]
Data = Annotated[Path | None, setting("data", "Folder of benchmark tables.")]
Accuracy = Annotated[
    str | None, setting("accuracy", "Accuracy predictor, or table for benchmark truth.")
]
Labels = Annotated[
    list[Path] | None,
    setting("labels", "For few-shot: CSV of architecture,accuracy, or a trained run; repeatable."),
]
Prior = Annotated[
    str | None, setting("prior", "Where few-shot starts: rank-sum or transfer, which it prefers.")
]
Seed = Annotated[int | None, setting("seed", "The same seed and answers give the same front.")]
Output = Annotated[Path | None, setting("output", "Folder of all runs.")]
Reference = Annotated[
    int | None, setting("reference", "Sampled networks that set the scale of scores.")
]
Batch = Annotated[int | None, setting("batch", "Images that each proxy sees.")]
BaseUrl = Annotated[str | None, setting("base_url", "OpenAI-compatible server for openai: models.")]
Rounds = Annotated[int | None, setting("rounds", "Rounds of design and reflection.")]
PerNiche = Annotated[int | None, setting("per_niche", "Designs of a niche in a round, on average.")]
MaxCalls = Annotated[int | None, setting("max_calls", "Language-model calls of a run at most.")]
MaxTokens = Annotated[int | None, setting("max_tokens", "Tokens of a run at most, in and out.")]
MaxDollars = Annotated[
    float | None, setting("max_dollars", "Dollars of a run at most; every price must be known.")
]
MaxMinutes = Annotated[float | None, setting("max_minutes", "Minutes of a run at most.")]
MaxEvaluations = Annotated[
    int | None, setting("max_evaluations", "Networks scored in a run at most.")
]
Config = Annotated[
    Path | None, typer.Option("--config", help="TOML file of settings; options win over it.")
]
Json = Annotated[
    bool, typer.Option("--json", help="One JSON document on standard output and nothing else.")
]
Run = Annotated[
    str, typer.Argument(help="Name of a run, a part of it that is clear, its folder, or last.")
]


def runs_folder(output: Path | None) -> Path:
    """Where runs are, as ``--output`` or the configuration says."""
    return output or DEFAULTS.output
