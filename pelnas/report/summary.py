"""A run as one JSON document, and all of its files at once."""

from dataclasses import asdict
from typing import Any

from pelnas.config import ROLES
from pelnas.directives import Directives
from pelnas.report.agent_stats import agent_stats
from pelnas.report.directives import directive_rows
from pelnas.report.figure import DARK, LIGHT, render
from pelnas.report.front import archive_of, front_points, write_front
from pelnas.report.knowledge import carried
from pelnas.report.niches import niche_rows
from pelnas.report.page import page
from pelnas.report.shares import share_rows
from pelnas.store import RunStore, write_atomically

ESSENTIALS = ("space", "device", "accuracy", "partition", "rounds", "per_niche", "seed")


def write_all(store: RunStore) -> None:
    """Write ``front.json``, ``front.csv``, ``front.png`` and ``report.html`` into the run's folder."""
    write_front(store)
    light, dark = (render(store, theme) for theme in (LIGHT, DARK))
    write_atomically(store.folder / "front.png", light)
    write_atomically(store.folder / "report.html", page(store, light, dark))


def summary(store: RunStore) -> dict[str, Any]:
    """What a program wants to know of a run; plain values only.

    ``hypervolume``: of the front, normalised by this run's own ranges: a figure
    to watch a run by, not comparable between runs.
    """
    config, front = Directives(store.directives()).applied(store.config), front_points(store)
    known = carried(store)
    return {
        "run": config.name,
        "folder": store.name,
        "status": store.status,
        "reason": store.reason,
        "config": {name: getattr(config, name) for name in ESSENTIALS}
        | {"models": {role: config.model_of(role) for role in ROLES}},
        "sources": asdict(store.sources()),
        "spent": asdict(store.spent()),
        "origin": _origin(store),
        "prices": [asdict(rates) for rates in store.rates().values()],
        "hypervolume": archive_of(store).hypervolume(),
        "niches": [row.to_dict() for row in niche_rows(store)],
        "front": [point.to_dict() for point in front],
        "knowledge": None if known is None else known.to_dict(),
        "directives": [row.to_dict() for row in directive_rows(store)],
        "shares": [row.to_dict() for row in share_rows(store)],
        "rates": [rate.to_dict() for rate in agent_stats(store)],
    }


def _origin(store: RunStore) -> dict[str, Any] | None:
    """Where a fork comes from, and what was spent before it, which ``spent`` leaves out."""
    origin = store.origin()
    if origin is None:
        return None
    return origin.to_dict() | {"spent": asdict(store.spent_before())}
