"""``pelnas bench predictors`` and ``pelnas proxies suggest``: predictors that learned from accuracies."""

from dataclasses import asdict
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from pelnas.app import options
from pelnas.app.commands.bench_options import Data
from pelnas.errors import ConfigError
from pelnas.inputs import bounds
from pelnas.inputs.bounds import Range

if TYPE_CHECKING:
    from pelnas.bench.predictors import Front, Order
    from pelnas.bench.trained import Order as TrainedOrder
    from pelnas.bench.trained import Trained

CELLS = "nasbench201"  # the space of the tables that transfer was fitted to
TRAINED = 224  # pixels a side of published trainings
DRAWS = 10  # of the labels of few-shot
BASES = ("transfer", "rank-sum")


@options.takes(
    "space",
    "rounds",
    "per_niche",
    "output",
    texts={"space": f"Default: {CELLS}; or mnasnet, autoformer."},
)
def bench_predictors(
    *,
    data: Data,
    images: Annotated[
        Path | None, typer.Option("--images", help="CIFAR-10: .parquet or folder.")
    ] = None,
    base: Annotated[
        list[str] | None,
        typer.Option("--base", help=f"Repeatable. Default: {' and '.join(BASES)}."),
    ] = None,
    device: Annotated[
        list[str] | None, typer.Option("--device", help="Repeatable. Default: all of the folder.")
    ] = None,
    seeds: Annotated[
        int,
        options.number(Range(0, bounds.SEEDS.high), "--seeds", "Searches of each; 0: order only."),
    ] = 1,
    sample: Annotated[
        int, options.number(bounds.SAMPLE, "--sample", "Networks whose order is judged.")
    ] = 1500,
    given: dict[str, Any],
    as_json: options.Json = False,
) -> None:
    """Order and fronts of predictors on what their fits did not see."""
    if (space := given.get("space") or CELLS) != CELLS:
        _bench_trained(space, data, images, sample, as_json)
        return
    from pelnas import load_config, tables
    from pelnas.app.display.output import print_json
    from pelnas.bench.fitting import load_sample
    from pelnas.bench.predictors import Evidence
    from pelnas.cache import default_cache
    from pelnas.images import load_images

    if images is None:
        raise ConfigError(
            "expected images to score cells on, found none: give CIFAR-10 by --images"
        )
    config = load_config(
        None, given | {"name": "bench", "data": data, "images": images, "knowledge": "off"}
    )
    loaded = load_images(images, config.scoring.size, config.scoring.channels)
    cells = load_sample(data, loaded, config.scoring, default_cache())
    evidence = Evidence(data, cells, loaded, config.scoring, default_cache())
    orders = list(evidence.orders(sample))
    devices = device or list(tables.devices(data))
    fronts = [
        front
        for name in (base or BASES)
        for front in evidence.fronts(name, config, devices, range(seeds), _tell)
    ]
    if as_json:
        print_json(
            {
                "orders": [asdict(order) for order in orders],
                "fronts": [asdict(front) for front in fronts],
                "means": _means(fronts),
            }
        )
        return
    _print_orders(orders)
    if fronts:
        _print_means(fronts)


def _bench_trained(space: str, data: Path, images: Path | None, sample: int, as_json: bool) -> None:
    """How rank-sum and counting order published trainings, then predictors that learned from some."""
    from pelnas.app.display.output import print_json
    from pelnas.bench.trained import TABLES, Recorded, agreements, few_shot_orders, orders
    from pelnas.cache import default_cache
    from pelnas.config import Scoring
    from pelnas.images import load_images
    from pelnas.predictors.rank_sum import RankSum

    if space not in TABLES:
        raise ConfigError(
            f"expected a space with published trainings, found {space!r}: use"
            f" {', '.join((CELLS, *TABLES))}"
        )
    table = TABLES[space]
    trained = table.read(data)
    loaded = load_images(images, TRAINED)
    scoring = Scoring(resolution=TRAINED)
    predictor = RankSum(trained.space, loaded, scoring, seed=0, cache=default_cache())
    known = Recorded(predictor, trained)
    found = list(orders(trained.sample(sample, 0), known, loaded.shape, table.counts))
    for labels in table.labels:
        found += few_shot_orders(trained, known, labels, DRAWS)
    found += [*_transfer_orders(trained), *agreements(trained)]
    if as_json:
        print_json({"space": space, "orders": [asdict(order) for order in found]})
    else:
        _print_trained(space, found)


def _transfer_orders(trained: "Trained") -> "list[TrainedOrder]":
    """Of the space that it was fitted on, by cross-validation."""
    from pelnas.bench.fitting_mnasnet import order
    from pelnas.predictors.transfer_mnasnet import SPACE

    return [order(trained)] if trained.space.name == SPACE else []


def _print_trained(space: str, orders: "list[TrainedOrder]") -> None:
    from pelnas.app.display.output import print_table

    table: dict[str, dict[str, str]] = {}
    for order in orders:
        table.setdefault(order.score, {})[order.column] = f"{order.kendall:.3f} ({order.count})"
    columns = list(dict.fromkeys(order.column for order in orders))
    print_table(
        f"Kendall with the published accuracies of networks of {space} (how many)",
        ("score", *columns),
        ((score, *(row.get(name, "") for name in columns)) for score, row in table.items()),
        right=columns,
    )


def suggest(
    run: options.Run,
    count: Annotated[int, options.number(bounds.SAMPLE, "--count", "Architectures.")] = 50,
    output: options.Output = None,
    as_json: options.Json = False,
) -> None:
    """The evaluated networks of a run whose training would tell few-shot most, as a CSV to fill in."""
    from pelnas.app.display.output import print_json, say
    from pelnas.graph.session.trained_accuracies import suggestions
    from pelnas.predictors.labels import COLUMNS
    from pelnas.store import find_run

    texts = suggestions(find_run(options.runs_folder(output), run), count)
    if as_json:
        print_json({"architectures": texts})
        return
    say("\n".join([",".join(COLUMNS), *(f"{text}," for text in texts)]))


def _tell(front: "Front") -> None:
    from pelnas.app.display.output import say

    say(
        f"{front.predictor} on {front.judged}, {front.device}, seed {front.seed}:"
        f" hypervolume ratio {front.ratio:.4f}, IGD {front.igd:.4f}",
        errors=True,
    )


def _print_orders(orders: "list[Order]") -> None:
    from pelnas.app.display.output import print_table

    columns = ("fitted to", "judged on", "cells", "Kendall", "95 %", "Spearman", "top 1 %", "in ±")
    print_table(
        "transfer on cells of isomorphism classes that its fit did not see",
        columns,
        (
            (
                " and ".join(order.fitted),
                order.judged,
                str(order.agreement.count),
                f"{order.agreement.kendall.value:.3f}",
                f"{order.agreement.kendall.low:.3f} to {order.agreement.kendall.high:.3f}",
                f"{order.agreement.spearman.value:.3f}",
                f"{order.agreement.top_recall:.2f}",
                f"{order.within:.2f}",
            )
            for order in orders
        ),
        right=("cells", "Kendall", "Spearman", "top 1 %", "in ±"),
    )


def _means(fronts: "list[Front]") -> list[dict[str, Any]]:
    """Over devices and seeds, for each predictor and data set, and for each predictor."""
    groups: dict[tuple[str, str], list[Front]] = {}
    for front in fronts:
        groups.setdefault((front.predictor, front.judged), []).append(front)
        groups.setdefault((front.predictor, "both"), []).append(front)
    return [
        {
            "predictor": predictor,
            "judged": judged,
            "searches": len(group),
            "ratio": _mean([front.ratio for front in group]),
            "lowest_ratio": min(front.ratio for front in group),
            "igd": _mean([front.igd for front in group]),
            "most_evaluations": max(front.evaluations for front in group),
            "held_out_error": _mean([f.held_out.error for f in group if f.held_out]),
            "held_out_kendall": _mean([f.held_out.kendall for f in group if f.held_out]),
        }
        for (predictor, judged), group in groups.items()
    ]


def _mean(values: list[float]) -> float | None:
    return sum(values) / len(values) if values else None


def _print_means(fronts: "list[Front]") -> None:
    from pelnas.app.display.output import print_table

    right = ("searches", "ratio", "lowest", "IGD", "evaluations", "held-out error", "Kendall")
    print_table(
        "means over devices and seeds; transfer is fitted to the other data set only",
        ("predictor", "judged on", *right),
        (
            (
                row["predictor"],
                row["judged"],
                str(row["searches"]),
                f"{row['ratio']:.4f}",
                f"{row['lowest_ratio']:.4f}",
                f"{row['igd']:.4f}",
                str(row["most_evaluations"]),
                "" if row["held_out_error"] is None else f"{row['held_out_error']:.2f} %",
                "" if row["held_out_kendall"] is None else f"{row['held_out_kendall']:.2f}",
            )
            for row in _means(fronts)
        ),
        right=right,
    )
