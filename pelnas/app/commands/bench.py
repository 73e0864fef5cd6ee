"""``pelnas bench``: every published figure by a command."""

from dataclasses import asdict
from typing import TYPE_CHECKING, Annotated

import typer

from pelnas.app import options
from pelnas.app.commands import (
    bench_knowledge,
    bench_known_truth,
    bench_latency,
    bench_models,
    bench_objectives,
    bench_pool,
    bench_predictors,
    bench_runtimes,
    bench_search,
    proxies,
)
from pelnas.app.commands.bench_options import Data
from pelnas.inputs import bounds

if TYPE_CHECKING:
    from pelnas.bench.scaling import Cost

bench = typer.Typer(help="Measure the product against benchmark tables.", no_args_is_help=True)
bench.command("search")(bench_search.bench_search)
bench.command("proxies")(proxies.speed)
bench.command("predictors")(bench_predictors.bench_predictors)
bench.command("objectives")(bench_objectives.bench_objectives)
bench.command("knowledge")(bench_knowledge.bench_knowledge)
bench.command("known-truth")(bench_known_truth.bench_known_truth)
bench.command("runtimes")(bench_runtimes.bench_runtimes)
bench.command("pool")(bench_pool.bench_pool)
bench.command("latency")(bench_latency.bench_latency)
bench.command("models")(bench_models.bench_models)
LENGTHS = (10, 100)  # rounds of searches whose costs are compared


@bench.command("scaling")
def bench_scaling(
    data: Data,
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
