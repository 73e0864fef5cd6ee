"""Simple predicates that the evaluations show to matter, found without a model.

Every threshold on every feature is measured at once (``pelnas.rules.evidence``), then
the conjunctions of the strongest. What is picked because the data showed it
must pass a bound for the number of predicates that might have been picked
(Bonferroni, 5 % for all of them together), so that noise alone rarely yields one.
"""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from itertools import combinations
from math import sqrt
from statistics import NormalDist

import numpy as np
from numpy.typing import NDArray

from pelnas.inputs.quantities import Metric
from pelnas.predicate import Condition, Predicate
from pelnas.rules.evidence import Evidence

FAMILY = 0.05  # chance that noise alone yields any predicate at all
THRESHOLDS = 8  # values tried for a feature of many values
STRONGEST = 12  # single conditions whose pairs are tried
ALIKE = 0.7  # correlation of holders above which two predicates say the same
LEAST = 5  # holders, and others, below which nothing is claimed


@dataclass(frozen=True, slots=True)
class Finding:
    """A predicate with its effect and error as in ``Effects``; ``column``: its holders.

    Among the observations that were screened, (n,).
    """

    predicate: Predicate
    effect: float
    error: float
    column: NDArray[np.bool_]

    @property
    def sureness(self) -> float:
        return abs(self.effect) / self.error if self.error > 0 else 0.0


def screen(
    evidence: Evidence,
    feature_names: Iterable[str],
    metric: Metric,
    niche: int | None,
    limit: int,
) -> list[Finding]:
    """At most ``limit`` findings, the surest effects first, none that repeats a better one.

    Deterministic: equal evidence gives equal findings, whatever the order of the
    observations or of the names.
    """
    here, names = evidence.within(niche), tuple(sorted(set(feature_names)))
    return here.once(("screen", names, metric, limit), lambda: _screen(here, names, metric, limit))


def _screen(
    evidence: Evidence, names: tuple[str, ...], metric: Metric, limit: int
) -> list[Finding]:
    single = evidence.once(("singles", names), lambda: _singles(evidence, names))
    singles = _measured(evidence, metric, *single)
    pairs = _measured(evidence, metric, *_pairs(sorted(singles, key=_order)[:STRONGEST]))
    sure = _beyond(singles, 2 * len(singles))
    # The pairs were chosen by looking: any two conditions, each turned either way, might have been.
    sure += _beyond(_better(pairs, singles), 2 * len(singles) * (len(singles) - 1))
    return _distinct(sorted(sure, key=_order), limit)


def _beyond(findings: Sequence[Finding], tests: int) -> list[Finding]:
    """Those that pass the bound for so many one-sided tests, which have half of ``FAMILY``."""
    bound = NormalDist().inv_cdf(1 - FAMILY / 2 / max(tests, 1))
    return [finding for finding in findings if finding.sureness > bound]


def _order(finding: Finding) -> tuple[float, int, Predicate]:
    """Largest effect that three errors leave first, then the shorter predicate."""
    predicate = finding.predicate
    return 3 * finding.error - abs(finding.effect), len(predicate.conditions), predicate


Columns = tuple[list[Predicate], NDArray[np.bool_]]  # p predicates and their holders, (n, p)


def _columns(columns: Sequence[tuple[Predicate, NDArray[np.bool_]]]) -> Columns:
    predicates = [predicate for predicate, _ in columns]
    holders = [held for _, held in columns]
    return predicates, np.column_stack(holders) if holders else np.zeros((0, 0), bool)


def _singles(evidence: Evidence, names: Sequence[str]) -> Columns:
    """``feature >= k`` for the values that occur, ``== 1`` for a place that is taken or not."""
    columns: list[tuple[Predicate, NDArray[np.bool_]]] = []
    for name in names:
        values = evidence.column(name)
        levels = np.unique(values)
        if np.array_equal(levels, (0.0, 1.0)) and "@" in name:
            columns.append((Predicate((Condition(name, "==", 1.0),)), values == 1))
            continue
        columns += [
            (Predicate((Condition(name, ">=", level),)), values >= level)
            for level in _thresholds(levels, values)
        ]
    return _columns(columns)


def _thresholds(levels: NDArray[np.float64], values: NDArray[np.float64]) -> list[float]:
    """Every level but the lowest, or quantiles of many; of few enough digits to be written."""
    if len(levels) > THRESHOLDS:
        shares = np.arange(1, THRESHOLDS) / THRESHOLDS
        levels = np.unique(np.quantile(values, np.concatenate(([0.0], shares)), method="higher"))
    return sorted({float(f"{level:.6g}") for level in levels[1:]})


def _measured(
    evidence: Evidence,
    metric: Metric,
    predicates: Sequence[Predicate],
    holders: NDArray[np.bool_],
) -> list[Finding]:
    """The findings with enough holders and others."""
    if not predicates:
        return []
    found = evidence.effects(holders, metric)
    enough = (found.holders >= LEAST) & (found.others >= LEAST) & (found.error > 0)
    return [
        Finding(predicates[k], float(found.effect[k]), float(found.error[k]), holders[:, k])
        for k in np.flatnonzero(enough).tolist()
    ]


def _pairs(strongest: Sequence[Finding]) -> Columns:
    """Conjunctions of two conditions on different features, each turned to its good side."""
    good = [_good_side(finding) for finding in strongest]
    return _columns(
        [
            (first & second, left & right)
            for (first, left), (second, right) in combinations(good, 2)
            if first.conditions[0].feature != second.conditions[0].feature
        ]
    )


def _good_side(finding: Finding) -> tuple[Predicate, NDArray[np.bool_]]:
    if finding.effect > 0:
        return finding.predicate, finding.column
    condition = finding.predicate.conditions[0]
    absent = condition.value == 1.0
    opposite = Condition(
        condition.feature, "==" if absent else "<", 0.0 if absent else condition.value
    )
    return Predicate((opposite,)), ~finding.column


def _better(pairs: Sequence[Finding], singles: Sequence[Finding]) -> list[Finding]:
    """Pairs that help more, and more surely, than either of their conditions alone."""
    alone = {f.predicate.conditions[0].feature: 0.0 for f in singles}
    for single in singles:
        feature = single.predicate.conditions[0].feature
        alone[feature] = max(alone[feature], single.sureness)
    return [
        pair
        for pair in pairs
        if pair.effect > 0
        and pair.sureness > max(alone[c.feature] for c in pair.predicate.conditions)
    ]


def _distinct(findings: Sequence[Finding], limit: int) -> list[Finding]:
    kept: list[Finding] = []
    for finding in findings:
        if len(kept) == limit:
            break
        if all(_alike(finding.column, other.column) <= ALIKE for other in kept):
            kept.append(finding)
    return kept


def _alike(first: NDArray[np.bool_], second: NDArray[np.bool_]) -> float:
    """Absolute phi coefficient of two sets of holders, neither of which is nobody or everybody."""
    size, one, other = len(first), int(first.sum()), int(second.sum())
    both = int(np.count_nonzero(first & second))
    return abs(size * both - one * other) / sqrt(one * (size - one) * other * (size - other))


def in_words(finding: Finding, metric: Metric, noun: str = "network") -> str:
    """The finding as a sentence about networks, or whatever the space calls them."""
    subject = " and ".join(map(_words, finding.predicate.conditions))
    good, bad = ("more accurate", "less accurate") if metric == "accuracy" else ("faster", "slower")
    outcome = good if finding.effect > 0 else bad
    return f"{noun.capitalize()}s with {subject} are {outcome} than others of their niche."


def _words(condition: Condition) -> str:
    feature, place, position = condition.feature.partition("@")
    match condition.op, condition.value:
        case "==", 0.0:
            words = f"no {feature}"
        case "==", 1.0 if place:
            words = feature
        case ">=", 1.0:
            words = f"some {feature}"
        case ">=", value:
            words = f"at least {value:g} {feature}"
        case "<", value:
            words = f"fewer than {value:g} {feature}"
        case _:
            return str(condition)
    return f"{words} at {position}" if place else words
