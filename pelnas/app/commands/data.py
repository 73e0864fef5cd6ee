"""``pelnas data``: tables that people have, taken in and listed."""

from dataclasses import asdict
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Literal

import typer

from pelnas.app import options
from pelnas.errors import ConfigError

if TYPE_CHECKING:
    from pelnas.importing.found import Imported, Summary
    from pelnas.importing.listing import Listed

data = typer.Typer(help="Import benchmark tables, and list what there is.", no_args_is_help=True)
Named = list[str] | None
SPLITS = ("val", "test")
COVERAGE = ("networks", "of the space", "cannot run")  # columns of tables
MANY = 10**9  # networks that are not written out


@data.callback()
def _group() -> None:
    """Import benchmark tables, and list what there is."""


@data.command("import")
def import_(
    files: Annotated[
        list[Path], typer.Argument(metavar="FILE...", help=".pickle, .json, .csv or .parquet.")
    ],
    space: Annotated[
        str, typer.Option("--space", help="Of the networks. Default: the first that can read them.")
    ] = "",
    dataset: Annotated[
        str, typer.Option("--dataset", help="Where columns do not name one. Default: any.")
    ] = "",
    architectures: Annotated[
        str,
        typer.Option("--architectures", help="Column of texts. Default: arch_str and the like."),
    ] = "",
    latency: Annotated[Named, typer.Option("--latency", help="DEVICE=COLUMN; repeatable.")] = None,
    throughput: Annotated[
        Named, typer.Option("--throughput", help="DEVICE=COLUMN in images per second; repeatable.")
    ] = None,
    energy: Annotated[
        Named, typer.Option("--energy", help="DEVICE=COLUMN in mJ; repeatable.")
    ] = None,
    accuracy: Annotated[
        Named, typer.Option("--accuracy", help="val=COLUMN or test=COLUMN in percent; repeatable.")
    ] = None,
    unit: Annotated[
        Literal["ms", "s", "us"], typer.Option("--unit", help="Of latencies. Default: ms.")
    ] = "ms",
    duplicates: Annotated[
        Literal["stop", "first"],
        typer.Option("--duplicates", help="Where rows name a network again. Default: stop."),
    ] = "stop",
    complete: Annotated[
        bool, typer.Option("--complete", help="Refuse a table that lacks networks of its space.")
    ] = False,
    to: Annotated[
        Path | None, typer.Option("--to", help="Folder. Default: the user's, which searches use.")
    ] = None,
    as_json: options.Json = False,
) -> None:
    """Take in tables of costs and accuracies, and say what they hold."""
    from pelnas.app.display.output import print_json
    from pelnas.importing.keep import Choices, import_files
    from pelnas.importing.readers import Wanted
    from pelnas.tables import user_folder

    columns = (
        *_columns("latency", latency),
        *_columns("throughput", throughput),
        *_columns("energy", energy),
        *_accuracies(accuracy),
    )
    wanted = Wanted(architectures, dataset, unit, columns)
    choices = Choices(space, complete, duplicates)
    found = import_files(files, to or user_folder(), wanted, choices)
    if as_json:
        print_json({"imported": [asdict(each) for each in found]})
        return
    for each in found:
        _print(each)


def _columns(metric: str, given: Named) -> list[tuple[str, str, str]]:
    """DEVICE=COLUMN as (metric, device, column). ConfigError: something else."""
    found = []
    for text in given or ():
        device, equals, column = text.partition("=")
        if not device or not equals or not column:
            raise ConfigError(f"expected --{metric} DEVICE=COLUMN, found {text[:60]!r}: write both")
        found.append((metric, device, column))
    return found


def _accuracies(given: Named) -> list[tuple[str, str, str]]:
    found = _columns("accuracy", given)
    wrong = next((split for _, split, _ in found if split not in SPLITS), None)
    if wrong is not None:
        raise ConfigError(f"expected --accuracy val=COLUMN or test=COLUMN, found {wrong[:40]!r}=")
    return found


def _print(found: "Imported") -> None:
    from pelnas.app.display.output import note, print_table, say

    print_table(
        f"{found.source}, kept as {' and '.join(found.kept)}",
        ("space", "data set", "device", "metric", "unit", *COVERAGE),
        (_row(each) for each in found.columns),
        right=COVERAGE,
    )
    for sentence in found.notes:
        say(sentence)
    for warning in found.warnings:
        note(f"warning: {warning}")


def _row(each: "Summary") -> tuple[str, ...]:
    return (each.space, each.dataset, each.device, each.metric, each.unit, *_coverage(each))


@data.command("list")
def list_(given: options.Data = None, as_json: options.Json = False) -> None:
    """List the spaces, data sets, devices and metrics of imported tables, or of --data."""
    from pelnas.app.display.output import print_json, print_table, say
    from pelnas.importing.listing import listed
    from pelnas.tables import folder_of, user_folder

    folder = folder_of(given)
    found = listed(folder) if folder is not None else []
    if as_json:
        place = str(folder or user_folder())
        print_json({"folder": place, "columns": [asdict(each) for each in found]})
        return
    if not found:
        say(f"no tables in {folder or user_folder()}: `pelnas data import FILE` brings some")
        return
    print_table(
        str(folder),
        ("file", "space", "data set", "device", "metric", "unit", *COVERAGE),
        (
            (
                *(each.file, each.space, each.dataset, each.device, each.metric, each.unit),
                *_coverage(each),
            )
            for each in found
        ),
        right=COVERAGE,
    )


def _coverage(each: "Listed | Summary") -> tuple[str, str, str]:
    """How many networks have a value, how much of the space that is, how many cannot run."""
    count = f"{each.networks:,}" if each.networks < MANY else f"{each.networks:.3g}"
    return count, f"{100 * each.coverage:.4g} %", f"{each.infeasible:,}" if each.infeasible else ""
