"""``pelnas spaces``, ``devices`` and ``predictors``: what can be named."""

from collections.abc import Iterable
from pathlib import Path
from typing import TYPE_CHECKING, Any

from pelnas.app import options

if TYPE_CHECKING:
    from pelnas.plugins import Group


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
        ("space", "networks", "niches by operations", "package"),
        ((each["name"], _size(each), _niches(each), each["package"]) for each in found),
        right=("networks",),
    )


def _space(name: str) -> dict[str, Any]:
    """What there is to say of a space; of one that cannot be loaded, why."""
    from pelnas.errors import SpaceError
    from pelnas.spaces import PLUGINS, SPACES, get_space

    package = "" if name in SPACES else PLUGINS.package(name)
    document: dict[str, Any] = {"name": name, "package": package, "problem": None}
    try:
        space = get_space(name)
    except SpaceError as error:
        return document | {"size": None, "niches": [], "description": "", "problem": str(error)}
    return document | {
        "size": space.size,
        "niches": [label for label, _ in space.complexity_niches],
        "description": space.describe(),
    }


def _size(space: dict[str, Any]) -> str:
    return "" if space["problem"] else f"{space['size']:,}"


def _niches(space: dict[str, Any]) -> str:
    return space["problem"] or "; ".join(space["niches"]) or "none: cut by FLOPs"


def devices(
    data: options.Data = None,
    as_json: options.Json = False,
) -> None:
    """List the devices: this machine, those of other packages, and those of a folder of tables."""
    from pelnas.app.display.output import print_json, print_table
    from pelnas.devices import DEVICES, PLUGINS, devices_in
    from pelnas.tables import folder_of

    data = folder_of(data)
    own = list(DEVICES)
    found = devices_in(data) if data is not None else {"tables": (), "layered": ()}
    datasets = _datasets(data) if data is not None and found["tables"] else []
    if as_json:
        document = {"measured": own, **found, "datasets": datasets}
        print_json(document | {"plugins": list(plugins(PLUGINS, DEVICES))})
        return
    rows = [(name, "measured on this machine", "any images") for name in own]
    rows += [(each["name"], _origin(each), "") for each in plugins(PLUGINS, DEVICES)]
    rows += [(name, f"table in {data}", _datasets_of(data, name)) for name in found["tables"]]
    rows += [(name, f"costs per layer in {data}", "") for name in found["layered"]]
    print_table("", ("device", "source", "data sets"), rows)


def predictors(as_json: options.Json = False) -> None:
    """List the accuracy predictors, with those that other installed packages bring."""
    from pelnas.app.display.output import print_json, print_table
    from pelnas.predictors import PLUGINS, PREDICTORS

    brought = list(plugins(PLUGINS, PREDICTORS))
    if as_json:
        print_json({"predictors": list(PREDICTORS), "plugins": brought})
        return
    rows = [(name, "built in") for name in PREDICTORS]
    rows += [(each["name"], _origin(each)) for each in brought]
    print_table("", ("predictor", "source"), rows)


def plugins(group: "Group[Any]", besides: Iterable[str]) -> Iterable[dict[str, str]]:
    """The names that packages bring to a group, each with its package and why it cannot be used."""
    for name in group.names(tuple(besides)):
        yield {
            "name": name,
            "package": group.package(name),
            "problem": group.problem(name),  # '' for none
        }


def _origin(plugin: dict[str, str]) -> str:
    return plugin["problem"] or f"package {plugin['package']}"


def _datasets_of(data: Path | None, device: str) -> str:
    """For which a device of tables has latencies."""
    from pelnas import tables

    costs = tables.all_costs(data) if data is not None else {}
    names = {dataset for name, dataset, metric in costs if (name, metric) == (device, "latency")}
    return ", ".join("any images" if name == tables.ANY else name for name in sorted(names))


def _datasets(data: Path) -> list[str]:
    from pelnas import tables

    return list(tables.datasets(data))
