"""Every pool: each task once, in order where that is asked for, whatever becomes of its workers."""

import os
from collections.abc import Iterator
from contextlib import closing
from itertools import islice
from pathlib import Path

import numpy as np
import pytest
import quick
from patience import until

from pelnas.architecture import Shape
from pelnas.errors import (
    DataError,
    InputError,
    SpaceError,
    Stopped,
    TaskFailedError,
    WorkerDiedError,
)
from pelnas.images import load_images
from pelnas.pool import Pool, Work, Workers
from pelnas.pool.process_pool import ProcessPool
from pelnas.proxies.worker import Job, score_architecture, work_of
from pelnas.spaces import get_space

ACTING = Work("pool_work:acting", {})


@pytest.fixture(autouse=True)
def fresh() -> Iterator[None]:
    """Every worker is an interpreter of its own here."""
    with quick.in_full():
        yield


@pytest.fixture(params=["processes", pytest.param("ray", marks=pytest.mark.slow)], scope="module")
def pool(request: pytest.FixtureRequest) -> Pool:
    if request.param == "ray":
        cluster: Pool = request.getfixturevalue("ray_pool")
        return cluster
    return ProcessPool()


@pytest.fixture
def workers(pool: Pool) -> Iterator[Workers]:
    with closing(pool.workers(ACTING, 2)) as found:
        yield found


def test_answers_are_in_order_and_know_settings_and_arrays(pool: Pool) -> None:
    arrays = {"a": np.arange(4, dtype=np.float32), "b": np.ones((2, 2), dtype=np.int64)}
    work = Work("pool_work:echoing", {"name": "it"}, arrays)
    tasks = [0.1 + 0.2, "text", [1, {"two": None}], True] * 5
    with closing(pool.workers(work, 2)) as workers:
        assert list(workers.map(tasks)) == [[task, "it", 10.0] for task in tasks]
        assert list(workers.map(tasks[:2])) == [[task, "it", 10.0] for task in tasks[:2]]
        assert list(workers.map([])) == []


def test_each_task_ends_once_and_no_slow_one_holds_up_another(
    workers: Workers, tmp_path: Path
) -> None:
    marker = tmp_path / "the others have ended"
    ended = workers.done([["await", str(marker)], *(["say", number] for number in range(6))])
    found = {one.place: one.value() for one in islice(ended, 6)}
    assert found == {place: place - 1 for place in range(1, 7)}
    marker.touch()
    assert [(one.place, one.value()) for one in ended] == [(0, "seen")]


def test_errors_keep_their_type_and_stay_with_their_task(workers: Workers) -> None:
    tasks = [["misfit", "three rows"], ["say", 1], ["fail"], ["say", 2]]
    found = {done.place: done for done in workers.done(tasks)}
    with pytest.raises(DataError, match=r"^three rows$"):
        found[0].value()
    with pytest.raises(TaskFailedError, match=r"^KeyError: 'missing'$"):
        found[2].value()
    assert (found[1].value(), found[3].value()) == (1, 2)
    answers = workers.map([["say", 1], ["misfit", "three rows"]])
    assert next(answers) == 1
    with pytest.raises(DataError, match="three rows"):
        next(answers)


def test_tasks_for_later_are_done_beside_others_and_behind_them(pool: Pool, tmp_path: Path) -> None:
    marker, log = tmp_path / "go on", str(tmp_path / "log")
    with closing(pool.workers(ACTING, 1)) as workers:
        under_way = workers.submit(["await", str(marker)])
        later = [workers.submit(["note", log, f"later {n}"], later=True) for n in range(2)]
        soon = [workers.submit(["note", log, f"soon {n}"]) for n in range(2)]
        marker.touch()
        assert under_way.result(60).value() == "seen"
        assert list(workers.in_order([*soon, *later])) == ["soon 0", "soon 1", "later 0", "later 1"]
    noted = Path(log).read_text().splitlines()
    assert noted == ["soon 0", "soon 1", "later 0", "later 1"]


def test_a_slow_task_of_one_lot_holds_up_none_of_another(workers: Workers, tmp_path: Path) -> None:
    """What a round that is scored ahead needs: both are under way at once."""
    marker = str(tmp_path / "the other lot has ended")
    first = workers.submit(["await", marker], later=True)
    assert list(workers.map([["say", 1], ["say", 2]])) == [1, 2]
    assert not first.done()
    Path(marker).touch()
    assert first.result(60).value() == "seen"


def test_what_is_broken_off_ends_what_was_submitted_beside_it(workers: Workers) -> None:
    beside = workers.submit(["sleep", 60], later=True)
    broken = workers.map([["say", 0], ["sleep", 60]])
    assert next(broken) == 0
    broken.close()
    with pytest.raises(InputError, match="ended"):
        beside.result(60).value()
    assert list(workers.map([["say", 1]])) == [1]


def test_a_maker_that_refuses_refuses_each_task(pool: Pool) -> None:
    with closing(pool.workers(Work("pool_work:refusing", {}), 1)) as workers:
        found = list(workers.done([1, 2]))
    assert [type(done.error) for done in found] == [SpaceError, SpaceError]


def test_a_worker_that_dies_is_replaced_and_its_task_done_again(
    workers: Workers, tmp_path: Path
) -> None:
    once, always = str(tmp_path / "once"), str(tmp_path / "always")
    tasks = [["die", once, 1], ["say", 1], ["die", always, 99], ["say", 2]]
    found = {done.place: done for done in workers.done(tasks)}
    assert found[0].value() == "lived"
    assert (found[1].value(), found[3].value()) == (1, 2)
    assert isinstance(found[2].error, WorkerDiedError)


def test_what_is_broken_off_ends_its_workers_and_can_begin_again(workers: Workers) -> None:
    (first,) = workers.map([["process"]])
    assert first != os.getpid()
    broken = workers.map([["say", 0], *[["sleep", 60]] * 3])
    assert next(broken) == 0
    broken.close()
    until(lambda: not _lives(first))
    assert list(workers.map([["say", 1]])) == [1]


def test_a_stop_is_heard_while_tasks_are_under_way(workers: Workers) -> None:
    asked = iter([False, True, True, True])
    with pytest.raises(Stopped):
        list(workers.done([["sleep", 60]] * 2, lambda: next(asked, True)))


def test_workers_have_the_threads_that_were_asked_for(pool: Pool) -> None:
    with closing(pool.workers(ACTING, 1, threads=2)) as workers:
        assert list(workers.map([["threads"]])) == ["2"]


def test_a_second_close_does_nothing(workers: Workers) -> None:
    assert list(workers.map([["say", 1]])) == [1]
    workers.close()
    workers.close()


def test_there_are_cores(pool: Pool) -> None:
    assert pool.cores() >= 1


def test_scores_are_those_of_this_process_to_the_last_bit(pool: Pool) -> None:
    space, batch = get_space("tiny"), load_images(None, 8).batch(8, 0)
    job = Job("tiny", ("params", "nwot", "synflow"), Shape.square(10, 8), seed=0, threads=1)
    texts = [space.format(space.at(index)) for index in range(0, 120, 30)]
    with closing(pool.workers(work_of(job, *batch), 1, job.threads)) as workers:
        found = list(workers.map(texts))
    assert found == [score_architecture(space, job, text, *batch) for text in texts]


def _lives(process: int) -> bool:
    try:
        os.kill(process, 0)
    except ProcessLookupError:
        return False
    return Path(f"/proc/{process}/stat").read_text().split()[2] != "Z"
