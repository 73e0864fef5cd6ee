"""The plot of two runs: both fronts over everything that was evaluated.

Of latency and score alone as staircases; of other objectives, which both runs must have, two in
each plot, without lines.
"""

from collections.abc import Mapping, Sequence
from math import isfinite
from typing import TYPE_CHECKING

from pelnas.objectives import DEFAULT, Objectives
from pelnas.report.difference import Seen, incomparable, seen_by
from pelnas.report.figure import HERE, LIGHT, Theme, as_png, latency_axis, score_window
from pelnas.report.pairs import Pair, name_axes, pairs_of, scale_axes
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
    figure.subplots_adjust(left=0.08, right=0.98, top=0.86, bottom=0.1, wspace=0.25, hspace=0.3)
    (a, _), (b, _) = runs
    figure.text(0.08, 0.93, "Two fronts side by side", fontsize=14, fontweight="bold")
    why_not = incomparable(a, b)
    if why_not:
        figure.text(0.08, 0.89, f"not on one scale: {why_not}"[:160], color=theme.soft, fontsize=9)
    objectives = {store.config.objectives for store, _ in runs}
    if objectives == {DEFAULT.names} or len(objectives) > 1:
        _draw_staircases(figure.add_subplot(), runs, theme)
        return
    pairs = pairs_of(Objectives.of(objectives.pop()))
    side = 1 if len(pairs) == 1 else 2
    for number, pair in enumerate(pairs, start=1):
        _draw_pair(figure.add_subplot(side, side, number), runs, pair, theme)


def _draw_pair(
    axes: "Axes", runs: Sequence[tuple[RunStore, Mapping[str, Seen]]], pair: Pair, theme: Theme
) -> None:
    names = runs[0][0].config.objectives  # the order of ``Seen.place``
    right = names.index(pair.right.name)
    up = len(names) if pair.up is None else names.index(pair.up.name)
    for (store, seen), (colour, mark, _) in zip(runs, LOOKS, strict=True):
        shown = [s for s in seen.values() if all(map(isfinite, s.place))]
        front = [s for s in shown if s.on_front]
        for points, size, alpha in ((shown, 14, theme.faint / 2), (front, 36, 1.0)):
            axes.scatter(
                [s.place[right] for s in points], [s.place[up] for s in points],
                s=size, color=colour, marker=mark, alpha=alpha, linewidths=0,
                label=_label(store, front) if points is front else None,
            )  # fmt: skip
    everything = [s.place for _, seen in runs for s in seen.values() if all(map(isfinite, s.place))]
    name_axes(axes, pair, _units([store for store, _ in runs]))
    scale_axes(axes, pair, [(place[right], place[up]) for place in everything])
    axes.legend(fontsize=7)


def _draw_staircases(
    axes: "Axes", runs: Sequence[tuple[RunStore, Mapping[str, Seen]]], theme: Theme
) -> None:
    shown = [[s for s in seen.values() if isfinite(s.latency_ms)] for _, seen in runs]
    for (store, _), points, look in zip(runs, shown, LOOKS, strict=True):
        _run(axes, store, points, look, theme)
    _axes(axes, [s for points in shown for s in points])
    stores = [store for store, _ in runs]
    devices = {HERE.get(s.config.device, s.config.device) for s in stores}
    axes.set_xlabel(f"latency on {' and '.join(sorted(devices))}, ms   (left is better)")
    axes.set_ylabel(f"{_units(stores)}   (up is better)")
    axes.legend(loc="lower right", fontsize=9)


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
        label=_label(store, front),
    )  # fmt: skip


def _label(store: RunStore, front: Sequence[Seen]) -> str:
    return f"{store.name[:LONGEST]}: {len(front)} on the front"


def _units(stores: Sequence[RunStore]) -> str:
    return " and ".join(sorted({store.sources().unit for store in stores}))


def _axes(axes: "Axes", points: Sequence[Seen]) -> None:
    front = [s.score for s in points if s.on_front]
    if not front:
        return
    low, high = score_window([s.score for s in points], front)
    margin = 0.05 * (high - low) or 1.0
    axes.set_ylim(low - margin, high + margin)
    latency_axis(axes, [s.latency_ms for s in points if s.score >= low])
