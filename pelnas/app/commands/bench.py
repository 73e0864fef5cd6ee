"""``pelnas bench``: every published figure by a command."""

from collections import defaultdict
from collections.abc import Iterator
from dataclasses import asdict
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from pelnas.app import options
from pelnas.app.commands import (
    bench_known_truth,
    bench_latency,
    bench_objectives,
    bench_predictors,
    bench_runtimes,
    proxies,
)
from pelnas.inputs import bounds

if TYPE_CHECKING:
    from pelnas.bench.scaling import Cost
    from pelnas.bench.search import Quality

bench = typer.Typer(help="Measure the product against benchmark tables.", no_args_is_help=True)
bench.command("proxies")(proxies.speed)
bench.command("predictors")(bench_predictors.bench_predictors)
bench.command("objectives")(bench_objectives.bench_objectives)
bench.command("known-truth")(bench_known_truth.bench_known_truth)
bench.command("runtimes")(bench_runtimes.bench_runtimes)
bench.command("latency")(bench_latency.bench_latency)
LENGTHS = (10, 100)  # rounds of searches whose costs are compared
MODELS = ("builtin:evolver", "builtin:random")


@bench.command("search")
@options.takes(
    *("dataset", "space", "accuracy", "model", "seeds", "rounds", "per_niche", "images"),
    *("resolution", "channels", "output"),
)
def bench_search(
    *,
    data: Annotated[Path, typer.Option("--data", help="Folder of benchmark tables.")],
    device: Annotated[
        list[str] | None, typer.Option("--device", help="Repeatable. Default: all of the folder.")
    ] = None,
    given: dict[str, Any],
    accuracy: Annotated[str, typer.Option("--accuracy", help="What guides the search.")] = "table",
    model: Annotated[
        list[str] | None,
        typer.Option("--model", help=f"Repeatable. Default: {' and '.join(MODELS)}."),
    ] = None,
    seeds: Annotated[
        int, options.number(bounds.SEEDS, "--seeds", "Runs of each, seeds from 0 on.")
    ] = 5,
    config: options.Config = None,
    as_json: options.Json = False,
) -> None:
    """Whole searches, each front judged by test accuracy against the true front."""
    from pelnas import load_config, tables
    from pelnas.app.display.output import print_json
    from pelnas.bench.search import bench_search as run_all

    settings = load_config(config, given | {"data": data, "accuracy": accuracy, "name": "bench"})
    devices = device or list(tables.devices(data))
    runs = run_all(settings, devices, range(seeds), model or list(MODELS))
    found = list(_told(runs))
    if as_json:
        print_json({"runs": [asdict(one) for one in found], "means": _means(found)})
    else:
        _print_means(_means(found))


@bench.command("scaling")
def bench_scaling(
    data: Annotated[Path, typer.Option("--data", help="Folder of benchmark tables.")],
    device: Annotated[str, typer.Option("--device", help="A device of the tables.")] = "edgegpu",
    dataset: Annotated[str, typer.Option("--dataset", help="A data set of them.")] = "cifar10",
    rounds: Annotated[
        list[int] | None, typer.Option("--rounds", help="Repeatable. Default: 10 and 100.")
    ] = None,
    per_niche: Annotated[
        int, options.number(bounds.PER_NICHE, "--per-niche", "Designs of a niche in a round.")
    ] = 10,
    seed: Annotated[int, options.number(bounds.SEED, "--seed", "Of every search.")] = 0,
    as_json: options.Json = False,
) -> None:
    """CPU time and peak memory of a search by table, and how they grow with its length."""
    from pelnas.app.display.output import print_json
    from pelnas.bench.scaling import costs

    given = {"data": data, "device": device, "dataset": dataset, "accuracy": "table"}
    given |= {"per-niche": per_niche, "seed": seed}
    search = [text for name, value in given.items() for text in (f"--{name}", str(value))]
    found = list(costs(search, rounds or LENGTHS))
    if as_json:
        print_json([asdict(one) | {"cpu_ratio": _ratio(one, found[0])} for one in found])
    else:
        _print_costs(found)


def _ratio(one: "Cost", first: "Cost") -> float:
    """How many times the CPU time of the first search another one takes."""
    return one.cpu_seconds / first.cpu_seconds


def _print_costs(found: "list[Cost]") -> None:
    from pelnas.app.display.output import print_table

    numbers = ("evaluations", "CPU s", "of the first", "s", "peak MB")
    print_table(
        "searches in processes of their own, importing included",
        ("rounds", *numbers),
        (
            (
                str(one.rounds),
                str(one.evaluations),
                f"{one.cpu_seconds:.1f}",
                f"{_ratio(one, found[0]):.1f}x",
                f"{one.seconds:.1f}",
                f"{one.peak_mb:.0f}",
            )
            for one in found
        ),
        right=numbers,
    )


def _told(runs: "Iterator[Quality]") -> "Iterator[Quality]":
    """Each judged run as it ends, with a line about it."""
    from pelnas.app.display.output import duration, say

    for one in runs:
        say(
            f"{one.device} {one.model} seed {one.seed}: hypervolume ratio {one.ratio:.4f},"
            f" IGD {one.igd:.4f}, {one.evaluations} evaluations, {duration(one.seconds)}",
            errors=True,
        )
        yield one


def _means(found: "list[Quality]") -> list[dict[str, Any]]:
    """Means over seeds for each device and model, and over everything for each model."""
    groups: dict[tuple[str, str], list[Quality]] = defaultdict(list)
    for one in found:
        groups[one.device, one.model].append(one)
        groups["all", one.model].append(one)
    return [
        {
            "device": device,
            "model": model,
            "runs": len(group),
            "ratio": sum(one.ratio for one in group) / len(group),
            "lowest_ratio": min(one.ratio for one in group),
            "igd": sum(one.igd for one in group) / len(group),
            "most_evaluations": max(one.evaluations for one in group),
            "seconds": sum(one.seconds for one in group) / len(group),
        }
        for (device, model), group in sorted(groups.items(), key=lambda item: item[0][0] == "all")
    ]


def _print_means(means: list[dict[str, Any]]) -> None:
    from pelnas.app.display.output import print_table

    print_table(
        "means over seeds; hypervolume ratio: 1 is the true front; IGD: lower is better",
        ("device", "model", "runs", "ratio", "lowest", "IGD", "evaluations", "seconds"),
        (
            (
                row["device"],
                row["model"],
                str(row["runs"]),
                f"{row['ratio']:.4f}",
                f"{row['lowest_ratio']:.4f}",
                f"{row['igd']:.4f}",
                str(row["most_evaluations"]),
                f"{row['seconds']:.1f}",
            )
            for row in means
        ),
        right=("runs", "ratio", "lowest", "IGD", "evaluations", "seconds"),
    )
