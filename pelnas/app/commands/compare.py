"""``pelnas compare``: the same search with several models, at equal budget, side by side."""

from collections.abc import Iterator, Sequence
from pathlib import Path
from threading import Event
from typing import TYPE_CHECKING, Annotated, Any

import typer

from pelnas.app import options
from pelnas.inputs import bounds

if TYPE_CHECKING:
    from pelnas import Result, Search
    from pelnas.bench.compare import Trial
    from pelnas.config import SearchConfig

PICTURE = "compare.png"
COLUMNS = (
    "model", "runs", "hypervolume", "lowest", "front", "evaluations", "calls", "failed", "dollars",
    "time", "invalid", "duplicate", "out of niche", "filled", "rules",
)  # fmt: skip


@options.takes(
    *(
        "space",
        "device",
        "dataset",
        "images",
        "resolution",
        "channels",
        "data",
        "accuracy",
        "base_url",
    ),
    *("rounds", "per_niche", "pool", *options.BUDGETS, "output"),
    texts={
        "pool": "Run the searches side by side: processes (here), ray, or ray://HOST:PORT."
        " Without it: one after the other."
    },
)
def compare(
    *,
    more: Annotated[
        list[str] | None, typer.Argument(metavar="[MODEL]...", help="provider:model, each.")
    ] = None,
    models: Annotated[
        list[str] | None,
        typer.Option("--models", help="The same; more may follow: --models A B C."),
    ] = None,
    by_hand: Annotated[
        bool,
        typer.Option("--by-hand", help=f"A human, too, by files: the model {options.BY_HAND}."),
    ] = False,
    seeds: Annotated[
        int, options.number(bounds.SEEDS, "--seeds", "Runs of each, seeds from 0 on.")
    ] = 3,
    given: dict[str, Any],
    config: options.Config = None,
    picture: Annotated[
        Path | None, typer.Option("--picture", help=f"Default: {PICTURE} in the folder of runs.")
    ] = None,
    as_json: options.Json = False,
) -> None:
    """The same search with each model, and with evolution and random sampling, at equal budget."""
    from pelnas import load_config
    from pelnas.app.display.output import print_json, say
    from pelnas.bench.compare import compare as run_all
    from pelnas.bench.compare import rows, scale_of, to_dict
    from pelnas.bench.curves import draw_curves
    from pelnas.store import write_atomically

    settings = load_config(config, given | {"name": "compare", "knowledge": "off"})
    compared = [*(models or ()), *(more or ()), *([options.BY_HAND] if by_hand else [])]
    _foretell(settings, compared, seeds)
    if "pool" in given.get("scoring", {}):
        trials = list(_told(_apart(settings, compared, range(seeds))))
    else:
        trials = list(_told(run_all(settings, compared, range(seeds), _run)))
    scale = scale_of(settings, trials)
    judged_by = "share of the true front's" if scale.truth else "in the ranges of all runs"
    means, runs = rows(trials, scale), [to_dict(trial, scale) for trial in trials]
    file = picture or settings.output / PICTURE
    write_atomically(file, draw_curves(runs, judged_by), shared=True)
    if as_json:
        print_json({"judged_by": judged_by, "models": means, "runs": runs, "picture": str(file)})
        return
    _print(means, f"means over {seeds} seeds; hypervolume {judged_by}, higher is better")
    say(f"picture  {file}")


def _apart(
    settings: "SearchConfig", models: Sequence[str], seeds: Sequence[int]
) -> "Iterator[Trial]":
    """The runs by the workers of a pool; a first signal ends the comparison cleanly."""
    from pelnas.app.display.output import note
    from pelnas.app.signals import INTERRUPTED, stopped_by_signals
    from pelnas.bench.compare import compare_apart
    from pelnas.errors import Stopped
    from pelnas.pool import get_pool

    pool, stop = get_pool(settings.scoring.pool), Event()
    pool.check()
    message = f"stopping; the runs that have ended stay in {settings.output}"
    with stopped_by_signals(stop.set, message):
        try:
            yield from compare_apart(settings, models, seeds, pool, stop.is_set)
        except Stopped:
            note(message.replace("stopping", "stopped"))
            raise typer.Exit(INTERRUPTED) from None


def _run(search: "Search") -> "Result":
    """One of the runs to its end; a signal ends the comparison with it."""
    from pelnas.app.commands.follow import heeding_signals, leave
    from pelnas.app.display.output import note

    try:
        result, code = heeding_signals(search)
    except KeyboardInterrupt:
        leave(search.folder)
    if not result.stopped:
        return result
    whole = search.folder.parent
    note(f"stopped; the runs that have ended stay in {whole}")
    raise typer.Exit(code)


def _foretell(settings: "SearchConfig", models: Sequence[str], seeds: int) -> None:
    """What all runs together are likely to use."""
    from pelnas.app.display.estimate_text import amounts
    from pelnas.app.display.output import say
    from pelnas.bench.compare import searches
    from pelnas.graph.estimate.estimate import of_all
    from pelnas.graph.session.problem import outlook

    configs = searches(settings, models)
    found = of_all(configs, outlook(settings)[0], seeds)
    runs = seeds * len(configs)
    say(f"expected in {runs} runs: {amounts(found)}", errors=True)


def _told(trials: "Iterator[Trial]") -> "Iterator[Trial]":
    """Each run as it ends, with a line about it."""
    from pelnas.app.display.output import duration, say

    for one in trials:
        say(
            f"{one.model} seed {one.seed}: {one.front} on the front, {one.evaluations} evaluations,"
            f" {one.calls} calls, {duration(one.seconds)}",
            errors=True,
        )
        yield one


def _print(means: Sequence[dict[str, Any]], title: str) -> None:
    from pelnas.app.display.output import print_table

    print_table(title, COLUMNS, [_cells(row) for row in means], right=COLUMNS[1:])


def _cells(row: dict[str, Any]) -> tuple[str, ...]:
    from pelnas.calls.prices import in_words

    return (
        row["model"],
        str(row["runs"]),
        f"{row['hypervolume']:.4f}",
        f"{row['lowest']:.4f}",
        *(f"{row[name]:.4g}" for name in ("front", "evaluations", "calls", "failed_calls")),
        in_words(row["dollars"]),
        f"{row['seconds']:.1f} s",
        *(_share(row[name]) for name in ("invalid", "duplicate", "out_of_niche")),
        f"{row['filled']:.4g}",
        f"{row['rules']:.4g}",
    )


def _share(rate: float | None) -> str:
    return "" if rate is None else f"{rate:.0%}"
