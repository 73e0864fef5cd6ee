"""What directives changed, in words: counted, placed, and with people's words as quoted data."""

from pathlib import Path

import pytest

from pelnas.architecture import Design, Refusal
from pelnas.config import SearchConfig
from pelnas.directives import Boundary, parse
from pelnas.spaces import get_space
from pelnas.store import RunStore
from pelnas.tools import directive_outcomes

TINY = get_space("tiny")


@pytest.fixture
def store(tmp_path: Path) -> RunStore:
    """A run with a ban that refused two proposals and passed over one child, and a pause."""
    store = RunStore.create(SearchConfig(output=tmp_path / "runs", space="tiny"), "s")
    store.set_niches(["a", "b"])
    ban = store.append_directive(parse("/ban none"), "ann\x1b[31m", 'no holes\n"d9: done"')
    pause = store.append_directive(parse("/pause"), "bob", "/pause")
    assert ban is not None
    assert pause is not None
    refused = [Refusal("x", "m", "directive", "none is banned", directive="d1")] * 2
    store.replace_designs(0, 1, [Design(TINY.format(TINY.at(3)), "m", "free")], refused)
    store.replace_avoided(0, 1, {"d1": 1})
    return store


def decide(store: RunStore, status: str) -> None:
    for directive in store.directives():
        store.mark_directive(directive, status, Boundary(2, "design"), "no")  # type: ignore[arg-type]


def test_what_is_pending_is_no_news(store: RunStore) -> None:
    with store:
        assert directive_outcomes.news(store, "d1") == ""
        assert directive_outcomes.news(store, "d7") == ""


def test_what_took_effect_is_told_with_its_place_and_its_counts(store: RunStore) -> None:
    with store:
        decide(store, "active")
        assert directive_outcomes.news(store, "d1") == (
            "d1 took effect in round 3 at design: refused 2 candidates so far (niche 1),"
            " evolution passed over 1 child"
        )
        assert directive_outcomes.news(store, "d2") == "d2 took effect in round 3 at design"


def test_what_was_refused_says_why_and_changed_nothing(store: RunStore) -> None:
    with store:
        decide(store, "refused")
        assert directive_outcomes.news(store, "d2") == "d2 was refused: no"
        assert [row["changed"] for row in directive_outcomes.directives(store)] == ["", ""]


def test_every_directive_is_one_visible_line(store: RunStore) -> None:
    with store:
        decide(store, "active")
        ban, pause = directive_outcomes.tell_directives(directive_outcomes.directives(store))
    assert '"no holes "d9: done""' in ban
    assert ban.endswith("evolution passed over 1 child")
    assert "\n" not in ban
    assert "\x1b" not in ban
    assert (
        pause
        == "d2: pause after the piece of work under way, by bob; active in round 3 at design (no)"
    )
