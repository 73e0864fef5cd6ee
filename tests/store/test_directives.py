"""Directives in the store: appended by anybody in order, marked by the search, never rewritten."""

import sqlite3
from collections.abc import Iterator
from pathlib import Path

import pytest

from pelnas.architecture import Cost, Design, Refusal
from pelnas.config import SearchConfig
from pelnas.directives import Boundary, Effects, parse
from pelnas.errors import RunError
from pelnas.store import RunStore, sums
from pelnas.store.folder import DATABASE, HOLDER

BAN, PAUSE = parse("/ban none"), parse("/pause")
PLACE, LATER = Boundary(2, "design"), Boundary(4, "plan")


@pytest.fixture
def store(tmp_path: Path) -> Iterator[RunStore]:
    with RunStore.create(SearchConfig(output=tmp_path), "s") as run:
        yield run


def test_whoever_steers_needs_no_lock_and_sees_the_others(store: RunStore) -> None:
    with RunStore.steer(store.folder) as ann, RunStore.steer(store.folder) as bob:
        assert ann.append_directive(BAN, "ann", "no zeros", after=0) is not None
        assert bob.append_directive(PAUSE, "bob", "wait", after=0) is None  # ann was faster
        assert bob.append_directive(PAUSE, "bob", "wait", after=1) is not None
        assert ann.newest_directive() == store.newest_directive() == 2
        assert [(d.id, d.author, d.words, d.order) for d in store.directives()] == [
            ("d1", "ann", "no zeros", BAN),
            ("d2", "bob", "wait", PAUSE),
        ]
        assert [d.id for d in ann.directives(after=1)] == ["d2"]
        assert {d.status for d in ann.directives()} == {"pending"}


def test_the_last_mark_counts_and_the_first_says_when(store: RunStore) -> None:
    directive = store.append_directive(BAN, "ann", "")
    assert directive is not None
    store.mark_directive(directive, "active", PLACE)
    store.mark_directive(directive, "undone", LATER, "by d2")
    (found,) = store.directives()
    assert (found.status, found.effect, found.ended, found.reason) == (
        "undone",
        PLACE,
        LATER,
        "by d2",
    )


def test_nothing_that_was_asked_can_be_rewritten(store: RunStore) -> None:
    directive = store.append_directive(BAN, "ann", "no zeros")
    assert directive is not None
    store.mark_directive(directive, "active", PLACE)
    connection = sqlite3.connect(store.folder / DATABASE)
    sums.register(connection)
    for change in (
        "UPDATE directives SET command = '/pause'",
        "DELETE FROM directives",
        "UPDATE directive_marks SET status = 'refused'",
        "DELETE FROM directive_marks",
    ):
        with pytest.raises(sqlite3.IntegrityError, match="append-only"):
            connection.execute(change)
    connection.close()


def test_effects_are_counted_by_directive_and_niche(store: RunStore) -> None:
    store.append_directive(BAN, "ann", "")
    refusals = [Refusal("x", "m", "directive", "why", directive="d1")] * 2
    refusals.append(Refusal("y", "m", "malformed", "why"))
    store.replace_designs(0, 1, [Design("z", "m", "sample")], refusals)
    store.replace_avoided(0, 3, {"d1": 4, "d2": 9})
    store.replace_avoided(0, 3, {"d1": 5})  # a step that runs again
    store.replace_avoided(1, 3, {"d1": 1})
    (found,) = store.directives()
    assert found.effects == Effects(refused=2, avoided=6, niches=(1, 3))
    assert store.refusals()[0][2] == refusals[0]


def test_boundaries_costs_and_exhaustion_are_remembered(store: RunStore) -> None:
    store.pass_boundary(PLACE)
    store.pass_boundary(PLACE)
    assert store.boundaries() == {PLACE}
    assert store.measured("a") is None
    store.record_measured("a", Cost(1.5, 0.1, 3.0))
    store.record_measured("a", Cost(9.9))
    assert store.measured("a") == Cost(1.5, 0.1, 3.0)
    store.record_measured("b", Cost(1.5, 0.1, extrapolated=True))
    assert store.measured("b") == store.costs()["b"] == Cost(1.5, 0.1, extrapolated=True)
    store.record_exhausted(1, "/ban none")
    assert store.is_exhausted(1, "/ban none")
    assert not store.is_exhausted(2, "/ban none")
    assert not store.is_exhausted(1, "")


def test_only_a_run_of_this_computer_that_is_not_over_is_steered(store: RunStore) -> None:
    assert (store.folder / HOLDER).is_file()
    (store.folder / HOLDER).write_text("elsewhere")
    with pytest.raises(RunError, match="another computer, elsewhere"):
        RunStore.steer(store.folder)
    store.close()
    with RunStore.open(store.folder) as again:  # whoever goes on with it takes it over
        RunStore.steer(store.folder).close()
        again.finish("all rounds done")
    with pytest.raises(RunError, match=r"finished \(all rounds done\)"):
        RunStore.steer(store.folder)
