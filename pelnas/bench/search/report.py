"""The report of a comparison: one HTML file that needs nothing else, in light and in dark."""

import base64
from collections import defaultdict
from collections.abc import Mapping, Sequence
from functools import cache
from math import isnan
from pathlib import Path
from typing import Any

import numpy as np
from jinja2 import Environment, PackageLoader, StrictUndefined, Template

from pelnas.bench.search.accounting import operations_of
from pelnas.bench.search.curves import draw
from pelnas.bench.search.measures import BUDGETS
from pelnas.bench.search.methods import METHODS
from pelnas.bench.search.problem import Cell
from pelnas.bench.search.results import Result
from pelnas.bench.search.summary import DECIDING, Group, distance, groups, p_value
from pelnas.bench.validation import Interval
from pelnas.report.figure import DARK, LIGHT
from pelnas.spaces import get_space
from pelnas.store import write_atomically

FILE = "report.html"
TEMPLATE = "report.html.j2"


def write_report(results: Sequence[Result], folder: Path) -> None:
    """``report.html`` of everything in the folder, also of a comparison that is not finished."""
    parts = [_part(group, _of(group, results)) for group in groups(results)]
    used = dict.fromkeys(result.key.method for result in results)
    texts = {name: METHODS[name].text for name in used if name in METHODS}
    write_atomically(folder / FILE, _template().render(parts=parts, texts=texts))


@cache
def _template() -> Template:
    environment = Environment(
        loader=PackageLoader("pelnas.bench.search", "."),
        autoescape=True,
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
    )
    environment.filters |= {
        "interval": _interval,
        "figures": _figures,
        "signed": _signed,
        "p_value": p_value,
    }
    return environment.get_template(TEMPLATE)


def _of(group: Group, results: Sequence[Result]) -> list[Result]:
    """The finished searches of a group."""
    kind = (group.space, group.accuracy, group.budget)
    return [
        r for r in results if (r.key.space, r.key.accuracy, r.key.budget) == kind and not r.error
    ]


def _part(group: Group, results: Sequence[Result]) -> dict[str, Any]:
    methods = [row.method for row in group.means]
    by_method = {name: [r for r in results if r.name == name] for name in methods}
    return {
        "group": group,
        "distances": {row.method: distance(row) for row in group.means},
        "light": _inline(draw(results, LIGHT)) if results else "",
        "dark": _inline(draw(results, DARK)) if results else "",
        "cells": _cells(results, methods),
        "quantiles": [f"{share:.0%}" for share in BUDGETS],
        "losses": {name: _losses(own) for name, own in by_method.items()},
        "niches": _niches(by_method),
        "fifths": {name: _mean([r.fifths for r in own]) for name, own in by_method.items()},
        "operations": _operations(group.space, by_method),
        "entropy": {name: _ends([r.entropy for r in own]) for name, own in by_method.items()},
        "designed": {name: _designed(own) for name, own in by_method.items()},
    }


def _cells(
    results: Sequence[Result], methods: Sequence[str]
) -> list[tuple[Cell, list[float], int]]:
    """For each cell the mean of the deciding measure by method, and which is the best."""
    values: dict[Cell, dict[str, list[float]]] = defaultdict(lambda: defaultdict(list))
    for result in results:
        values[result.cell][result.name].append(result.final(DECIDING))
    rows = []
    for cell, own in values.items():
        means = [float(np.mean(own[name])) if name in own else float("nan") for name in methods]
        rows.append((cell, means, int(np.nanargmax(means))))
    return rows


def _losses(own: Sequence[Result]) -> list[float | None]:
    """How far below the best possible accuracy within each latency budget, in percentage points.

    A mean over the searches that found a network within it; ``None`` where none did.
    """
    columns: list[list[float]] = [[] for _ in BUDGETS]
    for result in own:
        for column, best, found in zip(columns, result.possible, result.under, strict=True):
            if best is not None and found is not None:
                column.append(best - found)
    return [float(np.mean(column)) if column else None for column in columns]


def _niches(by_method: Mapping[str, Sequence[Result]]) -> dict[str, list[tuple[str, float, float]]]:
    """By method: each niche, the share of evaluations it got, the share of its true front found."""
    found = {}
    for name, own in by_method.items():
        rows: dict[str, list[tuple[int, int, int]]] = defaultdict(list)
        for result in own:
            for label, *counts in result.niches:
                rows[label].append((counts[0], counts[1], counts[2]))
        total = sum(result.evaluations for result in own)
        found[name] = [
            (
                label,
                sum(tried for tried, _, _ in counts) / total,
                _share(sum(hits for _, _, hits in counts), sum(held for _, held, _ in counts)),
            )
            for label, counts in rows.items()
        ]
    return found


def _share(part: int, whole: int) -> float:
    return part / whole if whole else float("nan")


def _operations(
    space: str, by_method: Mapping[str, Sequence[Result]]
) -> dict[str, dict[str, float]]:
    """By method the share of each operation among the choices proposed; the space's own first."""
    whole = operations_of(get_space(space))
    found = {"the space": whole}
    for name, own in by_method.items():
        found[name] = {op: float(np.mean([r.operations.get(op, 0.0) for r in own])) for op in whole}
    return found


def _ends(series: Sequence[Sequence[float]]) -> tuple[float, float] | None:
    """Mean of the first and of the last value."""
    series = [values for values in series if values]
    if not series:
        return None
    return float(np.mean([v[0] for v in series])), float(np.mean([v[-1] for v in series]))


def _mean(rows: Sequence[Sequence[float]]) -> list[float]:
    kept = [row for row in rows if row]
    return [float(value) for value in np.mean(kept, axis=0)] if kept else []


def _designed(own: Sequence[Result]) -> list[tuple[str, int, int]]:
    """Designs and points on the front by author, over all searches."""
    counts: dict[str, list[int]] = defaultdict(lambda: [0, 0])
    for result in own:
        for author, (made, shown) in result.designed.items():
            counts[author][0] += made
            counts[author][1] += shown
    return [(author, made, shown) for author, (made, shown) in counts.items()]


def _inline(image: bytes) -> str:
    return "data:image/png;base64," + base64.b64encode(image).decode()


def _interval(value: Interval) -> str:
    if isnan(value.value):
        return "\N{EN DASH}"
    return f"{value.value:.4f} ({value.low:.4f} to {value.high:.4f})"


def _figures(value: float | None, digits: int = 3) -> str:
    return "\N{EN DASH}" if value is None or isnan(value) else f"{value:.{digits}f}"


def _signed(value: float) -> str:
    return f"{value:+.4f}"
