"""Two runs side by side, by the definitions of what is compared."""

import json
from itertools import pairwise
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from pelnas import Search, SearchConfig
from pelnas.config import Budget
from pelnas.predicate import Condition, Predicate
from pelnas.report.difference import (
    Asked,
    Seen,
    asked_differently,
    claim_changes,
    difference,
    incomparable,
    members,
    volumes,
)
from pelnas.report.two_fronts import render_two
from pelnas.rules.rule import Rule, Scope, propose
from pelnas.store import RunStore

FINITE = st.floats(0, 100)
TEXTS = st.sampled_from("abcdefgh")
SEEN = st.dictionaries(
    TEXTS, st.builds(Seen, FINITE | st.just(float("inf")), FINITE, st.booleans())
)


def claim(text: str, least: float, device: str = "toy", **changes: Any) -> Rule:
    predicate = Predicate((Condition("none", ">=", least),))
    rule = propose(text, "helps", "latency", predicate, Scope("tiny", device, "toy10"))
    return Rule.from_dict(rule.to_dict() | changes)


# -- fronts ---------------------------------------------------------------------------


def test_members_are_on_either_front_and_told_with_what_both_runs_know() -> None:
    a = {"x": Seen(3, 1, True), "y": Seen(1, 1, True), "z": Seen(2, 0, False)}
    b = {"x": Seen(4, 2, True), "z": Seen(2, 5, True), "w": Seen(9, 0, False)}
    found = members(a, b)
    assert [(m.architecture, m.where) for m in found] == [("z", "b"), ("y", "a"), ("x", "both")]
    assert (found[0].a, found[0].b) == (a["z"], b["z"])
    assert found[1].b is None


@given(SEEN, SEEN)
def test_every_point_of_a_front_is_a_member_once(a: dict[str, Seen], b: dict[str, Seen]) -> None:
    found = members(a, b)
    fronts = [{text for text, seen in run.items() if seen.on_front} for run in (a, b)]
    assert sorted(m.architecture for m in found) == sorted(fronts[0] | fronts[1])
    for member in found:
        on = [member.architecture in front for front in fronts]
        assert (
            member.where
            == {(True, True): "both", (True, False): "a", (False, True): "b"}[tuple(on)]
        )
    mirrored = {m.architecture: (m.b, m.a) for m in members(b, a)}
    assert mirrored == {m.architecture: (m.a, m.b) for m in found}


def test_hypervolumes_are_areas_in_the_ranges_of_both() -> None:
    """Latencies from 0 to 10, scores from 0 to 4: (5, 4) covers half, (0, 1) a quarter."""
    worst = {"slow": Seen(10, 0, False), "broken": Seen(float("inf"), 9, False)}
    assert volumes({"x": Seen(5, 4, True)} | worst, {"y": Seen(0, 1, True)}) == (0.5, 0.25)
    assert volumes({}, {}) == (0.0, 0.0)
    assert volumes({"x": Seen(1, 1, False)}, {})[1] == 0


@given(SEEN, SEEN)
def test_hypervolumes_do_not_hang_on_the_order_of_runs(
    a: dict[str, Seen], b: dict[str, Seen]
) -> None:
    one, other = volumes(a, b)
    assert (other, one) == volumes(b, a)
    assert 0 <= one <= 1


# -- rules and directives -----------------------------------------------------------------


def test_claims_are_compared_whatever_device_they_are_about() -> None:
    same, gone, new = claim("same", 1), claim("gone", 2), claim("new", 3)
    elsewhere = claim("same", 1, device="other")
    assert elsewhere.id != same.id
    changes = claim_changes([gone], [new])
    assert [(c.text, c.a is None, c.b is None) for c in changes] == [
        ("gone", False, True),
        ("new", True, False),
    ]
    stronger = claim("same", 1, status="in-force", measured=0.4, error=0.1, support=9)
    (change,) = claim_changes([same], [stronger])
    assert change.a is not None
    assert change.b is not None
    assert (change.a.status, change.b.status, change.b.measured) == ("proposed", "in-force", 0.4)
    assert change.claim == "none >= 1 helps latency"
    assert claim_changes([same, gone], [gone, same]) == []


def test_directives_are_matched_by_words_and_turn() -> None:
    a = [("/ban none", "ann", "active"), ("/pause", "ann", "active"), ("/pause", "ann", "active")]
    b = [
        ("/ban none", "ann", "undone"),
        ("/pause", "ann", "active"),
        ("/rounds 3", "bob", "active"),
    ]
    assert asked_differently(a, b) == [
        Asked("/ban none", "ann", "active", "undone"),
        Asked("/pause", "ann", "active", None),
        Asked("/rounds 3", "bob", None, "active"),
    ]


# -- whole runs ---------------------------------------------------------------------------


def run(tmp_path: Path, tables: Path, **changes: Any) -> Path:
    values: dict[str, Any] = {
        "space": "tiny",
        "device": "toy",
        "dataset": "toy10",
        "data": tables,
        "accuracy": "table",
        "rounds": 2,
        "per_niche": 4,
        "output": tmp_path / "runs",
    }
    return Search(SearchConfig(**(values | changes))).run().folder


def test_a_run_beside_itself_has_no_difference(tmp_path: Path, tiny_tables: Path) -> None:
    folder = run(tmp_path, tiny_tables)
    with RunStore.read(folder) as a, RunStore.read(folder) as b:
        found = difference(a, b)
    assert (found.settings, found.rules, found.directives) == ({}, (), ())
    assert {member.where for member in found.front} == {"both"}
    assert all(member.a == member.b for member in found.front)
    assert found.hypervolume is not None
    assert found.hypervolume[0] == found.hypervolume[1] > 0
    assert found.spend[0] == found.spend[1]


def test_two_runs(tmp_path: Path, tiny_tables: Path) -> None:
    folders = [
        run(tmp_path, tiny_tables),
        run(tmp_path, tiny_tables, seed=5, rounds=3, budget=Budget(evaluations=30)),
    ]
    with RunStore.read(folders[0]) as a, RunStore.read(folders[1]) as b:
        found = difference(a, b)
        assert found.settings == {
            "seed": (0, 5),
            "rounds": (2, 3),
            "budget.evaluations": (None, 30),
        }
        assert [spend.own.evaluations for spend in found.spend] == [24, 30]
        assert [(s.scores, s.shared_scores) for s in found.spend] == [(24, 0), (30, 0)]
        everything = [e for store in (a, b) for e in store.evaluations()]
        assert found.hypervolume is not None
        for store, volume in zip((a, b), found.hypervolume, strict=True):
            assert volume == pytest.approx(_area(store, everything))
        picture = render_two(a, b)
        assert picture.startswith(b"\x89PNG")
    document = json.loads(json.dumps(found.to_dict()))
    assert document["settings"]["seed"] == [0, 5]
    assert {member["where"] for member in document["front"]} <= {"a", "b", "both"}


def _area(store: RunStore, everything: list[Any]) -> float:
    """By adding up thin columns: in each, the best score at that latency or below."""
    latency, score = (
        np.array([getattr(e, name) for e in everything]) for name in ("latency_ms", "score")
    )
    columns = np.unique(latency)
    own = [(e.latency_ms, e.score) for e in store.evaluations()]
    area = 0.0
    for left, right in pairwise(columns):
        best = max((s for ms, s in own if ms <= left), default=score.min())
        area += (right - left) * (best - score.min())
    return float(area / ((latency.max() - latency.min()) * (score.max() - score.min())))


def test_why_two_runs_have_no_common_scale(tmp_path: Path, tiny_tables: Path) -> None:
    truth = run(tmp_path, tiny_tables, rounds=1)
    measured = run(tmp_path, tiny_tables, rounds=1, per_niche=1, device="host")
    with RunStore.read(truth) as a, RunStore.read(measured) as b:
        assert incomparable(a, a) == ""
        assert incomparable(a, b) == "the devices differ: toy and host"
        found = difference(a, b)
        assert (found.hypervolume, found.incomparable) == (None, "the devices differ: toy and host")
        assert render_two(a, b).startswith(b"\x89PNG")
