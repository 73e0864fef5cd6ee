"""``pelnas spaces`` and ``devices``: what can be named."""

from pathlib import Path
from typing import Any

from pelnas.app import options


def spaces(as_json: options.Json = False) -> None:
    """List the search spaces, with those that other installed packages bring."""
    from pelnas.app.display.output import print_json, print_table
    from pelnas.spaces import known_spaces

    found = [_space(name) for name in known_spaces()]
    if as_json:
        print_json({"spaces": found})
        return
    print_table(
        "",
        ("space", "networks", "niches by operations"),
        ((each["name"], _size(each), _niches(each)) for each in found),
        right=("networks",),
    )


def _space(name: str) -> dict[str, Any]:
    """What there is to say of a space; of one that cannot be loaded, why."""
    from pelnas.errors import SpaceError
    from pelnas.spaces import get_space

    try:
        space = get_space(name)
    except SpaceError as error:
        return {"name": name, "size": None, "niches": [], "description": "", "problem": str(error)}
    return {
        "name": name,
        "size": space.size,
        "niches": [label for label, _ in space.complexity_niches],
        "description": space.describe(),
        "problem": None,
    }


def _size(space: dict[str, Any]) -> str:
    return "" if space["problem"] else f"{space['size']:,}"


def _niches(space: dict[str, Any]) -> str:
    return space["problem"] or "; ".join(space["niches"]) or "none: cut by FLOPs"


def devices(
    data: options.Data = None,
    as_json: options.Json = False,
) -> None:
    """List the devices: this machine, and those of a folder of tables with their data sets."""
    from pelnas.app.display.output import print_json, print_table
    from pelnas.devices import DEVICES, devices_in

    own = list(DEVICES)
    found = devices_in(data) if data is not None else {"tables": (), "layered": ()}
    datasets = _datasets(data) if data is not None and found["tables"] else []
    if as_json:
        print_json({"measured": own, **found, "datasets": datasets})
        return
    rows = [(name, "measured on this machine", "any images") for name in own]
    rows += [(name, f"table in {data}", ", ".join(datasets)) for name in found["tables"]]
    rows += [(name, f"costs per layer in {data}", "") for name in found["layered"]]
    print_table("", ("device", "source", "data sets"), rows)


def _datasets(data: Path) -> list[str]:
    from pelnas import tables

    return list(tables.datasets(data))
