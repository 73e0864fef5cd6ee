"""The results of a folder by group: a table of means, comparisons, CSV and Markdown."""

import csv
import io
from collections.abc import Sequence
from dataclasses import dataclass
from math import isfinite, isnan
from pathlib import Path

from pelnas.bench.search.measures import MEASURES
from pelnas.bench.search.methods import EXHAUSTIVE, OURS, WITHOUT
from pelnas.bench.search.results import Key, Result
from pelnas.bench.search.statistics import Comparison, Mean, compare, means
from pelnas.bench.validation import Interval
from pelnas.store import write_atomically

DECIDING = "front_hv"  # the measure of the paired tests


@dataclass(frozen=True, slots=True)
class Group:
    """Everything under one space, accuracy source and budget.

    ``comparisons``: of the whole search of this package with every other method.
    """

    space: str
    accuracy: str
    budget: int
    datasets: tuple[str, ...]
    devices: tuple[str, ...]
    means: tuple[Mean, ...]
    comparisons: tuple[Comparison, ...]
    failed: tuple[str, ...]

    @property
    def note(self) -> str:
        """What to know before means are compared, or ""."""
        if len({(row.searches, row.cells) for row in self.means if row.method != EXHAUSTIVE}) < 2:
            return ""
        return (
            "Not every method has been run on the same cells and seeds: means over different ones"
            " are not comparable, paired differences are."
        )

    @property
    def title(self) -> str:
        """The group in a phrase."""
        return (
            f"{self.space}, accuracy {self.accuracy}, {self.budget} evaluations,"
            f" {', '.join(self.datasets)} on {', '.join(self.devices)}"
        )


def groups(results: Sequence[Result]) -> list[Group]:
    """The results by space, accuracy source and budget, in the order of the file."""
    kinds = dict.fromkeys((r.key.space, r.key.accuracy, r.key.budget) for r in results)
    return [
        _group(kind, [r for r in results if (r.key.space, r.key.accuracy, r.key.budget) == kind])
        for kind in kinds
    ]


def _group(kind: tuple[str, str, int], results: Sequence[Result]) -> Group:
    rows = sorted(means(results), key=lambda row: -row.quality[DECIDING].value)
    names = [row.method for row in rows]
    found: list[Comparison] = []
    for own in dict.fromkeys(r.name for r in results if r.key.method == OURS and not r.error):
        for family in _families(own, names):
            found += compare(results, own, family, DECIDING)
    return Group(
        *kind,
        datasets=tuple(dict.fromkeys(r.key.dataset for r in results)),
        devices=tuple(dict.fromkeys(r.key.device for r in results)),
        means=tuple(rows),
        comparisons=tuple(found),
        failed=tuple(f"{_where(r.key)} {r.name}: {r.error}" for r in results if r.error),
    )


def _families(own: str, names: Sequence[str]) -> tuple[list[str], list[str]]:
    """The other methods, and the same one without a part; each is a family of tests."""
    model = own.removeprefix(OURS)  # "" for the built-in one
    parts = [n for n in names if n.startswith(WITHOUT)]
    others = [n for n in names if n not in (own, EXHAUSTIVE, *parts)]
    return others, [n for n in parts if n.endswith(model) and ("(" in n) == bool(model)]


def _where(key: Key) -> str:
    return f"{key.dataset} {key.device} seed {key.seed}"


def write_csv(results: Sequence[Result], folder: Path) -> None:
    """``results.csv``: one row a finished search, the measures at its end."""
    table = io.StringIO()
    writer = csv.writer(table, lineterminator="\n")
    writer.writerow((*Key._fields, "evaluations", *MEASURES, "cpu_seconds", "seconds", "error"))
    for result in results:
        values = ["" if result.error else _number(result.final(name)) for name in MEASURES]
        spent = [f"{result.cpu:.3f}", f"{result.seconds:.3f}"]
        writer.writerow((*result.key, result.evaluations, *values, *spent, result.error))
    write_atomically(folder / "results.csv", table.getvalue())


def _number(value: float) -> str:
    return repr(value) if isfinite(value) else ""


def to_markdown(group: Group) -> str:
    """The table of means, each with its 95 % interval, and of the paired tests."""
    lines = [
        f"{group.title}:{' ' if group.note else ''}{group.note}",
        "",
        "| method | searches | HV | front box | IGD | found | CPU s |",
        "|---|---|---|---|---|---|---|",
    ]
    lines += [
        f"| {row.method} | {row.searches} | {_interval(row.quality['hv'])}"
        f" | {_interval(row.quality['front_hv'])} | {_interval(distance(row))}"
        f" | {row.quality['found'].value:.2f} | {row.cpu:.1f} |"
        for row in group.means
    ]
    if group.comparisons:
        lines += [
            "",
            "| front box | against | pairs | ahead by | p (Holm) | cells won, tied, lost |",
            "|---|---|---|---|---|---|",
        ]
    lines += [
        f"| {one.method} | {one.rival} | {one.pairs} | {one.ahead.value:+.4f} ({one.ahead.low:+.4f} to"
        f" {one.ahead.high:+.4f}) | {p_value(one.corrected)} | {one.won}, {one.tied}, {one.lost} |"
        for one in group.comparisons
    ]
    return "\n".join(lines)


def distance(row: Mean) -> Interval:
    """IGD in the box of the space; where that is unknown, in the box of the front."""
    whole = row.quality["igd"]
    return row.quality["front_igd"] if isnan(whole.value) else whole


def p_value(value: float) -> str:
    """Two significant figures; a dash where there were too few pairs for a test."""
    return "\N{EN DASH}" if isnan(value) else f"{value:.2g}"


def _interval(value: Interval) -> str:
    if isnan(value.value):
        return ""
    return f"{value.value:.4f} ({value.low:.4f} to {value.high:.4f})"
