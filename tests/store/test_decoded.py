"""What the holder of a run has decoded before is what a reader finds in the database now."""

from contextlib import suppress
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from pelnas.architecture import Cost, Design, Prediction, candidate_id
from pelnas.config import SearchConfig
from pelnas.predicate import parse_predicate
from pelnas.rules.rule import Rule, Scope, propose
from pelnas.store import RunStore

PLACES = [(round_, niche) for round_ in range(3) for niche in range(2)]
STEPS = st.one_of(
    st.tuples(st.just("design"), st.sampled_from(PLACES), st.integers(0, 3), st.integers(0, 1)),
    st.tuples(st.just("score"), st.sampled_from(PLACES), st.integers(0, 2)),
    st.tuples(st.just("cost"), st.sampled_from(PLACES), st.integers(0, 2)),
    st.tuples(st.just("learn"), st.integers(-1, 3), st.integers(0, 3)),
)


class CutError(Exception):
    """Something fails within a transaction."""


def take(store: RunStore, step: tuple[object, ...]) -> None:
    """One write of a search, or of one that runs again; what there is no design for is left out."""
    match step:
        case "design", (int(round_), int(niche)), int(count), int(kind):
            designs = [Design(f"|{kind}{slot}|", "x:y", "sample") for slot in range(count)]
            store.replace_designs(round_, niche, designs, ())
        case "learn", int(round_), int(count):
            store.replace_rules(round_, [rule(k, round_) for k in range(count)])
        case kind, (int(round_), int(niche)), int(slot):
            known = {c.id for c in store.candidates()}
            id_ = candidate_id(round_, niche, slot)
            if id_ in known and kind == "score":
                store.record_prediction(id_, Prediction(1.0 + slot, 0.0), 10, 20.0)
            elif id_ in known:
                store.record_cost(id_, Cost(2.0 + slot))


def rule(number: int, round_: int) -> Rule:
    predicate = parse_predicate(f"a >= {number}")
    return propose("x", "helps", "accuracy", predicate, Scope("s", "d", "t"), claimed=round_ / 8)


def assert_same(store: RunStore) -> None:
    with RunStore.read(store.folder) as found:
        assert store.candidates() == found.candidates()
        assert store.evaluations() == found.evaluations()
        assert store.evaluations(through_round=1) == found.evaluations(through_round=1)
        assert store.rules() == found.rules()
        for round_, niche in PLACES:
            assert store.candidates(round_, niche) == found.candidates(round_, niche)
            assert store.rules(round_) == found.rules(round_)


@settings(max_examples=25, deadline=None)
@given(steps=st.lists(st.tuples(STEPS, st.sampled_from(["kept", "cut", "killed"])), max_size=12))
def test_it_follows_every_write_also_those_taken_back(
    steps: list[tuple[tuple[object, ...], str]], tmp_path_factory: pytest.TempPathFactory
) -> None:
    output = tmp_path_factory.mktemp("decoded")
    store = RunStore.create(SearchConfig(name="run", output=output), "20260101-000000")
    try:
        for step, end in steps:
            if end == "cut":
                with suppress(CutError), store.together():
                    take(store, step)
                    store.candidates(), store.evaluations(), store.rules()
                    raise CutError
            else:
                take(store, step)
            if end == "killed":  # as the next process finds it
                store.close()
                store = RunStore.open(store.folder)
            assert_same(store)
    finally:
        store.close()


def test_what_is_whole_is_decoded_once(tmp_path: Path) -> None:
    config = SearchConfig(name="run", output=tmp_path)
    with RunStore.create(config, "20260101-000000") as store:
        for round_, niche in PLACES:
            take(store, ("design", (round_, niche), 1, 0))
            take(store, ("score", (round_, niche), 0))
            take(store, ("cost", (round_, niche), 0))
        before = store.evaluations()
        take(store, ("design", (2, 1), 2, 1))
        assert [a is b for a, b in zip(store.evaluations(), before, strict=False)] == [True] * 5
