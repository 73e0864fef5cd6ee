"""``pelnas spaces`` and ``devices``: what can be named."""

from pathlib import Path
from typing import Annotated

import typer

from pelnas.app import options


def spaces(as_json: options.Json = False) -> None:
    """List the search spaces."""
    from pelnas.app.output import print_json, print_table
    from pelnas.spaces import SPACES

    known = {name: kind() for name, kind in SPACES.items()}
    if as_json:
        print_json(
            {
                "spaces": [
                    {
                        "name": name,
                        "size": space.size,
                        "niches": [label for label, _ in space.complexity_niches],
                        "description": space.describe(),
                    }
                    for name, space in known.items()
                ]
            }
        )
        return
    print_table(
        "",
        ("space", "networks", "niches by operations"),
        (
            (name, f"{space.size:,}", "; ".join(label for label, _ in space.complexity_niches))
            for name, space in known.items()
        ),
        right=("networks",),
    )


def devices(
    data: Annotated[Path | None, typer.Option("--data", help="Folder of benchmark tables.")] = None,
    as_json: options.Json = False,
) -> None:
    """List the devices: this machine, and those of a folder of tables with their data sets."""
    from pelnas import tables
    from pelnas.app.output import print_json, print_table
    from pelnas.devices import DEVICES

    own = list(DEVICES)
    found = list(tables.devices(data)) if data is not None else []
    datasets = list(tables.datasets(data)) if data is not None else []
    if as_json:
        print_json({"measured": own, "tables": found, "datasets": datasets})
        return
    rows = [(name, "measured on this machine", "any images") for name in own]
    rows += [(name, f"table in {data}", ", ".join(datasets)) for name in found]
    print_table("", ("device", "source", "data sets"), rows)
