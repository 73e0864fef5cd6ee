"""The picture of models side by side: hypervolume over everything that was spent."""

import io
from collections.abc import Sequence
from statistics import fmean
from typing import TYPE_CHECKING, Any

from pelnas.report.canvas import blank, plain

if TYPE_CHECKING:
    from matplotlib.axes import Axes

AXES = {
    "evaluations": "evaluations",
    "calls": "model calls",
    "dollars": "dollars",
    "seconds": "seconds",
}
MARKS = ("-", "--", "-.", ":")  # distinct without colour, too


@plain()
def draw_curves(runs: Sequence[dict[str, Any]], judged_by: str) -> bytes:
    """PNG of runs as ``pelnas.bench.compare.to_dict`` gives them.

    An axis on which nobody spent anything is left out. A model that spends nothing of an
    axis is a level line at its mean.
    """
    spent = [axis for axis in AXES if any(_spends(run, axis) for run in runs)]
    figure = blank((5.2 * max(1, len(spent)), 4.4), 110, layout="constrained")
    models = list(dict.fromkeys(run["model"] for run in runs))
    for place, axis in enumerate(spent):
        panel = figure.add_subplot(1, len(spent), place + 1)
        for number, model in enumerate(models):
            own = [run for run in runs if run["model"] == model]
            _draw(panel, own, axis, f"C{number % 10}", MARKS[number // 10 % 4])
        panel.set_xlabel(AXES[axis])
        panel.grid(alpha=0.3)
        if place == 0:
            panel.set_ylabel(f"hypervolume, {judged_by}")
            panel.legend(loc="lower right", fontsize=8)
    buffer = io.BytesIO()
    figure.savefig(buffer, format="png", metadata={"Software": "pelnas"})
    return buffer.getvalue()


def _spends(run: dict[str, Any], axis: str) -> bool:
    return bool(run["curve"]) and run["curve"][-1][axis] > 0


def _draw(panel: "Axes", runs: Sequence[dict[str, Any]], axis: str, colour: str, mark: str) -> None:
    """The runs of one model; only the first is named in the legend."""
    label = runs[0]["model"]
    if not any(_spends(run, axis) for run in runs):
        level = fmean(run["hypervolume"] for run in runs)
        panel.axhline(level, color=colour, linestyle=mark, alpha=0.6, label=label)
        return
    for run in runs:
        across = [point[axis] for point in run["curve"]]
        up = [point["hypervolume"] for point in run["curve"]]
        panel.step(across, up, where="post", color=colour, linestyle=mark, alpha=0.8, label=label)
        label = "_nolegend_"
