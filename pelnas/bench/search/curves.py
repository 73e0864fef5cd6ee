"""How quality grows with what a search spends: means over cells, with bands over seeds."""

from collections.abc import Sequence
from typing import TYPE_CHECKING

import numpy as np

from pelnas.bench.search.measures import MEASURES
from pelnas.bench.search.methods import EXHAUSTIVE
from pelnas.bench.search.results import Result
from pelnas.bench.search.statistics import over_cells
from pelnas.pareto import Floats
from pelnas.report.figure import Theme, as_png

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

#: What is drawn: a measure, and how far it is from that of the true front.
PANELS = {
    "front_hv": "hypervolume missing in the front box",
    "hv": "hypervolume missing in the box of the space",
    "igd": "IGD",
    "found": "share of the true front missing",
}
SPENDING = {"calls": "model calls", "dollars": "dollars", "seconds": "seconds"}
LEAST = 1e-5  # what is drawn for a search that lacks nothing, on a logarithmic axis
DASHES = ("-", "--", "-.", ":")  # distinct without colour, too


def draw(results: Sequence[Result], theme: Theme) -> bytes:
    """PNG of the searches of one group over evaluations, and over what models cost."""
    methods = list(dict.fromkeys(r.name for r in results if r.key.method != EXHAUSTIVE))

    def paint(figure: "Figure") -> None:
        panels = [(name, "evaluations") for name in PANELS if _known(results, name)][:3]
        panels += [("front_hv", axis) for axis in SPENDING if _spends(results, axis)]
        columns = min(3, len(panels))
        rows = -(-len(panels) // columns)
        figure.set_size_inches(4.6 * columns, 0.7 + 3.6 * rows)
        for place, (measure, axis) in enumerate(panels, start=1):
            axes = figure.add_subplot(rows, columns, place)
            for number, method in enumerate(methods):
                own = [r for r in results if r.name == method]
                _line(axes, own, measure, axis, number)
            _logarithmic(axes)
            axes.set_title(PANELS[measure], fontsize=9)
            axes.set_xlabel(SPENDING.get(axis, axis), fontsize=8)
            axes.grid(alpha=0.3)
        handles, labels = figure.axes[0].get_legend_handles_labels()
        figure.legend(
            handles, labels, loc="outside lower center", ncols=5, fontsize=8, frameon=False
        )
        figure.set_layout_engine("constrained")

    return as_png(paint, theme)


def _logarithmic(axes: "Axes") -> None:
    """Ticks in plain digits: the report draws without mathematical text."""
    from matplotlib.ticker import FuncFormatter, LogLocator, NullFormatter

    axes.set_yscale("log")
    axes.yaxis.set_major_locator(LogLocator(subs=(1.0, 2.0, 5.0)))
    axes.yaxis.set_major_formatter(FuncFormatter(lambda value, _: f"{value:g}"))
    axes.yaxis.set_minor_formatter(NullFormatter())


def _known(results: Sequence[Result], measure: str) -> bool:
    return all(np.isfinite(result.final(measure)) for result in results)


def _spends(results: Sequence[Result], axis: str) -> bool:
    return any(result.curve.get(axis, [0])[-1] for result in results)


def _line(axes: "Axes", own: Sequence[Result], measure: str, axis: str, number: int) -> None:
    """The mean of the searches of a method; those without the axis are left out."""
    own = [result for result in own if result.curve.get(axis)]
    steps = min((len(result.curve[measure]) for result in own), default=0)
    if not steps:
        return
    across = np.mean([_values(r, axis)[:steps] for r in own], axis=0)
    means = [over_cells(_missing(own, measure, step)) for step in range(steps)]
    up = np.array([[max(LEAST, v) for v in (m.value, m.low, m.high)] for m in means])
    colour, dash = f"C{number % 10}", DASHES[number // 10 % len(DASHES)]
    axes.plot(across, up[:, 0], dash, color=colour, label=own[0].name, linewidth=1.4)
    axes.fill_between(across, up[:, 1], up[:, 2], color=colour, alpha=0.12, linewidth=0)


def _missing(own: Sequence[Result], measure: str, step: int) -> list[Floats]:
    """How far each search is from the true front after a step, by cell."""
    cells = dict.fromkeys(result.cell for result in own)
    return [
        np.array([_distance(measure, _values(r, measure)[step]) for r in own if r.cell == cell])
        for cell in cells
    ]


def _distance(measure: str, value: float) -> float:
    return 1.0 - value if MEASURES[measure] else value


def _values(result: Result, name: str) -> Floats:
    return np.array([np.nan if value is None else value for value in result.curve[name]])
