"""``pelnas knowledge``: what the runs of a user have learned, across all of them."""

from collections.abc import Iterator
from contextlib import contextmanager
from typing import TYPE_CHECKING, Annotated, Any

import typer

from pelnas.app import options
from pelnas.errors import ConfigError, RunError
from pelnas.inputs.bounds import Range

if TYPE_CHECKING:
    from pelnas.knowledge.base import Base, Entry

LIMIT = Range(1, 1_000)
SHORT = 16  # rules that are listed unless another number is asked for

knowledge = typer.Typer(help="What earlier runs learned, across all of them.", no_args_is_help=True)
Place = Annotated[
    str | None,
    typer.Option("--knowledge", help="Folder, or address of a Chroma server. Default: the user's."),
]
Limit = Annotated[int, options.number(LIMIT, "--limit", "Rules that are shown at most.")]
Space = Annotated[str | None, typer.Option("--space", autocompletion=options.NAMED["space"])]
Device = Annotated[str | None, typer.Option("--device", autocompletion=options.NAMED["device"])]
Dataset = Annotated[str | None, typer.Option("--dataset")]


def runs_known(incomplete: str) -> list[str]:
    """The runs whose rules a base holds, for a shell that completes one's name."""
    with _opened(None) as base:
        names = {entry.name for entry in base.all()}
    return sorted(name for name in names if name.startswith(incomplete))


RunName = Annotated[
    str | None, typer.Option("--run", help="Rules of this run.", autocompletion=runs_known)
]


@knowledge.command("list")
def list_rules(
    space: Space = None,
    device: Device = None,
    dataset: Dataset = None,
    run: RunName = None,
    limit: Limit = SHORT,
    place: Place = None,
    as_json: options.Json = False,
) -> None:
    """The rules of finished runs, the strongest effects first."""
    with _opened(place) as base:
        found = base.all(**_wanted(space, device, dataset, run))
    found.sort(key=lambda entry: (-(entry.rule.measured or 0.0), entry.id))
    _show(found[:limit], len(found), as_json)


@knowledge.command("search")
def search(
    text: Annotated[str, typer.Argument(help='What it is about, such as "pooling on phones".')],
    space: Space = None,
    device: Device = None,
    dataset: Dataset = None,
    limit: Limit = SHORT,
    place: Place = None,
    as_json: options.Json = False,
) -> None:
    """The rules nearest to a text, by vectors of their words."""
    with _opened(place) as base:
        found = base.search(text, limit, **_wanted(space, device, dataset, None))
        whole = base.count()
    _show(found, whole, as_json)


@knowledge.command("forget")
def forget(
    rule: Annotated[
        str | None, typer.Argument(help="Id of one rule, as `list` shows it.", show_default=False)
    ] = None,
    space: Space = None,
    device: Device = None,
    dataset: Dataset = None,
    run: RunName = None,
    everything: Annotated[bool, typer.Option("--all", help="Every rule of every run.")] = False,
    place: Place = None,
    as_json: options.Json = False,
) -> None:
    """Remove one rule, those of a run, device or data set, or all of them."""
    from pelnas.app.display.output import print_json, say

    wanted = _wanted(space, device, dataset, run)
    if sum((rule is not None, bool(wanted), everything)) != 1:
        raise ConfigError(
            "expected what to forget, found nothing or too much: name a rule, or give --run, --device,"
            " --dataset and --space, or --all"
        )
    with _opened(place) as base:
        count = base.forget_rule(rule) if rule is not None else base.forget(**wanted)
    if not count and not everything:
        raise RunError(
            "expected rules that are known, found none of these: see pelnas knowledge list"
        )
    if as_json:
        print_json({"forgotten": count})
    else:
        say(f"{count} forgotten")


@knowledge.command("export")
def export(
    space: Space = None,
    device: Device = None,
    dataset: Dataset = None,
    run: RunName = None,
    place: Place = None,
    as_json: options.Json = False,
) -> None:
    """Every rule with its evidence, scope and run, one JSON object a line (--json: as one list)."""
    import json

    from pelnas.app.display.output import print_json, say

    with _opened(place) as base:
        found = base.all(**_wanted(space, device, dataset, run))
    rows = [
        entry.rule.to_dict() | {"id": entry.id, "run": entry.name, "niche": entry.niche or None}
        for entry in found
    ]
    if as_json:
        print_json(rows)
    else:
        for row in rows:
            say(json.dumps(row, sort_keys=True))


@contextmanager
def _opened(place: str | None) -> "Iterator[Base]":
    """The base that is named, or the user's. ConfigError: it is off."""
    from pelnas.config import load_config
    from pelnas.knowledge.base import Base
    from pelnas.knowledge.location import USER, VARIABLE, located

    where = located(load_config(None, {"knowledge": place or USER}).knowledge)
    if where is None:
        raise ConfigError(
            f"expected a knowledge base, found that it is off by {VARIABLE}: give --knowledge"
        )
    with Base(where) as base:
        yield base


def _wanted(
    space: str | None, device: str | None, dataset: str | None, run: str | None
) -> dict[str, str]:
    given = {"space": space, "device": device, "dataset": dataset, "name": run}
    return {name: value for name, value in given.items() if value is not None}


def _show(found: "list[Entry]", whole: int, as_json: bool) -> None:
    from pelnas.app.display.output import print_json, print_table, say

    if as_json:
        print_json([entry.to_dict() for entry in found])
        return
    if not found:
        say("no rules" if not whole else "no rule of these")
        return
    print_table(
        f"{len(found)} of {whole} rules", ("rule", "effect", "where", "id"), map(_row, found)
    )


def _row(entry: "Entry") -> tuple[Any, ...]:
    rule = entry.rule
    effect = f"{rule.polarity} {rule.metric} {rule.measured or 0.0:.2f}±{rule.error or 0.0:.2f}"
    where = f"{rule.scope.device}, {rule.scope.dataset}" + (f": {entry.niche}" * bool(entry.niche))
    return rule.text or str(rule.predicate), effect, where, entry.id
