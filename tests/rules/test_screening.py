"""What screening finds, and what it must not."""

import numpy as np
import pytest

from pelnas.rules.evidence import Evidence, Observation
from pelnas.rules.screening import FAMILY, in_words, screen
from pelnas.spaces.tiny import Tiny

SPACE = Tiny()


def observe(rng: np.random.Generator, count: int, gain: float = 0.0) -> list[Observation]:
    """Random cells; noise as score, plus ``gain`` where the last edge is a pooling."""
    made = []
    for k in range(count):
        features = SPACE.features(SPACE.sample(rng))
        niche = next(i for i, (_, p) in enumerate(SPACE.complexity_niches) if p.holds(features))
        bonus = gain * features.get("avg_pool_3x3@1->2", 0.0)
        made.append(Observation(f"c{k}", niche, features, rng.normal() + bonus, 1 + rng.random()))
    return made


def predicates(observations: list[Observation], names: list[str], limit: int = 8) -> list[str]:
    found = screen(Evidence(observations), names, "accuracy", None, limit)
    return [str(finding.predicate) for finding in found]


def test_a_planted_effect_comes_first() -> None:
    observations = observe(np.random.default_rng(0), 200, gain=2.0)
    assert predicates(observations, sorted(SPACE.feature_names))[0] == "avg_pool_3x3@1->2 == 1"


def test_a_planted_conjunction_is_found() -> None:
    rng = np.random.default_rng(1)
    features = [{"a": float(rng.integers(3)), "b": float(rng.integers(3))} for _ in range(300)]
    observations = [
        Observation(f"c{k}", 0, f, rng.normal() + 2 * (f["a"] >= 1 and f["b"] == 0), 1.0)
        for k, f in enumerate(features)
    ]
    assert predicates(observations, ["a", "b"])[0] == "a >= 1 and b == 0"


def test_a_condition_that_adds_nothing_is_left_out() -> None:
    rng = np.random.default_rng(7)
    features = [{"a": float(rng.integers(2)), "b": float(rng.integers(2))} for _ in range(300)]
    observations = [
        Observation(f"c{k}", 0, f, rng.normal() + 3 * f["a"] + 0.3 * f["b"], 1.0)
        for k, f in enumerate(features)
    ]
    assert predicates(observations, ["a", "b"]) == ["a >= 1"]


def test_order_of_observations_and_names_makes_no_difference() -> None:
    observations = observe(np.random.default_rng(2), 150, gain=1.5)
    names = sorted(SPACE.feature_names)
    assert predicates(observations, names) == predicates(observations[::-1], names[::-1])


def test_limit_and_no_repetition() -> None:
    rng = np.random.default_rng(3)
    observations = [
        Observation(
            f"c{k}", 0, {"a": float(k % 2), "same": float(k % 2)}, k % 2 + rng.random(), 1.0
        )
        for k in range(60)
    ]
    assert predicates(observations, ["a", "same"]) == ["a >= 1"]
    assert predicates(observations, ["a", "same"], limit=0) == []


def test_noise_seldom_yields_anything() -> None:
    """At most one screening in twenty: 100 of them, with three standard errors of room."""
    rng = np.random.default_rng(4)
    names = sorted(SPACE.feature_names)
    alarms = sum(bool(predicates(observe(rng, 120), names)) for _ in range(100))
    assert alarms <= 100 * FAMILY + 3 * (100 * FAMILY * (1 - FAMILY)) ** 0.5


def test_many_valued_features_get_thresholds_that_can_be_written() -> None:
    rng = np.random.default_rng(5)
    flops = rng.uniform(1e7, 2e8, 200)
    observations = [
        Observation(f"c{k}", 0, {"flops": value}, value + rng.normal(), 1.0)
        for k, value in enumerate(flops)
    ]
    for finding in screen(Evidence(observations), ["flops"], "accuracy", None, 4):
        (condition,) = finding.predicate.conditions
        assert float(f"{condition.value:g}") == condition.value


@pytest.mark.parametrize("count", [0, 1, 9])
def test_too_little_evidence_yields_nothing(count: int) -> None:
    assert predicates(observe(np.random.default_rng(6), count, gain=9.0), ["avg_pool_3x3"]) == []


def test_one_niche_is_screened_alone() -> None:
    observations = [
        Observation(f"c{niche}{k}", niche, {"a": float(k % 2)}, float(k % 2) * niche + k / 100, 1.0)
        for niche in (0, 1)
        for k in range(40)
    ]
    evidence = Evidence(observations)
    assert screen(evidence, ["a"], "accuracy", 0, 4) == []
    (finding,) = screen(evidence, ["a"], "accuracy", 1, 4)
    assert finding.effect == 1
    assert in_words(finding, "accuracy") == (
        "Networks with some a are more accurate than others of their niche."
    )
