"""Workers: in order, equal to scoring here, whole after a break, clear when they die."""

import os
import signal
import threading
from contextlib import closing
from pathlib import Path

import pytest
import torch

from pelnas.architecture import Shape
from pelnas.cache import Cache
from pelnas.config import Scoring
from pelnas.errors import InputError, ProxyError
from pelnas.images import ImageSet, load_images
from pelnas.pool import Work
from pelnas.pool.process import Worker
from pelnas.pool.process_pool import _Processes
from pelnas.proxies import engine
from pelnas.proxies.scoring import FEW, ProxyScores, Scorer, workers_and_threads
from pelnas.proxies.worker import Job, score_architecture
from pelnas.spaces import get_space

NAMES = ("params", "nwot", "synflow")
SPACE = get_space("tiny")
TEXTS = [SPACE.format(SPACE.at(index)) for index in range(0, 120, 10)]


@pytest.fixture(scope="module")
def images() -> ImageSet:
    return load_images(None, 8)


def scorer(images: ImageSet, workers: int = 2, classes: int = 10) -> Scorer:
    job = Job("tiny", NAMES, Shape.square(classes, 8), seed=0, threads=1)
    return Scorer(SPACE, job, *images.batch(8, 0), workers)


def computed_here(images: ImageSet) -> list[dict[str, float]]:
    """The proxies of all of them, without a worker."""
    return [next(scorer(images).score([text])) for text in TEXTS]


def started(pool: Scorer) -> list[Worker]:
    """The processes of a scorer that live."""
    assert isinstance(pool._workers, _Processes)
    return pool._workers._crew.workers


def scores(images: ImageSet, cache: Cache, names: tuple[str, ...]) -> ProxyScores:
    settings = Scoring(batch=8, resolution=8, workers=2)
    return ProxyScores(SPACE, images, names, settings, 0, cache)


def test_workers_answer_in_order_and_survive_a_kill(images: ImageSet) -> None:
    expected = computed_here(images)
    pool = scorer(images)
    try:
        assert list(pool.score(TEXTS)) == expected
        assert len(started(pool)) == 2
        os.kill(started(pool)[0]._process.pid, signal.SIGKILL)
        assert list(pool.score(TEXTS)) == expected
        running = pool.score(TEXTS)
        assert next(running) == expected[0]
        running.close()
        assert started(pool) == []
    finally:
        pool.close()
    pool.close()


@pytest.mark.parametrize(("has", "uses"), [(1, 1), (2, 2), (3, 2)])
def test_no_more_threads_than_the_process_has(
    monkeypatch: pytest.MonkeyPatch, images: ImageSet, has: int, uses: int
) -> None:
    seen: list[int] = []
    monkeypatch.setattr(
        engine, "score_network", lambda *_: seen.append(torch.get_num_threads()) or {}
    )
    job, before = (
        Job("tiny", NAMES, Shape.square(10, 8), seed=0, threads=2),
        torch.get_num_threads(),
    )
    torch.set_num_threads(has)
    try:
        score_architecture(SPACE, job, TEXTS[0], *images.batch(8, 0))
        assert (seen, torch.get_num_threads()) == ([uses], has)
    finally:
        torch.set_num_threads(before)


@pytest.mark.timeout(60)
def test_tasks_of_workers_that_were_ended_meanwhile_wait_for_no_others(
    images: ImageSet, monkeypatch: pytest.MonkeyPatch
) -> None:
    """As where a search is stopped between two of its scores: its process must end."""
    scoring = scorer(images)
    monkeypatch.setattr(scoring._workers, "_work", Work("pool_work:answering_once", {}))
    scored = scoring.score([SPACE.format(SPACE.at(index)) for index in range(40)])
    next(scored)
    scoring.close()
    with pytest.raises(ProxyError, match="ended twice"):
        list(scored)
    for thread in threading.enumerate():
        if thread.name.startswith("pelnas-pool"):
            thread.join(20)
            assert not thread.is_alive(), "it would keep its process from ending"


def test_a_few_tasks_start_no_worker(images: ImageSet) -> None:
    pool = scorer(images)
    assert len(list(pool.score(TEXTS[:FEW]))) == FEW
    assert started(pool) == []


def test_a_worker_that_cannot_start_is_one_clear_error(
    images: ImageSet, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("sys.executable", "/bin/false")
    pool = scorer(images)
    with pytest.raises(ProxyError, match=r"ended twice \(exit code 1\): use fewer workers"):
        list(pool.score(TEXTS))


def test_what_fails_in_a_worker_is_one_clear_error(
    images: ImageSet, monkeypatch: pytest.MonkeyPatch
) -> None:
    pool = scorer(images)
    monkeypatch.setattr(pool._workers, "_work", Work("pool_work:failing", {}))
    with pytest.raises(
        ProxyError, match="found that KeyError: 'missing': see whether it can be built"
    ):
        list(pool.score(TEXTS))


def test_what_cannot_be_scored_is_the_same_error_in_a_worker(images: ImageSet) -> None:
    with pytest.raises(ProxyError, match="labels from 0 to 2") as here:
        list(scorer(images, classes=3).score(TEXTS[:2]))
    pool = scorer(images, classes=3)
    with pytest.raises(ProxyError) as there:
        list(pool.score(TEXTS))
    assert str(there.value) == str(here.value)
    assert started(pool) == []


def test_workers_end_with_an_error_that_comes_when_all_tasks_have_ended(
    images: ImageSet, monkeypatch: pytest.MonkeyPatch
) -> None:
    pool = scorer(images)
    work = Work("pool_work:refusing_the_first_last", {"first": TEXTS[0]})
    monkeypatch.setattr(pool._workers, "_work", work)
    with pytest.raises(InputError, match="it does not fit"):
        list(pool.score(TEXTS))
    assert started(pool) == []


def test_what_was_begun_is_taken_and_computed_once(images: ImageSet, tmp_path: Path) -> None:
    expected = computed_here(images)
    with closing(scorer(images)) as pool:
        pool.begin(TEXTS)
        begun = dict(pool._ahead)
        pool.begin(TEXTS)
        assert pool._ahead == begun
        assert list(pool.score(TEXTS[3:])) == expected[3:]
        assert [*pool._ahead] == TEXTS[:3]
        assert list(pool.score(TEXTS[:3])) == expected[:3]


def test_a_few_tasks_begin_nothing(images: ImageSet) -> None:
    pool = scorer(images)
    pool.begin(TEXTS[:FEW])
    assert (started(pool), pool._ahead) == ([], {})


def test_what_was_begun_is_forgotten_where_workers_are_ended(images: ImageSet) -> None:
    expected = computed_here(images)
    with closing(scorer(images)) as pool:
        pool.begin(TEXTS)
        running = pool.score(TEXTS[:4])
        next(running)
        running.close()
        assert (started(pool), pool._ahead) == ([], {})
        assert list(pool.score(TEXTS)) == expected


def test_a_single_worker_is_begun_beside_this_process(images: ImageSet) -> None:
    expected = computed_here(images)
    with closing(scorer(images, workers=1)) as pool:
        pool.begin(TEXTS)
        assert list(pool.score(TEXTS)) == expected
        assert len(started(pool)) == 1


def test_no_task_starts_nothing(images: ImageSet) -> None:
    pool = scorer(images)
    assert list(pool.score([])) == []
    assert started(pool) == []


@pytest.mark.parametrize("workers", [0, 1, 2, 64])
def test_workers_and_threads_fit_the_cores(workers: int) -> None:
    count, threads = workers_and_threads(workers)
    cores = len(os.sched_getaffinity(0))
    assert count == (workers or cores)
    assert threads >= 1
    assert count * threads <= max(cores, count)


def test_scores_are_cached_and_shared_between_sets_of_proxies(
    images: ImageSet, tmp_path: Path
) -> None:
    cache = Cache(tmp_path / "cache.sqlite")
    first = list(scores(images, cache, ("params", "nwot")).of(TEXTS[:6]))
    both = list(scores(images, cache, ("nwot", "synflow")).of(TEXTS[:6]))
    third = scores(images, cache, ("params", "nwot", "synflow"))
    assert list(third.of(TEXTS[:6])) == [a | b for a, b in zip(first, both, strict=True)]
    assert started(third._scorer) == []  # all of it was known


def test_repeated_architectures_are_scored_once_and_stay_in_place(
    images: ImageSet, tmp_path: Path
) -> None:
    cache = Cache(tmp_path / "cache.sqlite")
    texts = [TEXTS[1], TEXTS[0], TEXTS[1]]
    found = list(scores(images, cache, NAMES).of(texts))
    assert found[0] == found[2] != found[1]


def test_every_value_is_kept_as_soon_as_it_is_known(images: ImageSet, tmp_path: Path) -> None:
    cache = Cache(tmp_path / "cache.sqlite")
    running = scores(images, cache, NAMES).of(TEXTS[:6])
    first = next(running)
    running.close()
    assert next(scores(images, cache, NAMES).of(TEXTS[:1])) == first
