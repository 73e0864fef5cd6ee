"""``pelnas bench runtimes``: how far ONNX Runtime and PyTorch agree on what is fast here."""

from dataclasses import asdict
from typing import TYPE_CHECKING, Annotated, Any

import typer

from pelnas.app import options
from pelnas.inputs.bounds import Range

if TYPE_CHECKING:
    from pelnas.architecture import Architecture, Shape
    from pelnas.bench.runtimes import Agreement, Duel, FrontLoss, Repeat
    from pelnas.config import SearchConfig
    from pelnas.spaces import SearchSpace

RUNTIMES = ("onnxruntime", "torch")
SAMPLE = Range(3, 10_000)
SEARCHES = Range(0, 1000)
REPEATS = Range(2, 1000)


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
    repeat: Annotated[
        int | None,
        options.number(
            REPEATS,
            "--repeat",
            "Measure so many times by the first runtime instead, and print how well these agree.",
        ),
    ] = None,
    given: dict[str, Any],
    config: options.Config = None,
    as_json: options.Json = False,
) -> None:
    """Latencies of the same networks by each runtime: rank agreement, and what a front loses."""
    from pelnas import load_config
    from pelnas.app.display.output import followed, print_json
    from pelnas.bench.runtimes import agreements, duels, latencies, sampled
    from pelnas.cache import default_cache

    settings = load_config(config, {"rounds": 5} | given | {"name": "bench", "knowledge": "off"})
    names = list(dict.fromkeys(runtime or RUNTIMES))
    if repeat is not None:
        _print_repeats(_repeats(settings, names[0], sample, run, repeat), as_json)
        return
    networks = sampled(settings, sample)
    found = agreements(latencies(*networks, names, settings.measurement, default_cache()))
    front, losses = _front(run, names, settings.output)
    fought = list(followed(duels(settings, range(searches)), _line))
    if as_json:
        document: dict[str, list[Any]] = {"sample": [*found], "front": [*front]}
        document |= {"losses": [*losses], "searches": [*fought]}
        print_json({name: [asdict(one) for one in rows] for name, rows in document.items()})
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

    settings, networks, scores = _front_of(run, output)
    columns = latencies(*networks, names, settings.measurement, default_cache())
    if DEPLOYED not in columns or len(scores) < SAMPLE.low:
        return [], []
    return agreements(columns), front_losses(columns, np.array(scores), DEPLOYED)


def _front_of(
    run: str, output: Any
) -> "tuple[SearchConfig, tuple[SearchSpace, Shape, list[Architecture]], list[float]]":
    """The configuration of a run; space, shape and networks of its front; their scores."""
    from pelnas.report import front_points
    from pelnas.spaces import get_space
    from pelnas.store import RunStore, find_run

    with RunStore.read(find_run(output, run)) as store:
        settings, points = store.config, front_points(store)
        shape = store.sources().shape(settings)
    space = get_space(settings.space)
    chosen = [space.parse(point.architecture) for point in points]
    return settings, (space, shape, chosen), [point.score for point in points]


def _repeats(
    settings: "SearchConfig", runtime: str, sample: int, run: str | None, repeat: int
) -> "list[Repeat]":
    """Of a run's front, or of random networks.

    ConfigError: too few networks for a rank agreement.
    """
    from pelnas.bench.runtimes import repeated, sampled
    from pelnas.cache import default_cache
    from pelnas.errors import ConfigError

    if run is None:
        networks = sampled(settings, sample)
    else:
        settings, networks, _ = _front_of(run, settings.output)
    if len(networks[-1]) < SAMPLE.low:
        raise ConfigError(
            f"expected at least {SAMPLE.low} networks to rank, found {len(networks[-1])}: choose"
            " another run or a larger --sample"
        )
    measurement = settings.measurement.model_copy(update={"runtime": runtime})
    return repeated(*networks, measurement, repeat, default_cache())


def _line(duel: "Duel") -> str:
    return (
        f"seed {duel.seed}: hypervolume by ONNX Runtime {duel.deployed:.4f} of its own search,"
        f" {duel.interpreter:.4f} of a search by PyTorch"
    )


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


def _print_repeats(found: "list[Repeat]", as_json: bool) -> None:
    from pelnas.app.display.output import print_json, print_table

    if as_json:
        print_json({"repeats": [asdict(one) for one in found]})
        return
    numbers = ("networks", "times", "Spearman", "lowest", "deviation", "s a network")
    print_table(
        "how measurements of the same networks agree; deviation: of one latency, relative",
        ("timed", *numbers),
        (
            (
                one.way,
                str(one.networks),
                str(one.times),
                f"{one.spearman:.3f}",
                f"{one.lowest:.3f}",
                f"{100 * one.deviation:.1f} %",
                f"{one.seconds:.2f}",
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
