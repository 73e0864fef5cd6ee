"""How busy workers are in a search: rounds one after the other, and overlapping."""

import csv
import time
from collections.abc import Iterator
from concurrent.futures import Future
from dataclasses import dataclass, replace
from functools import partial
from pathlib import Path
from threading import Lock

from pelnas.agents.evolver import BuiltinPlanner
from pelnas.agents.planner import PlanAnswer, PlanBrief
from pelnas.cache import Cache
from pelnas.config import SearchConfig
from pelnas.errors import PelnasError
from pelnas.knowledge.location import OFF
from pelnas.pool import PROCESSES, Done, Pool, Work, Workers
from pelnas.pool.base import Task
from pelnas.predictors.rank_sum import RankSum
from pelnas.predictors.sizes import SIZES
from pelnas.spaces import SearchSpace, get_space

DEVICE = "bench"
ROUNDS, PER_NICHE, REFERENCE = 5, 4, 16


@dataclass(frozen=True, slots=True)
class Searched:
    """A search. ``busy``: the share of the time in which a worker computed, on average.

    From the beginning of the first network to the end of the last one. ``round_``: networks of a round.
    """

    overlap: bool
    workers: int
    networks: int
    round_: int
    seconds: float
    busy: float


def searched(
    config: SearchConfig, pool: Pool, workers: int, designing: float, folder: Path
) -> Iterator[Searched]:
    """The same search twice, on a device of a made table, with agents that take ``designing`` seconds.

    Nothing where networks of the space are scored without workers, or by a single one.
    """
    if workers > 1 and not set(get_space(config.space).proxies) <= set(SIZES):
        for overlap in (False, True):
            yield _searched(config, pool, workers, designing, folder / str(overlap), overlap)


def _searched(
    config: SearchConfig, pool: Pool, workers: int, designing: float, folder: Path, overlap: bool
) -> Searched:
    from pelnas.graph.runs.search import Search
    from pelnas.report import write_front

    scoring = {"workers": workers, "reference": REFERENCE, "pool": PROCESSES}
    own = {
        "device": DEVICE,
        "data": _tables(get_space(config.space), folder),
        "accuracy": "rank-sum",
        "rounds": ROUNDS,
        "per_niche": PER_NICHE,
        "overlap": overlap,
        "knowledge": OFF,
        "output": folder,
        "scoring": config.scoring.model_copy(update=scoring),
    }
    search = Search(config.model_copy(update=own))
    session, metered = search.session, Metered(pool)
    try:
        images = session.problem.images
        assert images is not None  # noqa: S101 - rank-sum looks at them
        session.problem.evaluator.predictor = RankSum(
            session.problem.space,
            images,
            session.config.scoring,
            config.seed,
            Cache(folder / "scores.sqlite"),
            metered,
        )
    except PelnasError:
        session.close()
        raise
    session.team = replace(session.team, planners=(_Thinking(designing),))
    session.write_report = write_front
    search.run()
    return Searched(
        overlap,
        workers,
        metered.networks,
        PER_NICHE * len(session.problem.partition.niches),
        metered.last - metered.first,
        metered.seconds / (workers * (metered.last - metered.first)),
    )


def _tables(space: SearchSpace, folder: Path) -> Path:
    """A folder with costs per layer, by which every network of the space has a latency."""
    folder.mkdir(parents=True)
    with (folder / "layers.csv").open("w", newline="") as file:
        rows = csv.writer(file)
        rows.writerow(("device", "layer", "op", "delta_ms"))
        for layer, options in enumerate(space.choices):
            rows.writerows((DEVICE, layer, op, 1 + place) for place, op in enumerate(options))
        rows.writerow((DEVICE, -1, "", 1))
    return folder


class _Thinking(BuiltinPlanner):
    """A planner that takes its time, as language models do."""

    def __init__(self, seconds: float) -> None:
        self._seconds = seconds

    def plan(self, brief: PlanBrief) -> PlanAnswer:
        time.sleep(self._seconds)
        return super().plan(brief)


class Metered(Pool):
    """Another pool, whose workers tell for how long they computed.

    ``seconds``: of all tasks together. ``first``, ``last``: when the first began and the last ended.
    """

    def __init__(self, inner: Pool) -> None:
        self._inner = inner
        self.name, self.here = inner.name, inner.here
        self.networks, self.seconds, self.first, self.last = 0, 0.0, 0.0, 0.0
        self._turn = Lock()

    def cores(self) -> int:
        return self._inner.cores()

    def workers(
        self, work: Work, count: int, threads: int = 1, device: str = "", gpus: int = 0
    ) -> Workers:
        timed = Work("pelnas.bench.pool:timing", work.settings, work.arrays)
        return _Metered(self, self._inner.workers(timed, count, threads, device, gpus))

    def count(self, seconds: float) -> None:
        """A task has ended now that took so long."""
        now = time.perf_counter()
        with self._turn:
            self.first = self.first or now - seconds
            self.last = now
            self.networks += 1
            self.seconds += seconds


class _Metered(Workers):
    def __init__(self, pool: Metered, inner: Workers) -> None:
        self._pool, self._inner = pool, inner

    def submit(self, task: Task, *, later: bool = False) -> Future[Done]:
        told: Future[Done] = Future()
        self._inner.submit(task, later=later).add_done_callback(partial(self._tell, told))
        return told

    def _tell(self, told: Future[Done], ended: Future[Done]) -> None:
        problem = ended.exception()
        if problem is not None:
            told.set_exception(problem)
            return
        found = ended.result()
        if found.error is None:
            values, seconds, _ = found.answer
            self._pool.count(seconds)
            found = Done(found.place, values)
        told.set_result(found)

    def close(self) -> None:
        self._inner.close()
