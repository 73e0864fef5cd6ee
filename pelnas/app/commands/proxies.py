"""``pelnas proxies`` and ``pelnas bench proxies``: how far accuracy without training can be trusted."""

from collections.abc import Callable, Iterator, Sequence
from contextlib import closing, contextmanager
from dataclasses import asdict
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from pelnas.app import options
from pelnas.app.commands.bench_predictors import suggest
from pelnas.inputs import bounds

if TYPE_CHECKING:
    from pelnas.bench.proxies import Reproduction, Speed
    from pelnas.bench.validation import Agreement, Interval, Validation

proxies = typer.Typer(help="How far the zero-cost proxies can be trusted.", no_args_is_help=True)
proxies.command("suggest")(suggest)

Sample = Annotated[int, options.number(bounds.SAMPLE, "--sample", "Networks drawn by the seed.")]
Progress = Callable[[int], None]


@proxies.command("list")
def listed(as_json: options.Json = False) -> None:
    """List the proxies with what they measure, and those that other installed packages bring."""
    from pelnas.app.commands.spaces import plugins
    from pelnas.app.display.output import print_json, print_table
    from pelnas.proxies.table import PLUGINS, PROXIES

    meanings = {
        name: (each.compute.__doc__ or "").partition("\n")[0] for name, each in PROXIES.items()
    }
    brought = list(plugins(PLUGINS, PROXIES))
    if as_json:
        print_json({"proxies": meanings, "plugins": brought})
        return
    rows = list(meanings.items())
    rows += [(p["name"], p["problem"] or f"of package {p['package']}") for p in brought]
    print_table("", ("proxy", "meaning"), rows)


@options.takes(
    *("space", "images", "resolution", "channels", "sample", "batch", "threads", "repeats", "seed")
)
def speed(
    *,
    given: dict[str, Any],
    sample: Sample = 5,
    batch: Annotated[int, options.number(bounds.BATCH, "--batch", "Images a pass.")] = 64,
    threads: Annotated[int, options.number(bounds.THREADS, "--threads", "Torch threads.")] = 2,
    repeats: Annotated[int, options.number(bounds.REPEATS, "--repeats", "Timed repeats.")] = 3,
    as_json: options.Json = False,
) -> None:
    """Seconds of each proxy per network, in shared passes and one by one."""
    import numpy as np

    from pelnas import load_config
    from pelnas.app.display.output import print_json
    from pelnas.bench.proxies import bench_speed
    from pelnas.images import load_images
    from pelnas.spaces import get_space

    config = load_config(None, given)
    chosen, rng = get_space(config.space), np.random.default_rng(config.seed)
    drawn = [chosen.sample(rng) for _ in range(sample)]
    loaded = load_images(config.images, config.scoring.size, config.scoring.channels)
    with _counted("timed", sample) as progress:
        found = bench_speed(chosen, loaded, drawn, batch, threads, repeats, progress)
    if as_json:
        print_json(asdict(found) | {"steps": found.steps, "gain": found.gain})
    else:
        _print_speed(found)


@proxies.command("reproduce")
@options.takes("seed", "batch")
def reproduce(
    *,
    data: Annotated[Path, typer.Option("--data", help="Folder with NAS-Bench-Suite-Zero.")],
    images: Annotated[Path, typer.Option("--images", help="The images of its data set.")],
    sample: Sample = 200,
    given: dict[str, Any],
    proxy: Annotated[
        list[str] | None, typer.Option("--proxy", help="Repeatable. Default: all thirteen.")
    ] = None,
    draws: Annotated[
        int,
        options.number(
            bounds.REPEATS, "--draws", "Draws of weights and images, for the spread between them."
        ),
    ] = 1,
    as_json: options.Json = False,
) -> None:
    """Hold each proxy against the published values of NAS-Bench-Suite-Zero."""
    from pelnas import load_config
    from pelnas.app.display.output import print_json
    from pelnas.bench.proxies import agreement_with_suite
    from pelnas.cache import default_cache
    from pelnas.images import load_images
    from pelnas.spaces import get_space

    config = load_config(None, given)
    chosen = _of_the_suite(proxy or [])
    space, cache = get_space("nasbench201"), default_cache()
    loaded = load_images(images, config.scoring.size, config.scoring.channels)
    with _counted("scored", sample * draws) as progress:
        rows = agreement_with_suite(
            *(data, space, loaded, config.scoring, cache, sample, config.seed, progress),
            proxies=chosen,
            draws=draws,
        )
    if as_json:
        print_json({"proxies": [asdict(row) | {"reached": row.reached} for row in rows]})
    else:
        _print_reproduction(rows)


@proxies.command("validate")
@options.takes(
    *("dataset", "space", "images", "accuracy", "labels", "prior", "partition", "sample", "seed"),
    *("reference", "batch", "resolution", "channels"),
    texts={"partition": "Niches by operations or by flops. Default: auto."},
)
def validate(
    *,
    data: Annotated[Path, typer.Option("--data", help="Folder with trained accuracies.")],
    given: dict[str, Any],
    sample: Sample = 1500,
    config: options.Config = None,
    plot: Annotated[
        Path | None, typer.Option("--plot", help="Write a scatter plot to this PNG.")
    ] = None,
    as_json: options.Json = False,
) -> None:
    """Hold a predictor's order against trained accuracies, in all and inside each niche."""
    from pelnas import load_config, tables
    from pelnas.app.display.output import print_json
    from pelnas.bench.validation import draw_scatter
    from pelnas.bench.validation import validate as against
    from pelnas.graph.session.problem import SearchProblem

    settings = load_config(config, given | {"data": data})
    truth = tables.true_accuracy(data, settings.dataset)
    problem = SearchProblem.build(settings)
    with closing(problem.evaluator), _counted("predicted", sample) as progress:
        predictor = problem.evaluator.predictor
        found = against(predictor, problem.partition, truth, sample, settings.seed, progress)
    if plot is not None:
        draw_scatter(found, [niche.label for niche in problem.partition.niches], plot)
    if as_json:
        print_json(asdict(found))
    else:
        _print_validation(found, plot)


@contextmanager
def _counted(verb: str, total: int) -> Iterator[Progress]:
    """A bar on a terminal; silence elsewhere."""
    from rich.progress import Progress as Bar

    from pelnas.app.display.output import console

    with Bar(console=console(errors=True), transient=True) as bar:
        task = bar.add_task(verb, total=total)
        yield lambda done: bar.update(task, completed=done)


def _print_speed(found: "Speed") -> None:
    from pelnas.app.display.output import print_table, say

    print_table(
        f"seconds a network, {found.architectures} networks, batch {found.batch},"
        f" {found.threads} threads",
        ("proxy", "apart", "training steps"),
        (
            (name, f"{seconds:.4f}", f"{seconds / found.step:.2f}")
            for name, seconds in found.apart.items()
        ),
        right=("apart", "training steps"),
    )
    say(f"a training step            {found.step:.4f} s")
    say(f"thirteen in shared passes  {found.shared:.4f} s, {found.steps:.2f} training steps")
    say(f"one by one with copies     {found.gain:.2f} times as long")
    say(f"all eighteen, shared       {found.everything:.4f} s")


def _of_the_suite(names: list[str]) -> Sequence[str]:
    """Those named, or all thirteen. ConfigError: another name."""
    from pelnas.errors import ConfigError
    from pelnas.proxies.table import SUITE_ZERO

    for name in names:
        if name not in SUITE_ZERO:
            raise ConfigError(
                f"expected a proxy of NAS-Bench-Suite-Zero, found {name!r}:"
                f" name one of {', '.join(SUITE_ZERO)}"
            )
    return names or SUITE_ZERO


def _print_reproduction(rows: "list[Reproduction]") -> None:
    from pelnas.app.display.output import print_table

    print_table(
        "Spearman correlation with the published values",
        ("proxy", "networks", "Spearman", "should reach", "reached", "own draws", "mean of draws"),
        (
            (
                row.proxy,
                str(row.count),
                f"{row.spearman:.4f}",
                f"{row.bar:g}",
                "yes" if row.reached else "no",
                _known(row.repeated),
                _known(row.averaged),
            )
            for row in rows
        ),
        right=("networks", "Spearman", "should reach", "own draws", "mean of draws"),
    )


def _known(value: float) -> str:
    return "" if value != value else f"{value:.4f}"


def _print_validation(found: "Validation", plot: Path | None) -> None:
    from pelnas.app.display.output import print_table, say

    print_table(
        f"{found.predictor} ({found.source}) against trained test accuracy, seed {found.seed}",
        ("networks of", "count", "Kendall", "95 %", "Spearman", "95 %", "top 1 % found"),
        (_agreement_row(group) for group in (found.overall, *found.niches)),
        right=("count", "Kendall", "Spearman", "top 1 % found"),
    )
    if plot is not None:
        say(f"scatter plot: {plot}")


def _agreement_row(group: "Agreement") -> tuple[str, ...]:
    return (
        group.group,
        str(group.count),
        *_figure(group.kendall),
        *_figure(group.spearman),
        f"{group.top_recall:.2f}",
    )


def _figure(figure: "Interval") -> tuple[str, str]:
    return f"{figure.value:.3f}", f"{figure.low:.3f} to {figure.high:.3f}"
