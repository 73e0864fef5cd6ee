"""``pelnas runs``, ``front`` and ``rules``: what is stored of searches, also while they run."""

from dataclasses import asdict
from datetime import datetime
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from pelnas.app import options
from pelnas.app.options import DEFAULTS
from pelnas.text import plural

if TYPE_CHECKING:
    from collections.abc import Sequence

    from pelnas.inputs.quantities import CostName
    from pelnas.report import FrontPoint
    from pelnas.store import RunStore

WIDE = 200  # columns from which the text of an architecture stands beside its figures


def runs(
    output: options.Output = None,
    upgrade: Annotated[
        bool, typer.Option("--upgrade", help="First upgrade runs of older releases.")
    ] = False,
    as_json: options.Json = False,
) -> None:
    """List all runs, newest first."""
    from pelnas.app.display.output import print_json, print_table
    from pelnas.store import list_runs

    if upgrade:
        _upgrade(options.runs_folder(output))
    found = list_runs(options.runs_folder(output))
    if as_json:
        records = [
            {
                "name": run.name,
                "folder": str(run.folder),
                "started": run.started,
                "status": run.status,
                "reason": run.reason,
                "rounds": run.rounds,
                "candidates": run.candidates,
                "models": list(run.models),
                "origin": run.origin.to_dict() if run.origin else None,
            }
            for run in found
        ]
        print_json({"runs": records})
        return
    print_table(
        f"{len(found)} {plural(len(found), 'run')} in {options.runs_folder(output)}",
        ("run", "started", "status", "rounds", "designs", "models", "why it ended", "forked from"),
        (
            (
                run.name,
                datetime.fromtimestamp(run.started).strftime("%Y-%m-%d %H:%M"),
                run.status,
                str(run.rounds),
                str(run.candidates),
                ", ".join(run.models),
                run.reason,
                run.origin.in_words() if run.origin else "",
            )
            for run in found
        ),
        right=("rounds", "designs"),
    )


def _upgrade(output: Path) -> None:
    """Say what became of each run; one that cannot be upgraded stays as it is."""
    from pelnas.app.display.output import note
    from pelnas.errors import InputError
    from pelnas.store import newest_first, upgrade

    for folder in newest_first(output):
        try:
            was, is_ = upgrade(folder)
        except InputError as problem:
            note(f"{folder.name} stays as it is: {problem}")
            continue
        if was != is_:
            note(f"{folder.name}: format {was} is now {is_}")


def front(
    run: options.Run = "last", output: options.Output = None, as_json: options.Json = False
) -> None:
    """Show the front of a run: the best network at every latency, or at every other cost."""
    from pelnas.app.display.output import print_json
    from pelnas.report import front_points

    with _read(run, output) as store:
        if as_json:
            points = [point.to_dict() for point in front_points(store)]
            about: dict[str, Any] = {
                "run": store.name,
                "status": store.status,
                "accuracy": store.config.accuracy,
            }
            if store.config.objectives != DEFAULTS.objectives:
                about |= {"objectives": [*store.config.objectives, "accuracy"]}
            print_json(about | {"sources": asdict(store.sources()), "front": points})
        else:
            print_front(store)


def rules(
    run: options.Run = "last",
    output: options.Output = None,
    everything: Annotated[
        bool, typer.Option("--all", help="Also weakened, retired and untested rules.")
    ] = False,
    as_json: options.Json = False,
) -> None:
    """Show the design rules of a run with what measuring them said."""
    from pelnas.app.display.output import print_json, print_table

    with _read(run, output) as store:
        known = [rule for rule in store.rules() if everything or rule.status == "in-force"]
        name = store.name
    if as_json:
        print_json({"run": name, "rules": [rule.to_dict() for rule in known]})
        return
    print_table(
        f"{len(known)} {plural(len(known), 'rule')} of {name}{'' if everything else ', in force'}",
        ("rule", "niche", "status", "claim", "effect", "for", "against", "since", "author", "text"),
        (
            (
                rule.id,
                "all" if rule.scope.niche is None else str(rule.scope.niche),
                rule.status,
                f"{rule.predicate} {rule.polarity} {rule.metric}",
                "" if rule.measured is None else f"{rule.measured:+.2f} ± {rule.error:.2f}",
                str(rule.support),
                str(rule.contradictions),
                str(rule.born),
                rule.author,
                rule.text,
            )
            for rule in known
        ),
        right=("niche", "effect", "for", "against", "since"),
    )


def print_front(store: "RunStore") -> None:
    """The front as a table; numbers in place of texts where the terminal is narrow."""
    from pelnas.app.display.output import EXTRAPOLATED, console, print_table
    from pelnas.report import front_points

    points = front_points(store)
    wide = console().width >= WIDE
    more = _more_costs(store)
    figures = ("latency ms", "spread", *(HEADS[name] for name in more))
    figures += ("score", "±", "params M", "FLOPs M", "index")
    unit = points[0].unit if points else "score"
    sources = store.sources()
    print_table(
        f"{len(points)} networks on the front of {store.name}: {unit} by"
        f" {store.config.accuracy} ({sources.accuracy}),"
        f" latency {sources.latency}" + (f"; images: {sources.images}" if sources.images else ""),
        (*figures, "niche", "designed by", *(["architecture"] if wide else [])),
        (_front_row(store, point, more, wide) for point in points),
        right=figures,
        below=EXTRAPOLATED if any(point.extrapolated for point in points) else "",
    )


#: Costs that not every table of a front has, with their columns; memory and size in 10^6 bytes.
HEADS: "dict[CostName, str]" = {"energy": "energy mJ", "memory": "memory MB", "size": "size MB"}


def _more_costs(store: "RunStore") -> "tuple[CostName, ...]":
    """The costs that have no column of their own in every table of a front."""
    counted = ("memory", "size") if store.config.counts_footprint else ()
    return tuple(name for name in HEADS if name in (*store.config.objectives, *counted))


def _cost_text(point: "FrontPoint", name: "CostName") -> str:
    value = point.cost(name)
    if value is None:
        return ""
    return f"{value:.4g}" if name == "energy" else f"{value / 1e6:.3f}"


def _front_row(
    store: "RunStore", point: "FrontPoint", more: "Sequence[CostName]", wide: bool
) -> tuple[str, ...]:
    from pelnas.app.display.output import millions, milliseconds
    from pelnas.spaces import get_space

    space = get_space(store.config.space)
    return (
        milliseconds(point.latency_ms, extrapolated=point.extrapolated),
        milliseconds(point.spread_ms),
        *(_cost_text(point, name) for name in more),
        f"{point.score:.4g}",
        f"{point.uncertainty:.2g}",
        millions(point.parameters),
        millions(point.flops),
        str(space.index(space.parse(point.architecture))),
        f"{point.niche}: {point.niche_label}" if wide else str(point.niche),
        point.author,
        *([point.architecture] if wide else []),
    )


def _read(run: str, output: Path | None) -> "RunStore":
    from pelnas.store import RunStore, find_run

    return RunStore.read(find_run(options.runs_folder(output), run))
