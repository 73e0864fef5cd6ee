"""``pelnas bench objectives``: searches with several costs against exact fronts and NSGA-III."""

from dataclasses import asdict
from typing import TYPE_CHECKING, Annotated, Any

import typer

from pelnas.app import options
from pelnas.app.commands.bench_options import Data, Seeds
from pelnas.inputs.bounds import Range

if TYPE_CHECKING:
    from pelnas.bench.objectives import Outcome, Row

DATASETS = ("cifar10", "cifar100")
DEVICES = ("edgegpu", "eyeriss", "fpga")  # of HW-NAS-Bench, those that tell energy
COSTS = ["latency", "energy"]


@options.takes(
    "space",
    "objective",
    "per_niche",
    "output",
    texts={"objective": f"Cost to minimise, repeatable. Default: {' and '.join(COSTS)}."},
)
def bench_objectives(
    *,
    data: Data,
    device: Annotated[
        list[str] | None,
        typer.Option("--device", help=f"Repeatable. Default: {', '.join(DEVICES)}."),
    ] = None,
    dataset: Annotated[
        list[str] | None,
        typer.Option("--dataset", help=f"Repeatable. Default: {' and '.join(DATASETS)}."),
    ] = None,
    seeds: Seeds = 5,
    evaluations: Annotated[
        int, options.number(Range(60, 100_000), "--evaluations", "Networks that each may evaluate.")
    ] = 600,
    given: dict[str, Any],
    as_json: options.Json = False,
) -> None:
    """Searches for several costs at once, judged by the exact front of a table, beside NSGA-III.

    The built-in designer and pymoo's NSGA-III at equal evaluations and on equal seeds; the
    costs are latency and energy unless others are given.
    """
    from pelnas import load_config
    from pelnas.app.display.output import followed, print_json
    from pelnas.bench.objectives import bench_objectives as run_all
    from pelnas.bench.objectives import summary

    given.setdefault("objectives", COSTS)
    config = load_config(
        None, given | {"name": "bench", "data": data, "accuracy": "table", "knowledge": "off"}
    )
    outcomes = run_all(config, dataset or DATASETS, device or DEVICES, range(seeds), evaluations)
    found = list(followed(outcomes, _line))
    rows = summary(found)
    if as_json:
        print_json({"runs": [asdict(one) for one in found], "means": [asdict(row) for row in rows]})
    else:
        _print(rows)


def _line(one: "Outcome") -> str:
    return (
        f"{one.dataset} {one.device} seed {one.seed} {one.method}: hypervolume ratio"
        f" {one.test:.4f} by test accuracy, {one.seen:.4f} by what it saw,"
        f" {one.evaluations} evaluations"
    )


def _print(rows: "list[Row]") -> None:
    from pelnas.app.display.output import print_table

    numbers = ("searches", "ratio", "95 %", "lowest", "ahead of NSGA-III", "95 % ")
    print_table(
        "means over seeds; hypervolume ratio: 1 is the exact front; judged by test accuracy or by"
        " what the search saw",
        ("data set", "device", "judged", "method", *numbers),
        (
            (
                row.dataset,
                row.device,
                row.judged,
                row.method,
                str(row.searches),
                f"{row.mean:.4f}",
                f"{row.low:.4f} to {row.high:.4f}",
                f"{row.lowest:.4f}",
                *_ahead(row),
            )
            for row in rows
        ),
        right=numbers,
    )


def _ahead(row: "Row") -> tuple[str, str]:
    if row.ahead is None:
        return "", ""
    mean, low, high = row.ahead
    return f"{mean:+.4f}", f"{low:+.4f} to {high:+.4f}"
