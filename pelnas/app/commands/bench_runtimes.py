"""``pelnas bench runtimes``: how far ONNX Runtime and PyTorch agree on what is fast here."""

from dataclasses import asdict
from typing import TYPE_CHECKING, Annotated, Any

import typer

from pelnas.app import options
from pelnas.inputs.bounds import Range

if TYPE_CHECKING:
    from pelnas.bench.runtimes import Agreement, Duel, FrontLoss

RUNTIMES = ("onnxruntime", "torch")
SAMPLE = Range(3, 10_000)
SEARCHES = Range(0, 1000)


@options.takes("space", "dataset", "images", "resolution", "channels", "seed", "rounds", "output")
def bench_runtimes(
    *,
    runtime: Annotated[
        list[str] | None,
        typer.Option("--runtime", help=f"Repeatable. Default: {' and '.join(RUNTIMES)}."),
    ] = None,
    sample: Annotated[
        int, options.number(SAMPLE, "--sample", "Random networks that are measured.")
    ] = 60,
    run: Annotated[
        str | None, typer.Option("--run", help="A run whose front is measured as well.")
    ] = None,
    searches: Annotated[
        int,
        options.number(
            SEARCHES, "--searches", "Seeds for which searches by either runtime are compared."
        ),
    ] = 0,
    given: dict[str, Any],
    config: options.Config = None,
    as_json: options.Json = False,
) -> None:
    """Latencies of the same networks by each runtime: rank agreement, and what a front loses."""
    from pelnas import load_config
    from pelnas.app.display.output import print_json
    from pelnas.bench.runtimes import agreements, duels, sampled

    settings = load_config(config, {"rounds": 5} | given | {"name": "bench"})
    names = list(dict.fromkeys(runtime or RUNTIMES))
    found = agreements(sampled(settings, names, sample))
    front, losses = _front(run, names, settings.output)
    fought = [_followed(duel) for duel in duels(settings, range(searches))]
    if as_json:
        told: dict[str, list[Any]] = {"sample": [*found], "front": [*front]}
        told |= {"losses": [*losses], "searches": [*fought]}
        print_json({name: [asdict(one) for one in rows] for name, rows in told.items()})
        return
    _print("random networks", found)
    if run is not None:
        _print(f"the front of {run}", front)
        _print_losses(losses)
    _print_duels(fought)


def _front(
    run: str | None, names: list[str], output: Any
) -> "tuple[list[Agreement], list[FrontLoss]]":
    """Agreement over the front of a run, and what is left of it by every clock but ONNX Runtime's."""
    if run is None:
        return [], []
    import numpy as np

    from pelnas.bench.runtimes import DEPLOYED, agreements, front_losses, latencies
    from pelnas.cache import default_cache
    from pelnas.report import front_points
    from pelnas.spaces import get_space
    from pelnas.store import RunStore, find_run

    with RunStore.read(find_run(output, run)) as store:
        settings, points = store.config, front_points(store)
        shape = store.sources().shape(settings)
    space = get_space(settings.space)
    chosen = [space.parse(point.architecture) for point in points]
    columns = latencies(space, shape, chosen, names, settings.measurement, default_cache())
    if DEPLOYED not in columns or len(points) < SAMPLE.low:
        return [], []
    scores = np.array([point.score for point in points])
    return agreements(columns), front_losses(columns, scores, DEPLOYED)


def _followed(duel: "Duel") -> "Duel":
    from pelnas.app.display.output import say

    say(
        f"seed {duel.seed}: hypervolume by ONNX Runtime {duel.deployed:.4f} of its own search,"
        f" {duel.interpreter:.4f} of a search by PyTorch",
        errors=True,
    )
    return duel


def _print(title: str, found: "list[Agreement]") -> None:
    from pelnas.app.display.output import print_table

    numbers = ("networks", "Spearman", "Kendall", "time ratio")
    print_table(
        f"{title}: how two clocks agree; time ratio: median of the first over the second",
        ("first", "second", *numbers),
        (
            (
                one.first,
                one.second,
                str(one.networks),
                f"{one.spearman:.3f}",
                f"{one.kendall:.3f}",
                "" if one.ratio is None else f"{one.ratio:.2f}",
            )
            for one in found
        ),
        right=numbers,
    )


def _print_losses(losses: "list[FrontLoss]") -> None:
    from pelnas.app.display.output import print_table

    numbers = ("members", "still on it", "hypervolume")
    print_table(
        "its members that are optimal by another clock, judged by ONNX Runtime's",
        ("clock", *numbers),
        (
            (one.runtime, str(one.members), str(one.kept), f"{100 * one.share:.1f} %")
            for one in losses
        ),
        right=numbers,
    )


def _print_duels(fought: "list[Duel]") -> None:
    from pelnas.app.display.output import print_table

    if not fought:
        return
    numbers = ("seed", "ONNX Runtime", "PyTorch")
    won = sum(duel.wins for duel in fought)
    print_table(
        f"hypervolume of searches by either clock, measured anew by ONNX Runtime; its own is ahead"
        f" in {won} of {len(fought)}",
        numbers,
        ((str(one.seed), f"{one.deployed:.4f}", f"{one.interpreter:.4f}") for one in fought),
        right=numbers,
    )
