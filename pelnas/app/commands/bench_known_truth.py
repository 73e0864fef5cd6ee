"""``pelnas bench known-truth``: searches of a large space against its exact front."""

from dataclasses import asdict
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from pelnas.app import options
from pelnas.app.commands.bench_options import Seeds
from pelnas.inputs.bounds import Range

if TYPE_CHECKING:
    from pelnas.bench.known_truth import Outcome

TRUTHS = ("additive-0", "adjacent-0", "noisy-0")


@options.takes("space", "per_niche", "output")
def bench_known_truth(
    *,
    data: Annotated[Path, typer.Option("--data", help="Folder with costs per layer.")],
    device: Annotated[
        list[str] | None, typer.Option("--device", help="Repeatable. Default: all of the folder.")
    ] = None,
    truth: Annotated[
        list[str] | None,
        typer.Option("--truth", help=f"KIND-SEED; repeatable. Default: {', '.join(TRUTHS)}."),
    ] = None,
    seeds: Seeds = 5,
    evaluations: Annotated[
        int, options.number(Range(60, 100_000), "--evaluations", "Networks that each may evaluate.")
    ] = 600,
    more: Annotated[
        int, options.number(Range(60, 100_000), "--more", "What NSGA-II may evaluate besides.")
    ] = 3000,
    given: dict[str, Any],
    as_json: options.Json = False,
) -> None:
    """Searches with a made accuracy and real costs per layer, judged by the exact front.

    The built-in designer and a random search at equal evaluations, and pymoo's NSGA-II
    (population 40), also with more.
    """
    from pelnas import load_config
    from pelnas.app.display.output import followed, print_json
    from pelnas.bench.known_truth import EVOLVER, NSGA2, RANDOM, bench_known_truth, means

    config = load_config(
        None, {"space": "fbnet"} | given | {"name": "bench", "data": data, "knowledge": "off"}
    )
    budgets = {
        EVOLVER: (evaluations,),
        NSGA2: tuple(sorted({evaluations, more})),
        RANDOM: (evaluations,),
    }
    found = list(
        followed(bench_known_truth(config, device, truth or TRUTHS, range(seeds), budgets), _line)
    )
    if as_json:
        document = {"runs": [asdict(one) for one in found]}
        print_json(document | {"means": [asdict(one) for one in means(found)]})
    else:
        _print(found)


def _line(one: "Outcome") -> str:
    return (
        f"{one.device} {one.truth} seed {one.seed} {one.method}: hypervolume ratio"
        f" {one.ratio:.4f}, IGD {one.igd:.4f}, {one.evaluations} evaluations"
    )


def _print(found: "list[Outcome]") -> None:
    from pelnas.app.display.output import print_table
    from pelnas.bench.known_truth import means

    numbers = ("evaluations", "searches", "ratio", "95 %", "lowest", "IGD", "worst IGD")
    print_table(
        "means over devices and seeds, in the box of the exact front; ratio: 1 is the exact"
        " front; IGD: lower is better",
        ("truth", "method", *numbers),
        (
            (
                row.truth,
                row.method,
                str(row.evaluations),
                str(row.searches),
                f"{row.ratio.value:.4f}",
                f"{row.ratio.low:.4f} to {row.ratio.high:.4f}",
                f"{row.lowest_ratio:.4f}",
                f"{row.igd:.4f}",
                f"{row.highest_igd:.4f}",
            )
            for row in means(found)
        ),
        right=numbers,
    )
