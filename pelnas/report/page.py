"""The report of a run: one HTML file that needs nothing else, in light and in dark."""

import base64
from collections import Counter
from collections.abc import Iterable
from datetime import datetime
from functools import cache
from typing import Any

from jinja2 import Environment, PackageLoader, StrictUndefined, Template
from markupsafe import Markup

from pelnas.calls.prices import in_words
from pelnas.config import ROLES
from pelnas.objectives import METRICS, CostMetric, Objectives
from pelnas.report.agent_stats import agent_stats
from pelnas.report.directives import directive_rows, pinned
from pelnas.report.drawing import draw
from pelnas.report.figure import DARK, LIGHT, niche_colours
from pelnas.report.front import FrontPoint, archive_of, front_points, label_of
from pelnas.report.knowledge import carried
from pelnas.report.niches import niche_rows
from pelnas.report.shares import share_rows
from pelnas.rules.rule import Rule
from pelnas.spaces import get_space
from pelnas.store import RunStore

TEMPLATE = "report.html.j2"
VERDICTS = ("in-force", "weakened", "proposed", "retired")


def page(store: RunStore, light: bytes, dark: bytes) -> str:
    """The page as text, also of a run that is not finished; its picture as PNG in both looks.

    Whatever people or models wrote is escaped: a rationale is shown, never run.
    """
    pictures = {"light": _inline(light), "dark": _inline(dark)}
    return _template().render(_content(store) | pictures)


@cache
def _template() -> Template:
    """Compiled once: that takes as long as a picture's axes."""
    environment = Environment(
        loader=PackageLoader("pelnas.report", "."),
        autoescape=True,
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
    )
    environment.filters |= {
        "figures": _figures,
        "count": _count,
        "duration": _duration,
        "error": _error,
        "percent": _percent,
    }
    return environment.get_template(TEMPLATE)


def _content(store: RunStore) -> dict[str, Any]:
    points, niches = front_points(store), niche_rows(store)
    return {
        "run": store.name,
        "started": datetime.fromtimestamp(store.started).strftime("%Y-%m-%d %H:%M"),
        "status": store.status,
        "reason": store.reason,
        "config": store.config,
        "settings": store.config.model_dump(mode="json", exclude={"output", "data", "images"}),
        "sources": store.sources(),
        "spent": store.spent(),
        "in_words": in_words,
        "prices": list(map(str, store.rates().values())),
        "origin": store.origin(),
        "before": store.spent_before(),
        "headline": _headline(
            points, len(store.evaluations()), Objectives.of(store.config.objectives)
        ),
        "models": [(role, store.config.model_of(role)) for role in ROLES],
        "authors": _authors(store, points),
        "points": points,
        "more_costs": _more_costs(store),
        "drawings": _drawings(store, points),
        "niches": niches,
        "colours": list(
            zip(*(niche_colours(len(niches), look) for look in (LIGHT, DARK)), strict=True)
        ),
        "hypervolume": archive_of(store).hypervolume(),
        "rules": _rules(store.rules(), store.niches()),
        "verdicts": VERDICTS,
        "knowledge": known.said if (known := carried(store)) else "",
        "rates": agent_stats(store),
        "shares": share_rows(store),
        "directives": directive_rows(store),
        "pinned": pinned(store, archive_of(store)),
    }


def _headline(points: list[FrontPoint], evaluations: int, objectives: Objectives) -> str:
    if not points:
        return "No architecture has been evaluated yet"
    costs = (
        _range([point.cost(cost.name) or 0.0 for point in points], _unit(cost))
        for cost in objectives.costs
    )
    score = f"score {_range([point.score for point in points], '')}"
    ranges = ", ".join([*costs, score])
    return f"{len(points)} of {evaluations} architectures on the front: {ranges}"


def _more_costs(store: RunStore) -> list[CostMetric]:
    """The costs that the table of the front has besides latency: other objectives, and limits."""
    counted = ("memory", "size") if store.config.counts_footprint else ()
    wanted = (*store.config.objectives, *counted)
    return [METRICS[name] for name in METRICS if name in wanted and name != "latency"]


def _range(values: list[float], unit: str) -> str:
    return f"{_figures(min(values))} to {_figures(max(values))} {unit}".rstrip()


def _unit(cost: CostMetric) -> str:
    """``ms``; for what has no telling unit, with the name."""
    return cost.unit if cost.name in ("latency", "energy") else f"{cost.unit} {cost.name}".strip()


def _authors(store: RunStore, points: list[FrontPoint]) -> list[tuple[str, int, int]]:
    """(author, designs, points on the front), most designs first."""
    designs = Counter(candidate.design.author for candidate in store.candidates())
    front = Counter(point.author for point in points)
    return [(author, count, front[author]) for author, count in designs.most_common()]


def _drawings(store: RunStore, points: list[FrontPoint]) -> dict[str, Markup]:
    space = get_space(store.config.space)
    return {
        point.id: Markup(draw(space, space.parse(point.architecture)))  # noqa: S704 - draw escapes
        for point in points
    }


def _rules(rules: Iterable[Rule], labels: list[str]) -> dict[str, list[tuple[Rule, str]]]:
    """Rules with the place they hold in, by verdict, the strongest first."""
    groups: dict[str, list[tuple[Rule, str]]] = {verdict: [] for verdict in VERDICTS}
    for rule in sorted(rules, key=lambda rule: (-(rule.measured or 0.0), rule.id)):
        niche = rule.scope.niche
        where = "every niche" if niche is None else label_of(labels, niche)
        groups[rule.status].append((rule, where))
    return groups


def _inline(image: bytes) -> str:
    return "data:image/png;base64," + base64.b64encode(image).decode()


def _figures(value: float | None) -> str:
    """A number to four significant figures; a dash for none."""
    return "\N{EN DASH}" if value is None else f"{value:.4g}"


def _error(value: float) -> str:
    """An error to two significant figures."""
    return f"{value:.2g}"


def _percent(share: float | None) -> str:
    """A share in whole percent; a dash for none."""
    return "\N{EN DASH}" if share is None else f"{share:.0%}"


def _count(value: float) -> str:
    """A count with its unit of thousands: 850, 12.3 k, 1.07 M."""
    for size, unit in ((1e9, "G"), (1e6, "M"), (1e3, "k")):
        if value >= size:
            return f"{value / size:.3g} {unit}"
    return f"{value:g}"


def _duration(seconds: float) -> str:
    """Seconds below two minutes, minutes below two hours, then hours."""
    if seconds < 120:
        return f"{seconds:.0f} s"
    return f"{seconds / 60:.0f} min" if seconds < 7200 else f"{seconds / 3600:.1f} h"
