"""Many searches over many workers, each result kept as soon as it is there."""

import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass, replace
from importlib.metadata import version
from itertools import product
from threading import Event
from typing import Any

import numpy as np

from pelnas.bench.search.accounting import designed, entropies, fifths, operations
from pelnas.bench.search.labelling import ordered_anew
from pelnas.bench.search.measures import MEASURES, checkpoints, shown
from pelnas.bench.search.methods import EXHAUSTIVE, METHODS, OURS
from pelnas.bench.search.problem import Cell, Problem, Trial
from pelnas.bench.search.results import Key, Result, Results
from pelnas.bench.search.sources import problem_of
from pelnas.bench.search.unseen import prepare
from pelnas.config import DEFAULT_MODEL, SearchConfig, differences
from pelnas.errors import (
    BudgetExhausted,
    ConfigError,
    InputError,
    Stopped,
    TaskFailedError,
    WorkerDiedError,
)
from pelnas.pareto import Floats
from pelnas.pool import PROCESSES, Done, Pool, Work, get_pool
from pelnas.pool.base import Array

_HELD_BY_KEY = frozenset(("data", "space", "dataset", "device", "accuracy", "model", "seed"))


@dataclass(frozen=True, slots=True)
class Plan:
    """Every search of a comparison: each method on each cell and seed at one budget.

    ``models``: of the searches of this package; "" for the built-in one. ``first``: networks of
    the first population; ``again``: searches that have results are run again, and the latest count.
    """

    config: SearchConfig
    cells: Sequence[Cell]
    methods: Sequence[str]
    models: Sequence[str]
    seeds: Sequence[int]
    budget: int
    first: int
    again: bool = False

    def __post_init__(self) -> None:
        if self.budget < self.first:
            raise ConfigError(
                f"expected a budget of at least one round, {self.first} evaluations, found"
                f" {self.budget}: give more by --evaluations"
            )

    @property
    def settings(self) -> dict[str, Any]:
        """By dotted name, those that are not the defaults, and that no ``Key`` holds.

        Where a search runs plays no part in what it finds.
        """
        told = differences(SearchConfig(), self.config.here())
        return {name: value for name, (_, value) in told.items() if name not in _HELD_BY_KEY}

    def missing(self, results: Sequence[Result]) -> list[Key]:
        """The searches that are to be run beside these results.

        ConfigError: one of them has a result of other settings.
        """
        own = {result.key: result for result in results if not result.error and not self.again}
        done = own.keys() & set(self.searches())
        for result in (own[key] for key in done):
            if result.settings not in (None, self.settings):
                raise ConfigError(
                    f"expected results of the settings {_listed(self.settings)}, found some of"
                    f" {_listed(result.settings or {})}: give another folder by --to, or --again"
                )
        return [key for key in self.searches() if key not in done]

    def searches(self) -> Iterator[Key]:
        """The searches, one seed of everything before the next."""
        for seed, cell, method in product(self.seeds, self.cells, self.methods):
            if method == EXHAUSTIVE and seed != self.seeds[0]:
                continue  # nothing in it is random
            for model in self.models if method.startswith(OURS) else ("",):
                yield Key(*cell, method, model, seed, self.budget)


def run(
    plan: Plan,
    results: Results,
    jobs: int,
    on_result: Callable[[Result], None],
    stop: Event,
    pool: Pool | None = None,
) -> None:
    """Run what is not among the results yet, ``jobs`` searches at a time, each in a worker.

    ``jobs``: 0 for one a core of the pool.

    ``on_result`` is called with each result once it is kept; a search that fails is a result with an
    error, and is tried again the next time. ``pool``: where the workers run; processes of this
    machine unless given. Stopped: ``stop`` was set; what was under way is begun again by the next
    call. InputError: a worker died twice on the same search, once all others have ended.
    """
    waiting = plan.missing(results.read())
    if not waiting:
        return
    prepare({Cell(*key[:4]) for key in waiting}, plan.config, stop.is_set)
    pool = pool or get_pool(PROCESSES)
    workers = pool.workers(_work(plan), jobs)
    died: WorkerDiedError | None = None
    try:
        for done in workers.done([list(key) for key in waiting], stop.is_set):
            if isinstance(done.error, WorkerDiedError):  # whole searches are kept first
                died = done.error
                continue
            result = replace(
                _result(waiting[done.place], done),
                version=version("pelnas"),
                settings=plan.settings,
            )
            results.append(result)
            on_result(result)
    except Stopped:
        raise Stopped("the bench was asked to stop: go on by the same command") from None
    finally:
        workers.close()
    if died is not None:
        raise InputError(
            f"expected every search to end, found that of one {died}, as where memory runs out: go on"
            " by the same command with fewer --jobs"
        )


def _listed(settings: Mapping[str, Any]) -> str:
    return ", ".join(f"{name} {value}" for name, value in settings.items()) or "by default"


def _work(plan: Plan) -> Work:
    # JSON leaves out an address that may hold a key, which a search needs to reach its model.
    config = plan.config.here().model_dump(mode="json") | {"base_url": plan.config.base_url}
    return Work("pelnas.bench.search.run:searching", {"config": config, "first": plan.first})


def searching(settings: Mapping[str, Any], _: Mapping[str, Array]) -> Callable[[list[Any]], Any]:
    """What a worker does: a task is a ``Key``, its answer the line of its result."""
    config = SearchConfig.model_validate(settings["config"])

    def search(key: list[Any]) -> str:
        return searched(Key(*key), config, settings["first"]).to_line()

    return search


def _result(key: Key, done: Done) -> Result:
    """What a worker returned, or why it did not."""
    if done.error is None:
        return Result.from_line(done.answer)
    if isinstance(done.error, TaskFailedError):
        return Result(key, error=str(done.error))
    return Result(key, error=f"{type(done.error).__name__}: {done.error}")


def searched(key: Key, config: SearchConfig, first: int) -> Result:
    """Run one search and judge it."""
    cell = Cell(*key[:4])
    problem = problem_of(cell, config.model_copy(update={"model": key.model or DEFAULT_MODEL}))
    trial = Trial(problem, key.budget, key.seed, first)
    began, processor = time.perf_counter(), time.process_time()
    with suppress(BudgetExhausted):
        METHODS[key.method].search(trial)
    seconds, cpu = time.perf_counter() - began, time.process_time() - processor
    return judged(key, trial, problem, cpu, seconds)


def judged(key: Key, trial: Trial, problem: Problem, cpu: float, seconds: float) -> Result:
    """A finished trial as a result."""
    tried, seen = list(trial.tried), trial.points
    true = problem.true_points(tried)
    if problem.labels is not None:
        seen = ordered_anew(problem, problem.labels, tried, seen)
    rows = shown(seen)
    front, yardstick = true[rows], problem.yardstick
    listed = len(tried) <= key.budget  # else the whole space, which need not be kept
    return Result(
        key,
        evaluations=len(tried),
        cpu=cpu,
        seconds=seconds,
        curve=_curve(key, trial, problem, seen, true),
        niches=problem.covered(tried, front),
        budgets=list(yardstick.budgets),
        under=yardstick.best_under(front),
        possible=yardstick.best_possible(),
        tried=[problem.space.index(each) for each in tried] if listed else [],
        scores=[-float(value) for value in np.round(seen[:, 1], 9)] if listed else [],
        fifths=fifths(seen[:, 0], yardstick.latencies),
        operations=operations(problem.space, tried),
        entropy=entropies(tried) if listed else [],
        designed=designed(trial.authors, rows.tolist()),
        run=trial.run,
        counts=trial.counts,
        gained=_gained(trial, problem, seen, true) if trial.counts else {},
    )


def _gained(trial: Trial, problem: Problem, seen: Floats, true: Floats) -> dict[str, float]:
    """By author the growth of the hypervolume in the front box as its designs came in."""
    found: dict[str, float] = {}
    start = min(int(trial.counts["first"]), len(seen))
    before = problem.yardstick.judge(true[shown(seen[:start])]).front_hv if start else 0.0
    for place in range(start, len(seen)):
        after = problem.yardstick.judge(true[shown(seen[: place + 1])]).front_hv
        author = trial.authors[place].partition(",")[0]
        found[author] = found.get(author, 0.0) + after - before
        before = after
    return found


def _curve(
    key: Key, trial: Trial, problem: Problem, seen: Floats, true: Floats
) -> dict[str, list[float | None]]:
    """The measures at the checkpoints, and what had been spent there.

    At the end alone where everything tried was ordered anew at the end, or the budget did not hold.
    """
    marks = [mark for mark in checkpoints(key.budget) if mark <= len(seen)]
    if len(seen) > key.budget or problem.labels is not None:
        marks = []
    if not marks or marks[-1] < len(seen):
        marks.append(len(seen))
    curve: dict[str, list[float | None]] = {name: [] for name in ("evaluations", *MEASURES)}
    for mark in marks:
        curve["evaluations"].append(mark)
        found = problem.yardstick.judge(true[shown(seen[:mark])])
        for name, value in found.to_dict().items():
            curve[name].append(value)
    if trial.spent:
        for name in trial.spent[0]._fields:
            curve[name] = [getattr(trial.spent[mark - 1], name) for mark in marks]
    return curve
