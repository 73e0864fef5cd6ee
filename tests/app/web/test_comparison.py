"""Runs beside each other: one scale where there is one, and who holds which rule."""

import pytest

from pelnas.app.web.comparison import Side, beside, shared
from pelnas.architecture import Candidate, Cost, Design, Evaluation, Prediction
from pelnas.predicate import parse_predicate
from pelnas.rules.rule import Rule, Scope

KIND = ("score", "toy", "toy10")


def side(*places: tuple[float, float], kind: tuple[str, ...] = KIND) -> Side:
    """A run with these (latency in ms, score)."""
    evaluations = [
        Evaluation(
            Candidate(f"r0n0c{slot}", 0, 0, slot, Design("a", "x", "sample")),
            Prediction(score, 0.0),
            Cost(latency),
            1,
            1.0,
        )
        for slot, (latency, score) in enumerate(places)
    ]
    return Side(evaluations, [], kind)


def test_the_hypervolume_is_taken_in_the_ranges_of_all() -> None:
    comparison = beside({"a": side((1, 0.5), (3, 1)), "b": side((2, 0.75), (1, 0))})
    assert comparison["together"]
    assert comparison["growth"]["a"]["hypervolume"][-1] == pytest.approx(
        0.5
    )  # whole width, half height
    assert comparison["growth"]["b"]["hypervolume"][-1] == pytest.approx(0.375)  # half width


def test_other_units_devices_and_data_sets_share_no_scale() -> None:
    for kind in (("accuracy", "toy", "toy10"), ("score", "host", "toy10"), ("score", "toy", "b")):
        comparison = beside({"a": side((1, 0.5), (3, 1)), "b": side((20, 75), (10, 0), kind=kind)})
        assert not comparison["together"]
        assert comparison["growth"]["b"]["hypervolume"][-1] == 0  # neither corner of its own ranges


def test_runs_without_an_evaluation_are_compared_too() -> None:
    assert beside({}) == {"together": True, "growth": {}, "rules": []}
    comparison = beside({"a": side(), "b": side((1, 1))})
    assert comparison["growth"]["a"] == {"evaluations": [], "hypervolume": []}


def test_rules_in_force_somewhere_are_told_of_every_run() -> None:
    scope = Scope("tiny", "toy", "toy10")

    def rule(text: str, status: str, measured: float | None = None) -> Rule:
        claim = parse_predicate(text)
        return Rule(text, text, "helps", "accuracy", claim, scope, measured=measured, status=status)  # type: ignore[arg-type]

    rows = shared(
        {
            "a": [rule("none >= 1", "in-force", 0.9), rule("paths >= 1", "in-force", 0.3)],
            "b": [rule("paths >= 1", "in-force", 0.4), rule("none >= 2", "weakened", 0.8)],
        }
    )
    assert [row["id"] for row in rows] == ["paths >= 1", "none >= 1"]  # what they agree on first
    assert rows[0]["claim"] == "paths >= 1 helps accuracy"
    assert rows[0]["verdicts"]["b"] == {"status": "in-force", "measured": 0.4, "error": None}
    assert rows[1]["verdicts"]["b"] is None
