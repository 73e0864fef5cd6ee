"""What happens to a run beside a conversation is told once, whoever tells it."""

import shutil
from collections.abc import Callable
from pathlib import Path

import pytest

from pelnas.directives import Boundary
from pelnas.graph.chat.console import Talk
from pelnas.graph.chat.notifications import LOOKS, Watch
from pelnas.store import RunStore


@pytest.fixture
def begun(begin: Callable[..., Path]) -> Path:
    """The folder of a run that nobody works on."""
    return begin()


def looks(watch: Watch) -> list[str]:
    """Everything told by so many looks that one of them asked whether a process is there."""
    return [line for _ in range(LOOKS) for line in watch.look()[0]]


def decide(folder: Path, number: int) -> None:
    """As a search does."""
    with RunStore.open(folder) as store:
        directive = store.directives()[number - 1]
        store.mark_directive(directive, "active", Boundary(0, "design"))
        store.event("directive", span="run", directive=directive.id, status="active")


def give(talk: Talk, order: str) -> None:
    talk.say(order)
    talk.say("yes")


def test_a_search_that_dies_is_missed_and_one_that_ends_is_not(begun: Path) -> None:
    for ending, expected in (("", ["nobody works on"]), ("run-stopped", ["was stopped"])):
        held = RunStore.open(begun)
        watch = Watch(RunStore.read(begun))
        assert looks(watch) == []
        if ending:
            held.event(ending, span="run")
        held.close()
        found = looks(watch)
        assert len(found) == 1
        assert expected[0] in found[0]
        assert looks(watch) == []
        watch.close()


def test_what_happened_before_is_no_news_and_what_is_told_is_told_once(begun: Path) -> None:
    with RunStore.open(begun) as store:
        store.event("paused", span="run", directive="d1", author="bob")
        watch = Watch(RunStore.read(begun))
        assert watch.look() == ([], set())
        for kind in ("tool-begun", "unpaused", "unpaused"):
            store.event(kind, span="run")
        assert watch.look() == ([f"the search of {begun.name} goes on"], set())
        assert watch.look() == ([], set())
        watch.close()


def test_news_of_an_order_are_told_by_the_watch_or_by_the_answer_never_by_both(
    begun: Path,
) -> None:
    talk = Talk(begun.parent, begun.name, "ann")
    assert talk.news() == []
    give(talk, "/ban avg_pool_3x3")
    give(talk, "/rounds 4")
    assert talk.news() == []
    decide(begun, 1)
    (news,) = talk.news()
    assert news.startswith("d1 took effect in round 1 at design")
    assert talk.news() == []
    decide(begun, 2)
    first, _ = talk.say("/front")
    assert first.startswith("d2 took effect")
    assert talk.news() == []
    assert len(talk.say("/front")) == 1
    talk.close()


def test_a_decision_before_the_first_look_is_told(begun: Path) -> None:
    talk = Talk(begun.parent, begun.name, "ann")
    give(talk, "/ban avg_pool_3x3")
    decide(begun, 1)
    assert [line.split(":")[0] for line in talk.news()] == ["d1 took effect in round 1 at design"]
    talk.close()


def test_the_orders_of_others_are_not_news(begun: Path) -> None:
    ann, bob = (Talk(begun.parent, begun.name, name) for name in ("ann", "bob"))
    assert ann.news() == bob.news() == []
    give(bob, "/ban avg_pool_3x3")
    decide(begun, 1)
    assert ann.news() == []
    assert len(bob.news()) == 1
    ann.close()
    bob.close()


def test_an_order_for_a_run_that_was_left_is_told_as_well(begun: Path, tmp_path: Path) -> None:
    other = Path(shutil.copytree(begun, begun.parent / "other"))
    talk = Talk(begun.parent, begun.name, "ann")
    give(talk, "/ban avg_pool_3x3")
    talk.say(f"/use {other.name}")
    assert talk.run == other.name
    assert talk.news() == []
    with RunStore.open(begun) as store:
        store.event("unpaused", span="run")
    decide(begun, 1)
    (news,) = talk.news()
    assert news.startswith("d1 took effect"), "and not what else happens to the run that was left"
    talk.close()


def test_a_run_that_is_gone_is_no_news(begun: Path) -> None:
    talk = Talk(begun.parent, begun.name, "ann")
    give(talk, "/ban avg_pool_3x3")
    shutil.rmtree(begun)
    assert talk.news() == []
    assert "there is no run" in talk.say("/status")[0]
    talk.close()
