"""What rules of other places bring a search: every cell with the knowledge of all others, and without.

First one search of each cell, whose rules in force are what is known; then, for each cell, a base of
all others' rules, from which searches begin that are judged beside equal ones without knowledge.
"""

import shutil
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from pelnas.architecture import Cost
from pelnas.bench.search.methods import INFORMED, OURS
from pelnas.bench.search.methods.pelnas_search import base_name
from pelnas.bench.search.problem import Cell
from pelnas.bench.search.results import Result
from pelnas.bench.search.sources import problem_of
from pelnas.bench.search.statistics import over_cells
from pelnas.bench.validation import Interval
from pelnas.config import SearchConfig
from pelnas.errors import StoreError
from pelnas.knowledge.base import Base
from pelnas.knowledge.place import Place, device_ranks, references
from pelnas.report.knowledge import key_of, rules_left
from pelnas.store import RunStore

MEASURE = "front_hv"  # hypervolume in the box of the true front


@dataclass(frozen=True, slots=True)
class Row:
    """One cell after so many evaluations: means over the seeds that both have.

    ``plain``, ``informed``: hypervolume in the front box; ``ahead``: their paired difference with
    its bootstrap interval, positive where knowledge helps.
    """

    cell: Cell
    evaluations: int
    seeds: int
    plain: float
    informed: float
    ahead: Interval


def learn(results: Sequence[Result], config: SearchConfig, runs: Path) -> Path:
    """Make the bases: for each cell one of the rules of all others. The folder of all of them.

    ``results``: of one finished search of each cell, whose runs lie below ``runs``. StoreError: one
    is not there any more.
    """
    whole = runs.parent / "bases"
    shutil.rmtree(whole, ignore_errors=True)
    every = whole / "every"
    with Base(str(every)) as base:
        for result in results:
            key, place, rules = _left(result, config, runs)
            base.add(key, result.run, place, rules)
    for cell in dict.fromkeys(result.cell for result in results):
        others = whole / base_name(cell.dataset, cell.device)
        shutil.copytree(every, others)
        with Base(str(others)) as base:
            base.forget(space=cell.space, device=cell.device, dataset=cell.dataset)
    return whole


def _left(
    result: Result, config: SearchConfig, runs: Path
) -> tuple[str, Place, list[tuple[Any, str]]]:
    """What a search leaves: its key, its place, and its rules in force with their niches."""
    cell = result.cell
    if not (runs / result.run).is_dir():
        raise StoreError(
            f"expected the run {result.run} in {runs}, found none: run its search again by --again"
        )
    problem = problem_of(cell, config)
    costs = [problem.truth.latency(each) for each in references(problem.space)]
    ranks = device_ranks([Cost(ms if np.isfinite(ms) else None) for ms in costs])
    with RunStore.read(runs / result.run) as store:
        place = Place(cell.space, cell.device, cell.dataset, ranks)
        return key_of(store), place, rules_left(store)


def rows(results: Iterable[Result], marks: Sequence[int]) -> list[Row]:
    """Each cell at each number of evaluations, where both kinds of searches have seeds in common."""
    found: dict[tuple[Cell, str], dict[int, Result]] = {}
    for result in results:
        if not result.error:
            found.setdefault((result.cell, result.key.method), {})[result.key.seed] = result
    cells = dict.fromkeys(cell for cell, _ in found)
    return [
        row
        for mark in marks
        for cell in cells
        for row in _row(cell, mark, found.get((cell, OURS), {}), found.get((cell, INFORMED), {}))
    ]


def _row(
    cell: Cell, mark: int, plain: Mapping[int, Result], informed: Mapping[int, Result]
) -> Iterator[Row]:
    seeds = sorted(plain.keys() & informed.keys())
    if not seeds:
        return
    without = np.array([_at(plain[seed], mark) for seed in seeds])
    with_ = np.array([_at(informed[seed], mark) for seed in seeds])
    ahead = over_cells([with_ - without])
    yield Row(cell, mark, len(seeds), float(without.mean()), float(with_.mean()), ahead)


def _at(result: Result, mark: int) -> float:
    """The hypervolume at the last checkpoint that is not above a number of evaluations."""
    marks = result.curve["evaluations"]
    place = max(i for i, count in enumerate(marks) if count is not None and count <= mark)
    value = result.curve[MEASURE][place]
    return float("nan") if value is None else value
