"""Many networks are exported by several processes, to the same files."""

from pathlib import Path

import pytest

from pelnas.architecture import Shape
from pelnas.cache import Cache
from pelnas.runtimes import exports
from pelnas.runtimes.deployed import Deployed
from pelnas.runtimes.exports import FEW, export_all
from pelnas.spaces import get_space
from pelnas.spaces.tiny import Tiny

SHAPE = Shape.square(10, 8)


def networks(space: Tiny, count: int) -> list[Deployed]:
    return [Deployed(space, space.at(place), SHAPE) for place in range(count)]


@pytest.fixture
def caches(tmp_path: Path) -> tuple[Cache, Cache]:
    return Cache(tmp_path / "one.sqlite"), Cache(tmp_path / "two.sqlite")


@pytest.fixture(autouse=True)
def two_cores(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(exports, "cores", lambda: 2)


def test_files_of_another_process_are_the_same(caches: tuple[Cache, Cache]) -> None:
    found, wanted = caches
    many = networks(Tiny(), FEW + 1)
    export_all(many, found)
    assert all(each.is_kept(found) for each in many)
    share = many[1::2]  # what this process did not export
    assert [each.measurable(found) for each in share] == [each.measurable(wanted) for each in share]


def test_few_networks_start_no_process(
    caches: tuple[Cache, Cache], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(exports, "_started", lambda *_: pytest.fail("a process for few networks"))
    few = networks(Tiny(), FEW)
    export_all(few, caches[0])
    assert not any(each.is_kept(caches[0]) for each in few)


def test_a_space_that_another_process_would_not_find_is_left_alone(
    caches: tuple[Cache, Cache], monkeypatch: pytest.MonkeyPatch
) -> None:
    class Other(Tiny):
        """Of the same name, and not the registered one."""

    monkeypatch.setattr(exports, "_started", lambda *_: pytest.fail("a process for another space"))
    export_all(networks(Other(), FEW + 1), caches[0])


def test_a_process_that_fails_leaves_its_share_to_later(
    caches: tuple[Cache, Cache], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("sys.executable", "/bin/false")
    cache, many = caches[0], networks(get_space("tiny"), FEW + 1)  # type: ignore[arg-type]
    export_all(many, cache)
    assert [each.is_kept(cache) for each in many] == [n % 2 == 0 for n in range(len(many))]
