"""The front of several objectives as plots of two each: every cost over the score, costs over costs."""

from collections.abc import Sequence
from dataclasses import dataclass
from itertools import combinations
from typing import TYPE_CHECKING

import numpy as np

from pelnas.architecture import Evaluation
from pelnas.archive import Archive
from pelnas.objectives import CostMetric, Objectives

if TYPE_CHECKING:
    from matplotlib.axes import Axes

    from pelnas.report.figure import Theme

WIDE = 20.0  # greatest over least value beyond which an axis is logarithmic


@dataclass(frozen=True, slots=True)
class Pair:
    """Two objectives of one plot; ``up``: ``None`` for the score."""

    right: CostMetric
    up: CostMetric | None


def pairs_of(objectives: Objectives) -> list[Pair]:
    """Each cost with the score, then each two costs."""
    both = (Pair(one, other) for one, other in combinations(objectives.costs, 2))
    return [*(Pair(cost, None) for cost in objectives.costs), *both]


def draw_pair(
    axes: "Axes", archive: Archive, pair: Pair, colours: Sequence[str], unit: str, theme: "Theme"
) -> None:
    """Every candidate that can run, and the points of the front; ``unit``: of scores.

    Points that another one beats in these two objectives are on the front for a third one.
    """
    shown = [e for e in archive.evaluations if np.isfinite(archive.objectives.point(e)).all()]
    for evaluations, size, alpha, edge in (
        (shown, 12, theme.faint, "none"),
        (archive.union(), 46, 1.0, theme.ink),
    ):
        axes.scatter(
            [pair.right.of(e) for e in evaluations],
            [_height(pair, e) for e in evaluations],
            c=[colours[e.candidate.niche] for e in evaluations],
            s=size, alpha=alpha, edgecolors=edge, linewidths=0.9,
        )  # fmt: skip
    name_axes(axes, pair, unit)
    scale_axes(axes, pair, [(pair.right.of(e), _height(pair, e)) for e in shown])


def name_axes(axes: "Axes", pair: Pair, unit: str) -> None:
    """What the axes show, and which way is better; ``unit``: of scores."""
    up = f"{unit}   (up is better)" if pair.up is None else f"{pair.up.label}   (down is better)"
    axes.set_xlabel(f"{pair.right.label}   (left is better)", fontsize=9)
    axes.set_ylabel(up, fontsize=9)
    axes.tick_params(labelsize=8)


def scale_axes(axes: "Axes", pair: Pair, places: Sequence[tuple[float, float]]) -> None:
    """Logarithmic axes for costs that range widely."""
    if places:
        axes.set_xscale(_scale([right for right, _ in places]))
        if pair.up is not None:
            axes.set_yscale(_scale([up for _, up in places]))


def _height(pair: Pair, evaluation: Evaluation) -> float:
    return evaluation.score if pair.up is None else pair.up.of(evaluation)


def _scale(values: Sequence[float]) -> str:
    return "log" if 0 < min(values) * WIDE < max(values) else "linear"
