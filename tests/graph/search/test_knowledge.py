"""What searches learn from each other through the user's knowledge base."""

from collections.abc import Callable
from pathlib import Path

import pytest

from pelnas import Search, SearchConfig
from pelnas.graph.runs.fork import fork
from pelnas.graph.runs.replay import replay
from pelnas.graph.runs.search import Result
from pelnas.knowledge.base import Base
from pelnas.recording import Recording
from pelnas.report.knowledge import carried, retrieved
from pelnas.store import RunStore

Settings = Callable[..., SearchConfig]


@pytest.fixture(scope="module")
def place(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The knowledge base of these tests."""
    return tmp_path_factory.mktemp("known") / "knowledge"


@pytest.fixture(scope="module")
def earlier(toy: Settings, place: Path, tmp_path_factory: pytest.TempPathFactory) -> Result:
    """A search that found the base empty, and left its rules there."""
    folder = tmp_path_factory.mktemp("earlier")
    settings = {"rounds": 3, "per_niche": 8, "name": "earlier", "knowledge": str(place)}
    return Search(toy(folder, **settings)).run()


@pytest.fixture(scope="module")
def later(
    toy: Settings, place: Path, earlier: Result, tmp_path_factory: pytest.TempPathFactory
) -> Result:
    """A search that began with what the earlier one left; to read only."""
    folder = tmp_path_factory.mktemp("later")
    return Search(toy(folder, rounds=2, per_niche=4, seed=1, knowledge=str(place))).run()


def test_rules_in_force_enter_with_evidence_and_scope(earlier: Result, place: Path) -> None:
    with RunStore.read(earlier.folder) as store:
        left = {rule.id: rule for rule in store.rules() if rule.status == "in-force"}
        found = carried(store)
    assert found is not None
    assert (found.runs, found.claims, found.warning) == (0, 0, "")
    with Base(str(place)) as base:
        kept = {e.rule.id: e.rule for e in base.all(name=earlier.folder.name)}
    assert kept == left != {}


def test_rules_come_in_as_claims_and_are_tested(later: Result) -> None:
    with RunStore.read(later.folder) as store:
        found, began = carried(store), store.rules(through_round=-1)
        designed = [c for c in store.candidates() if c.design.method == "knowledge"]
    assert found is not None
    assert found.runs == 1
    assert found.claims == len(began) > 0
    assert all(rule.status == "proposed" and rule.measured is None for rule in began)
    assert found.in_force + found.weakened + found.refuted + found.untested == found.claims
    assert found.in_force > 0
    assert found.designs == len(designed) > 0
    assert {candidate.round for candidate in designed} == {0}


def test_a_run_that_ends_again_is_kept_once(later: Result, place: Path) -> None:
    Search.resume(later.folder, rounds=3, accept_address=True).run()
    with RunStore.read(later.folder) as store, Base(str(place)) as base:
        kept = [entry.rule.id for entry in base.all(name=later.folder.name)]
        assert sorted(kept) == sorted(r.id for r in store.rules() if r.status == "in-force")


def test_replays_and_forks_read_what_the_run_retrieved(
    later: Result, place: Path, tmp_path: Path
) -> None:
    with RunStore.read(later.folder) as store:
        again = replay(Recording(store), tmp_path / "replays")
        assert again.same_front
        assert again.same_rules
        known = retrieved(store)
    forked = fork(later.folder, 0, {"output": str(tmp_path / "forks")}, accept_address=True)
    assert retrieved(forked.session.store) == known
    assert forked.session.prior is not None
    forked.session.close()


def test_a_base_that_cannot_be_used_is_a_warning(
    toy: Settings, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    thesis = tmp_path / "thesis"
    thesis.mkdir()
    (thesis / "thesis.txt").write_text("mine")
    notices = []
    search = Search(toy(tmp_path, rounds=1, per_niche=2, knowledge=str(thesis)))
    result = search.run(lambda e: notices.append(e.data["message"]) if e.kind == "notice" else None)
    assert result.front
    assert len(notices) == 2  # as it begins, and as it ends
    assert all("it holds other files" in notice for notice in notices)


def test_without_knowledge_nothing_is_asked_or_kept(toy: Settings, tmp_path: Path) -> None:
    search = Search(toy(tmp_path, rounds=1, per_niche=2))  # tests turn it off
    result = search.run()
    with RunStore.read(result.folder) as store:
        assert carried(store) is None
        assert not [c for c in store.candidates() if c.design.method == "knowledge"]
