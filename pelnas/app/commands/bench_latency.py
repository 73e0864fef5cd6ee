"""``pelnas bench latency``: a device from a few measurements, and how fast tables are looked up."""

from collections.abc import Iterator
from dataclasses import asdict
from typing import TYPE_CHECKING, Annotated

import typer

from pelnas.app import options
from pelnas.app.commands.bench_options import Data
from pelnas.errors import ConfigError
from pelnas.inputs.bounds import Range

if TYPE_CHECKING:
    from pelnas.bench.latency import LookupTime, Mean, Outcome

DRAWS = Range(1, 1_000)
DATASET = "cifar10"  # whose table is timed


def bench_latency(
    data: Data,
    space: Annotated[
        str, typer.Option("--space", help="nasbench201 (with other devices) or mnasnet (without).")
    ] = "nasbench201",
    draws: Annotated[int, options.number(DRAWS, "--draws", "Of the measured networks.")] = 10,
    as_json: options.Json = False,
) -> None:
    """Rank agreement of latencies that a few measurements let expect, with those of all others."""
    from pelnas.app.display.output import print_json
    from pelnas.bench.latency import (
        CELLS,
        SHOTS,
        cell_outcomes,
        lookup_time,
        means,
        mobile_outcomes,
    )
    from pelnas.tables import devices

    if space not in SHOTS:
        raise ConfigError(
            f"expected a space with measured devices, found {space!r}: use {' or '.join(SHOTS)}"
        )
    timed = lookup_time(data, DATASET, devices(data)[0]) if space == CELLS else None
    found = list(_told((cell_outcomes if space == CELLS else mobile_outcomes)(data, draws)))
    if as_json:
        document = {
            "outcomes": [asdict(each) for each in found],
            "means": list(map(asdict, means(found))),
        }
        print_json({"space": space, **document, "lookup": timed and asdict(timed)})
    else:
        _print(space, means(found), timed)


def _told(outcomes: "Iterator[Outcome]") -> "Iterator[Outcome]":
    """Each as it comes, with a line for each device and data set."""
    from pelnas.app.display.output import say

    said: set[tuple[str, str]] = set()
    for each in outcomes:
        if (each.device, each.dataset) not in said:
            said.add((each.device, each.dataset))
            say(f"{each.device} on {each.dataset}", errors=True)
        yield each


def _print(space: str, found: "list[Mean]", timed: "LookupTime | None") -> None:
    from pelnas.app.display.output import print_table, say

    right = ("measured", "Spearman", "Kendall", "in ±")
    print_table(
        f"latencies of networks of {space} that were not measured; in ±: share of the truth within"
        " one predicted deviation",
        ("model", "choice", "device", *right),
        (
            (
                each.model,
                each.choice,
                each.device,
                str(each.count),
                f"{each.spearman:.4f}",
                f"{each.kendall:.3f}",
                "" if each.within is None else f"{each.within:.2f}",
            )
            for each in found
        ),
        right=right,
    )
    if timed is not None:
        say(
            f"{timed.networks} look-ups in {timed.lookup_ms:.1f} ms (median of {timed.repeats}),"
            f" table loaded in {timed.load_ms:.0f} ms"
        )
