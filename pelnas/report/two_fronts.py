"""The plot of two runs: both fronts as staircases over everything that was evaluated."""

from collections.abc import Mapping, Sequence
from math import isfinite
from typing import TYPE_CHECKING

from pelnas.report.difference import Seen, incomparable, seen_by
from pelnas.report.figure import LIGHT, Theme, as_png, latency_axis, score_window
from pelnas.store import RunStore

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

LOOKS = (
    ("#1f5fa8", "o", "-"),
    ("#c4561b", "s", "--"),
)  # colour, marker, line: distinguishable without hue
LONGEST = 90  # characters of a run's name


def render_two(a: RunStore, b: RunStore, theme: Theme = LIGHT) -> bytes:
    """PNG of both fronts on one pair of axes; where they have no common scale, the picture says so."""
    runs = [(store, seen_by(store)) for store in (a, b)]
    return as_png(lambda figure: _draw(figure, runs, theme), theme)


def _draw(
    figure: "Figure", runs: Sequence[tuple[RunStore, Mapping[str, Seen]]], theme: Theme
) -> None:
    axes = figure.add_subplot()
    figure.subplots_adjust(left=0.08, right=0.98, top=0.86, bottom=0.1)
    shown = [[s for s in seen.values() if isfinite(s.latency_ms)] for _, seen in runs]
    for (store, _), points, look in zip(runs, shown, LOOKS, strict=True):
        _run(axes, store, points, look, theme)
    _axes(axes, [s for points in shown for s in points])
    (a, _), (b, _) = runs
    devices = {"this machine" if s.config.device == "host" else s.config.device for s in (a, b)}
    axes.set_xlabel(f"latency on {' and '.join(sorted(devices))}, ms   (left is better)")
    axes.set_ylabel(f"{' and '.join(sorted({s.sources().unit for s in (a, b)}))}   (up is better)")
    axes.legend(loc="lower right", fontsize=9)
    figure.text(0.08, 0.93, "Two fronts side by side", fontsize=14, fontweight="bold")
    why_not = incomparable(a, b)
    if why_not:
        figure.text(0.08, 0.89, f"not on one scale: {why_not}"[:160], color=theme.soft, fontsize=9)


def _run(
    axes: "Axes", store: RunStore, points: Sequence[Seen], look: tuple[str, str, str], theme: Theme
) -> None:
    colour, mark, line = look
    axes.scatter(
        [s.latency_ms for s in points], [s.score for s in points],
        s=14, color=colour, marker=mark, alpha=theme.faint / 2, linewidths=0,
    )  # fmt: skip
    front = sorted((s for s in points if s.on_front), key=lambda s: s.latency_ms)
    axes.step(
        [s.latency_ms for s in front], [s.score for s in front], where="post",
        color=colour, linestyle=line, marker=mark, markersize=6, linewidth=1.6, zorder=4,
        label=f"{store.name[:LONGEST]}: {len(front)} on the front",
    )  # fmt: skip


def _axes(axes: "Axes", points: Sequence[Seen]) -> None:
    front = [s.score for s in points if s.on_front]
    if not front:
        return
    low, high = score_window([s.score for s in points], front)
    margin = 0.05 * (high - low) or 1.0
    axes.set_ylim(low - margin, high + margin)
    latency_axis(axes, [s.latency_ms for s in points if s.score >= low])
