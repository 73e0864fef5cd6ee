"""The plot of a run: every candidate, the front as a staircase, and how the front grew."""

import io
import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np

from pelnas.architecture import Evaluation
from pelnas.archive import Archive
from pelnas.objectives import DEFAULT
from pelnas.report.canvas import blank, plain
from pelnas.report.front import archive_of, label_of
from pelnas.report.growth import growth
from pelnas.report.pairs import draw_pair, pairs_of
from pelnas.store import RunStore

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

#: What pictures call devices that are this machine.
HERE = {"host": "this machine", "host-cuda": "this machine's GPU"}
APART = 15  # pixels between two numbered points: closer ones are not both numbered
LONGEST = 130  # characters of a line above the picture
WIDE = 20.0  # a ratio of latencies beyond which the axis is logarithmic


@dataclass(frozen=True, slots=True)
class Theme:
    """Colours of one look."""

    paper: str
    ink: str
    soft: str
    grid: str
    low: float  # stretch of the colour map that stands out from the paper
    high: float
    faint: float  # opacity of the candidates behind the front


LIGHT = Theme("#ffffff", "#1d2433", "#5d6678", "#e6e9ef", 0.02, 0.86, 0.38)
DARK = Theme("#14181f", "#e8ebf1", "#9aa4b5", "#2a313d", 0.28, 0.98, 0.6)


def render(store: RunStore, theme: Theme) -> bytes:
    """The picture as PNG, also of a run without evaluations."""
    return as_png(lambda figure: _draw(figure, store, theme), theme)


def as_png(draw: Callable[["Figure"], None], theme: Theme) -> bytes:
    """What is drawn on an empty page of this look."""
    with plain(_style(theme)):
        figure = blank((11.5, 6.4), 130)
        draw(figure)
        buffer = io.BytesIO()
        figure.savefig(buffer, format="png", metadata={"Software": "pelnas"})
    return buffer.getvalue()


def niche_colours(count: int, theme: Theme) -> list[str]:
    """A colour for each niche, ordered by complexity, distinguishable also without hue."""
    from matplotlib import colormaps
    from matplotlib.colors import to_hex

    places = np.linspace(theme.low, theme.high, max(count, 2))
    return [to_hex(colormaps["viridis"](place)) for place in places][:count]


def _style(theme: Theme) -> Any:  # matplotlib types every key as a literal of its release
    return {
        "font.family": "sans-serif",
        "font.size": 10,
        "text.color": theme.ink,
        "axes.labelcolor": theme.ink,
        "axes.edgecolor": theme.soft,
        "axes.facecolor": theme.paper,
        "axes.spines.top": False,
        "axes.spines.right": False,
        "axes.grid": True,
        "axes.axisbelow": True,
        "grid.color": theme.grid,
        "grid.linewidth": 0.8,
        "xtick.color": theme.soft,
        "ytick.color": theme.soft,
        "figure.facecolor": theme.paper,
        "savefig.facecolor": theme.paper,
    }


def _draw(figure: "Figure", store: RunStore, theme: Theme) -> None:
    archive = archive_of(store)
    feasible = [e for e in archive.evaluations if e.cost.feasible]
    front = archive.union()
    labels = store.niches()
    niches = max([len(labels), *(e.candidate.niche + 1 for e in archive.evaluations)])
    colours = niche_colours(niches, theme)
    if archive.objectives != DEFAULT:
        _draw_pairs(figure, store, archive, colours, theme)
        return
    grid = figure.add_gridspec(
        2, 2, width_ratios=(3.3, 1), left=0.075, right=0.985, top=0.84, bottom=0.09,
        wspace=0.2, hspace=0.24,
    )  # fmt: skip
    main, side = figure.add_subplot(grid[:, 0]), figure.add_subplot(grid[0, 1])
    _head(figure, store, len(front), len(archive.evaluations), theme)
    _candidates(main, feasible, colours, theme)
    _front(main, front, colours, theme)
    _axes(main, store, feasible, front, theme)
    _growth(side, feasible, archive, theme)
    _legend(figure.add_subplot(grid[1, 1]), labels, colours, theme)
    _numbers(main, front, theme)


def _draw_pairs(
    figure: "Figure", store: RunStore, archive: Archive, colours: list[str], theme: Theme
) -> None:
    """One plot for each two objectives, beside growth and niches."""
    pairs = pairs_of(archive.objectives)
    grid = figure.add_gridspec(
        2, 3, width_ratios=(1.6, 1.6, 1), left=0.075, right=0.985, top=0.84, bottom=0.09,
        wspace=0.3, hspace=0.3,
    )  # fmt: skip
    _head(figure, store, len(archive.union()), len(archive.evaluations), theme)
    places = (grid[0, 0], grid[0, 1], grid[1, 0]) if len(pairs) > 1 else (grid[:, :2],)
    for place, pair in zip(places, pairs, strict=True):
        draw_pair(figure.add_subplot(place), archive, pair, colours, store.sources().unit, theme)
    feasible = [e for e in archive.evaluations if e.cost.feasible]
    side = grid[1, 1] if len(pairs) > 1 else grid[0, 2]
    _growth(figure.add_subplot(side), feasible, archive, theme)
    legend = grid[:, 2] if len(pairs) > 1 else grid[1, 2]
    _legend(figure.add_subplot(legend), store.niches(), colours, theme)


def _head(figure: "Figure", store: RunStore, front: int, all_: int, theme: Theme) -> None:
    config, sources = store.config, store.sources()
    where = HERE.get(config.device, config.device)
    on = f", {sources.dataset}" if sources.dataset else ""
    title = f"{front} of {all_} architectures are on the front for {where}{on}"[: LONGEST // 2]
    figure.text(0.075, 0.945, title, fontsize=15, fontweight="bold")
    for height, text in (
        (0.912, f"accuracy: {sources.accuracy}"),
        (0.884, f"latency: {sources.latency}   ·   search space: {config.space}"),
    ):
        figure.text(0.075, height, text[:LONGEST], fontsize=9.5, color=theme.soft)


def _candidates(
    axes: "Axes", feasible: Sequence[Evaluation], colours: list[str], theme: Theme
) -> None:
    axes.scatter(
        [e.latency_ms for e in feasible],
        [e.score for e in feasible],
        c=[colours[e.candidate.niche] for e in feasible],
        s=16, alpha=theme.faint, linewidths=0,
    )  # fmt: skip


def _front(axes: "Axes", front: Sequence[Evaluation], colours: list[str], theme: Theme) -> None:
    if not front:
        axes.text(
            0.5, 0.5, "no candidate has been evaluated yet", transform=axes.transAxes,
            ha="center", color=theme.soft, fontsize=12,
        )  # fmt: skip
        return
    x, y = [e.latency_ms for e in front], [e.score for e in front]
    axes.step(x, y, where="post", color=theme.ink, linewidth=1.4, alpha=0.75, zorder=3)
    errors = [e.prediction.uncertainty for e in front]
    spreads = [e.cost.spread_ms / 2 for e in front]
    axes.errorbar(
        x, y, yerr=errors if any(errors) else None, xerr=spreads if any(spreads) else None,
        fmt="none", ecolor=theme.soft, elinewidth=0.9, alpha=0.7, zorder=3,
    )  # fmt: skip
    axes.scatter(
        x, y, c=[colours[e.candidate.niche] for e in front],
        s=64, edgecolors=theme.ink, linewidths=1.1, zorder=4,
    )  # fmt: skip


def _axes(
    axes: "Axes",
    store: RunStore,
    feasible: Sequence[Evaluation],
    front: Sequence[Evaluation],
    theme: Theme,
) -> None:
    config = store.config
    where = HERE.get(config.device, config.device)
    axes.set_xlabel(f"latency on {where}, ms   (left is better)")
    axes.set_ylabel(f"{store.sources().unit}   (up is better)")
    if not front:
        return
    low, high = score_window([e.score for e in feasible], [e.score for e in front])
    margin = 0.05 * (high - low) or 1.0
    axes.set_ylim(low - margin, high + margin)
    latency_axis(axes, [e.latency_ms for e in feasible if e.score >= low])
    axes.plot(  # the last step goes on: more latency buys nothing that was found
        [front[-1].latency_ms, axes.get_xlim()[1]], [front[-1].score] * 2,
        color=theme.ink, linewidth=1.4, alpha=0.3, zorder=3,
    )  # fmt: skip
    below = sum(e.score < low - margin for e in feasible)
    if below:
        note = f"{below} more lie below"
        axes.text(
            0.99, 0.015, note, transform=axes.transAxes, ha="right", fontsize=9, color=theme.soft
        )


def latency_axis(axes: "Axes", latencies: Sequence[float]) -> None:
    """Limits around what is shown; logarithmic where it spans more than ``WIDE``."""
    from matplotlib.ticker import FuncFormatter, LogLocator, NullFormatter

    low, high = min(latencies), max(latencies)
    if low > 0 and high > WIDE * low:
        axes.set_xscale("log")
        axes.set_xlim(low / 1.15, high * 1.15)
        axes.xaxis.set_major_locator(LogLocator(subs=(1.0, 2.0, 5.0)))
        axes.xaxis.set_major_formatter(FuncFormatter(lambda value, _: f"{value:g}"))
        axes.xaxis.set_minor_formatter(NullFormatter())
    else:
        margin = 0.05 * (high - low) or 0.1 * abs(high) or 1.0
        axes.set_xlim(low - margin, high + margin)


def score_window(scores: Sequence[float], front: Sequence[float]) -> tuple[float, float]:
    """The scores to show, lowest and highest: all of them, unless a few far below squeeze the rest.

    A few: below the lower quartile by one and a half interquartile ranges, and the front
    keeps at least four fifths of its points.
    """
    finite = [score for score in scores if math.isfinite(score)]
    low, high = min(finite), max(finite)
    quarter, three_quarters = np.quantile(finite, [0.25, 0.75])
    fence = float(quarter - 1.5 * (three_quarters - quarter))
    kept = [score for score in front if score >= fence]
    if fence > low and len(kept) >= 0.8 * len(front):
        return min([fence, *kept]), high
    return low, high


def _numbers(axes: "Axes", front: Sequence[Evaluation], theme: Theme) -> None:
    """Number the points as the report's table does, leaving out what would overlap."""
    last = np.array([-np.inf, -np.inf])
    low, _ = axes.get_ylim()
    for number, e in enumerate(front, start=1):
        place = axes.transData.transform((e.latency_ms, e.score))
        if e.score < low or np.hypot(*(place - last)) < APART:
            continue
        last = place
        axes.annotate(
            str(number), (e.latency_ms, e.score), xytext=(-4, 6), textcoords="offset points",
            ha="right", fontsize=8.5, fontweight="bold", color=theme.ink, zorder=5,
        )  # fmt: skip


def _growth(axes: "Axes", feasible: Sequence[Evaluation], archive: Archive, theme: Theme) -> None:
    counts, values = growth(feasible, excluded=archive.excluded, objectives=archive.objectives)
    axes.plot(counts, values, color=theme.ink, linewidth=1.6)
    axes.fill_between(counts, values, color=theme.ink, alpha=0.08)
    axes.set_title("hypervolume over evaluations", fontsize=9.5, loc="left", color=theme.soft)
    axes.tick_params(labelsize=8)
    axes.set_xlim(left=0)
    if values:
        axes.set_ylim(max(0.0, min(values) - 0.02), min(1.0, max(values) + 0.02))


def _legend(axes: "Axes", labels: list[str], colours: list[str], theme: Theme) -> None:
    axes.set_axis_off()
    shown = min(len(colours), 16)
    for row, niche in enumerate(np.linspace(0, len(colours) - 1, shown).round().astype(int)):
        height = 0.9 - row * min(0.095, 0.95 / max(shown, 1))
        axes.plot([0.03], [height], "o", color=colours[niche], markersize=7, clip_on=False)
        text = label_of(labels, int(niche))
        axes.text(0.09, height, text[:34], va="center", fontsize=9, color=theme.ink)
    axes.set_xlim(0, 1)
    axes.set_ylim(0, 1)
    if shown:
        axes.text(0, 1.0, "niches", va="center", fontsize=9.5, color=theme.soft)
