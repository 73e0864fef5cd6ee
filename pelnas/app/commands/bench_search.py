"""``pelnas bench search``: methods side by side at equal budget, judged against the truth."""

from collections.abc import Callable, Sequence
from itertools import product
from math import isfinite
from pathlib import Path
from threading import Event
from typing import TYPE_CHECKING, Annotated, Any

import typer

from pelnas.app import options
from pelnas.app.commands.bench_known_truth import TRUTHS
from pelnas.app.commands.bench_options import (
    Again,
    Data,
    DataSets,
    Devices,
    Evaluations,
    Jobs,
    Markdown,
    Seeds,
    To,
    check_form,
)
from pelnas.errors import ConfigError, InputError, Stopped

if TYPE_CHECKING:
    from pelnas import SearchConfig
    from pelnas.bench.search.problem import Cell
    from pelnas.bench.search.results import Result
    from pelnas.bench.search.run import Plan
    from pelnas.bench.search.statistics import Comparison, Mean
    from pelnas.bench.validation import Interval


@options.takes(
    *("space", "per_niche", "images", "resolution", "channels", "pool"),
    texts={"pool": "Where the searches run: processes (here), ray, or ray://HOST:PORT."},
)
def bench_search(
    *,
    data: Data,
    dataset: DataSets = None,
    device: Devices = None,
    accuracy: Annotated[
        list[str] | None,
        typer.Option(
            "--accuracy",
            help="What guides: table (the column that judges), validation, rank-sum, transfer,"
            " few-shot-N-from-BASE, known-truth; repeatable. Default: table.",
        ),
    ] = None,
    method: Annotated[
        list[str] | None,
        typer.Option(
            "--method",
            help="Method, or baselines, ablations, all; repeatable. Default: pelnas and all"
            " baselines but the Gaussian process.",
        ),
    ] = None,
    model: Annotated[
        list[str] | None,
        typer.Option("--model", help="Model of pelnas's agents; repeatable. Default: built in."),
    ] = None,
    seeds: Seeds = 10,
    evaluations: Evaluations = 600,
    to: To = Path("bench"),
    jobs: Jobs = None,
    again: Again = False,
    given: dict[str, Any],
    config: options.Config = None,
    markdown: Markdown = False,
    as_json: options.Json = False,
) -> None:
    """Searches by many methods at equal budget, each judged against the true front.

    Results are kept as they come, in results.jsonl, results.csv and report.html of the folder;
    the same command goes on after an interrupt.
    """
    check_form(markdown, as_json)
    from pelnas import load_config
    from pelnas.bench.search.methods import DEFAULT, named
    from pelnas.bench.search.results import Results
    from pelnas.bench.search.run import Plan
    from pelnas.bench.truth import need_latency_alone

    own = {"name": "bench", "data": data.absolute(), "output": to.absolute() / "runs"}
    settings = load_config(config, given | own)
    need_latency_alone(settings)
    plan = Plan(
        config=settings,
        cells=cells_of(settings, dataset, device, accuracy or ["table"]),
        methods=_installed(named(method or DEFAULT)),
        models=list(dict.fromkeys(map(_unless_built_in, model or [""]))),
        seeds=range(seeds),
        budget=evaluations,
        first=settings.per_niche * settings.niches,
        again=again,
    )
    results = Results(to)
    with results.alone():
        carried_out(plan, results, jobs or 0)
        _show(results, markdown, as_json)
    check_success(plan, results)


def check_success(plan: "Plan", results: Any) -> None:
    """InputError: every search of the plan failed."""
    wanted = set(plan.searches())
    found = [result for result in results.read() if result.key in wanted]
    if found and all(result.error for result in found):
        raise InputError(f"all {len(found)} searches failed, the first one so: {found[0].error}")


def _unless_built_in(model: str) -> str:
    from pelnas.config import DEFAULT_MODEL

    return "" if model == DEFAULT_MODEL else model


def cells_of(
    config: "SearchConfig",
    datasets: Sequence[str] | None,
    devices: Sequence[str] | None,
    accuracies: Sequence[str],
) -> "list[Cell]":
    """Every combination; the known-truth problem has devices and data sets of its own."""
    from pelnas import tables
    from pelnas.bench.search.problem import Cell
    from pelnas.bench.search.sources import check_source
    from pelnas.devices.layered import layer_tables

    assert config.data is not None  # noqa: S101 - it is required
    found = []
    for accuracy in accuracies:
        check_source(accuracy)
        made = accuracy == "known-truth"
        sets = datasets or (TRUTHS if made else _judged(config.data))
        known = devices or (layer_tables(config.data) if made else tables.devices(config.data))
        found += [Cell(config.space, *place, accuracy) for place in product(sets, known)]
    if not found:
        raise ConfigError(
            f"expected data sets and devices in {config.data}, found none: give another --data"
        )
    return list(dict.fromkeys(found))


def _judged(data: Path) -> list[str]:
    """The data sets that have test accuracies."""
    from pelnas import tables

    known = dict.fromkeys(name for name, split, _ in tables.all_accuracies(data) if split == "test")
    return list(known)


def _installed(methods: Sequence[str]) -> list[str]:
    """The methods whose packages are there, with a note for each other one. InputError: none is."""
    from pelnas.app.display.output import note
    from pelnas.bench.search.methods import check

    found = []
    for name in methods:
        try:
            check(name)
        except InputError as missing:
            if len(methods) == 1:
                raise
            note(str(missing))
            continue
        found.append(name)
    if not found:
        raise InputError("expected a method whose packages are installed, found none")
    return found


def carried_out(plan: "Plan", results: Any, jobs: int) -> None:
    """Run what is missing under a progress bar; a first interrupt ends it cleanly."""
    from pelnas.app.signals import INTERRUPTED, stopped_by_signals
    from pelnas.bench.search.run import run
    from pelnas.pool import get_pool

    pool, stop = get_pool(plan.config.scoring.pool), Event()
    pool.check()
    with stopped_by_signals(stop.set, "stopping; the same command goes on from here"):
        try:
            with _Progress(plan, results) as report:
                run(plan, results, jobs, report, stop, pool)
        except Stopped as stopped:
            from pelnas.app.display.output import note

            note(str(stopped))
            raise typer.Exit(INTERRUPTED) from None


class _Progress:
    """A bar on a terminal, else a line for each search; failures are always printed."""

    def __init__(self, plan: "Plan", results: Any) -> None:
        from rich.progress import (
            BarColumn,
            MofNCompleteColumn,
            Progress,
            TextColumn,
            TimeElapsedColumn,
            TimeRemainingColumn,
        )

        from pelnas.app.display.output import console

        keys = set(plan.searches())
        done = len(keys) - len(plan.missing(results.read()))
        out = console(errors=True)
        self._live = out.is_terminal
        self._bar = Progress(
            TextColumn("{task.description}"),
            BarColumn(),
            MofNCompleteColumn(),
            TimeElapsedColumn(),
            TimeRemainingColumn(),
            console=out,
            disable=not self._live,
        )
        self._task = self._bar.add_task("searches", total=len(keys), completed=done)

    def __enter__(self) -> "Callable[[Result], None]":
        self._bar.__enter__()
        return self._report

    def __exit__(self, *error: Any) -> None:
        self._bar.__exit__(*error)

    def _report(self, result: "Result") -> None:
        from pelnas.app.display.output import say

        self._bar.advance(self._task)
        if result.error:
            say(f"{_place(result)}: failed: {result.error}", errors=True)
        elif not self._live:
            found = ", ".join(
                f"{name} {result.final(name):.4f}"
                for name in ("hv", "front_hv", "igd")
                if isfinite(result.final(name))
            )
            say(f"{_place(result)}: {found}, {result.cpu:.1f} s", errors=True)


def _place(result: "Result") -> str:
    key = result.key
    return f"{key.dataset} {key.device} {key.accuracy} seed {key.seed} {result.name}"


def _show(results: Any, markdown: bool, as_json: bool) -> None:
    from dataclasses import asdict

    from pelnas.app.display.output import print_json, say
    from pelnas.bench.search.report import write_report
    from pelnas.bench.search.summary import groups, write_csv

    found = results.read()
    write_csv(found, results.folder)
    write_report(found, results.folder)
    parts = groups(found)
    if as_json:
        print_json(
            {
                "runs": [one.to_dict() for one in found],
                "groups": [asdict(part) for part in parts],
            }
        )
        return
    if markdown:
        from pelnas.bench.search.summary import to_markdown

        say("\n\n".join(map(to_markdown, parts)))
        return
    for part in parts:
        _print_means(part.title, part.means)
        if part.note:
            say(part.note)
        _print_comparisons(part.comparisons)


def _print_means(title: str, means: "Sequence[Mean]") -> None:
    from pelnas.app.display.output import print_table
    from pelnas.bench.search.summary import distance

    numbers = ("searches", "HV", "front box", "95 %", "IGD", "found", "CPU s")
    print_table(
        f"{title}: means over cells and seeds; HV, front box, found: 1 is the true front; IGD:"
        " lower is better",
        ("method", *numbers),
        (
            (
                one.method,
                str(one.searches),
                _value(one.quality["hv"]),
                _value(one.quality["front_hv"]),
                f"{one.quality['front_hv'].low:.4f} to {one.quality['front_hv'].high:.4f}",
                _value(distance(one)),
                f"{one.quality['found'].value:.2f}",
                f"{one.cpu:.1f}",
            )
            for one in means
        ),
        right=numbers,
    )


def _value(interval: "Interval") -> str:
    return f"{interval.value:.4f}" if isfinite(interval.value) else "-"


def _print_comparisons(comparisons: "Sequence[Comparison]") -> None:
    from pelnas.app.display.output import print_table
    from pelnas.bench.search.summary import p_value

    if not comparisons:
        return
    numbers = ("pairs", "ahead by", "95 %", "p (Holm)", "won", "tied", "lost")
    print_table(
        "differences in the front box, paired by cell and seed",
        ("method", "against", *numbers),
        (
            (
                one.method,
                one.rival,
                str(one.pairs),
                f"{one.ahead.value:+.4f}",
                f"{one.ahead.low:+.4f} to {one.ahead.high:+.4f}",
                p_value(one.corrected),
                str(one.won),
                str(one.tied),
                str(one.lost),
            )
            for one in comparisons
        ),
        right=numbers,
    )
