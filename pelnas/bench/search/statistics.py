"""What a comparison shows: means with intervals, paired tests, and cells won and lost.

Searches are paired by cell and seed: baselines begin with the same networks there.
"""

from collections import defaultdict
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace

import numpy as np

from pelnas.bench.search.measures import MEASURES
from pelnas.bench.search.problem import Cell
from pelnas.bench.search.results import Result
from pelnas.bench.validation import Interval
from pelnas.pareto import Floats

RESAMPLES = 10_000  # bootstrap samples behind an interval
FEWEST_SEEDS = 5  # below which a cell is neither won nor lost: a bootstrap of so few says too much
FEWEST_PAIRS = 6  # below which a Wilcoxon test can never be significant at 5 %

#: Values of one measure of one method by cell and seed.
Table = Mapping[tuple[Cell, int], float]


@dataclass(frozen=True, slots=True)
class Mean:
    """One method over cells and seeds.

    ``quality``: intervals by measure, cells weighing the same; ``cpu``: mean seconds of the
    processor for one search; ``evaluations``: most of any search.
    """

    method: str
    searches: int
    cells: int
    seeds: int
    evaluations: int
    cpu: float
    quality: Mapping[str, Interval]


@dataclass(frozen=True, slots=True)
class Comparison:
    """A method against another one by one measure, over the cells and seeds that both have.

    ``ahead``: mean of the paired differences, positive where ``method`` is better, with its
    interval; ``p``: of the two-sided Wilcoxon signed-rank test, ``corrected``: by Holm over the
    rivals of one measure; both NaN for fewer than ``FEWEST_PAIRS`` pairs. ``won``, ``tied``,
    ``lost``: cells in which the interval of the mean difference over seeds lies above, around or
    below zero; those of fewer than ``FEWEST_SEEDS`` seeds are tied.
    """

    method: str
    rival: str
    measure: str
    pairs: int
    ahead: Interval
    p: float
    corrected: float
    won: int
    tied: int
    lost: int


def means(results: Sequence[Result]) -> list[Mean]:
    """One row for each method, in the order of the results. Failed searches are left out."""
    groups: dict[str, list[Result]] = defaultdict(list)
    for result in results:
        if not result.error:
            groups[result.name].append(result)
    return [_mean_of(name, group) for name, group in groups.items()]


def _mean_of(name: str, group: Sequence[Result]) -> Mean:
    return Mean(
        name,
        searches=len(group),
        cells=len({result.cell for result in group}),
        seeds=len({result.key.seed for result in group}),
        evaluations=max(result.evaluations for result in group),
        cpu=float(np.mean([result.cpu for result in group])),
        quality={
            measure: over_cells(_by_cell(table_of(group, name, measure))) for measure in MEASURES
        },
    )


def table_of(results: Sequence[Result], method: str, measure: str) -> Table:
    """A measure of a method by cell and seed; failed searches are left out."""
    return {
        (result.cell, result.key.seed): result.final(measure)
        for result in results
        if result.name == method and not result.error
    }


def _by_cell(table: Table) -> list[Floats]:
    found: dict[Cell, list[float]] = defaultdict(list)
    for (cell, _), value in table.items():
        found[cell].append(value)
    return [np.array(values) for values in found.values()]


def over_cells(cells: Sequence[Floats]) -> Interval:
    """The mean over cells of the means over seeds, by bootstrap over the seeds of each cell.

    NaN where a value has no meaning.
    """
    if not cells:
        return Interval(float("nan"), float("nan"), float("nan"))
    rng = np.random.default_rng(0)
    drawn = np.mean(
        [
            values[rng.integers(len(values), size=(RESAMPLES, len(values)))].mean(1)
            for values in cells
        ],
        axis=0,
    )
    low, high = np.quantile(drawn, [0.025, 0.975])
    return Interval(float(np.mean([v.mean() for v in cells])), float(low), float(high))


def compare(
    results: Sequence[Result], method: str, rivals: Sequence[str], measure: str
) -> list[Comparison]:
    """A method against each rival that shares a cell and seed with it."""
    own = table_of(results, method, measure)
    found = []
    for rival in rivals:
        other = table_of(results, rival, measure)
        shared = [key for key in own if key in other]
        sign = 1.0 if MEASURES[measure] else -1.0
        differences = {key: sign * (own[key] - other[key]) for key in shared}
        if differences and np.isfinite(list(differences.values())).all():
            found.append(_comparison(method, rival, measure, differences))
    corrected = holm([one.p for one in found])
    return [replace(one, corrected=p) for one, p in zip(found, corrected, strict=True)]


def _comparison(method: str, rival: str, measure: str, differences: Table) -> Comparison:
    cells = _by_cell(differences)
    inside = [over_cells([values]) for values in cells if len(values) >= FEWEST_SEEDS]
    won, lost = sum(one.low > 0 for one in inside), sum(one.high < 0 for one in inside)
    nan = float("nan")
    return Comparison(
        method,
        rival,
        measure,
        pairs=len(differences),
        ahead=over_cells(cells),
        p=signed_rank(np.array(list(differences.values()))),
        corrected=nan,
        won=won,
        tied=len(cells) - won - lost,
        lost=lost,
    )


def signed_rank(differences: Floats) -> float:
    """p of the two-sided Wilcoxon signed-rank test; zeros are ranked, then left out (Pratt, 1959).

    NaN for too few pairs, 1 where all are zero.
    """
    from scipy.stats import wilcoxon

    if len(differences) < FEWEST_PAIRS:
        return float("nan")
    if not differences.any():
        return 1.0
    return float(wilcoxon(differences, zero_method="pratt").pvalue)


def holm(values: Sequence[float]) -> list[float]:
    """p-values corrected for their number by Holm's step-down method (1979); NaN stays NaN."""
    known = [i for i, value in enumerate(values) if np.isfinite(value)]
    found = [float("nan")] * len(values)
    highest = 0.0
    for place, i in enumerate(sorted(known, key=lambda i: values[i])):
        highest = max(highest, min(1.0, (len(known) - place) * values[i]))
        found[i] = highest
    return found
