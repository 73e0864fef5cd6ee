"""Which claims come in, how strongly, and what they let expect. Pure."""

from dataclasses import replace

import numpy as np
import pytest

from pelnas.architecture import Cost, Prediction, Shape
from pelnas.inputs.quantities import Metric
from pelnas.knowledge.base import Entry, Near
from pelnas.knowledge.place import (
    REFERENCES,
    Place,
    dataset_ranks,
    device_ranks,
    references,
    similarity,
)
from pelnas.knowledge.prior import Prior
from pelnas.knowledge.transfer import MOST, Claim, claims, weight_of
from pelnas.partition import partition_by_operations
from pelnas.predicate import parse_predicate
from pelnas.rules.rule import Polarity, Scope, propose
from pelnas.spaces import get_space

SPACE = get_space("tiny")
PARTITION = partition_by_operations(SPACE, Shape(10, 32, 32, 3))
HERE = Place("tiny", "here", "digits", (1.0,), ())
NICHES = [niche.label for niche in PARTITION.niches]
LIKE, UNLIKE = Near("like", "a", "digits", 0.99, None), Near("unlike", "b", "photos", 0.2, None)


def entry(
    run: str,
    predicate: str,
    effect: float,
    *,
    metric: Metric = "latency",
    polarity: Polarity = "helps",
    niche: str = "",
) -> Entry:
    scope = Scope("tiny", run, "digits")
    rule = propose(predicate, polarity, metric, parse_predicate(predicate), scope)
    rule = replace(rule, status="in-force", measured=effect, error=0.1)
    return Entry(f"{run}:{rule.id}", run, run, niche, rule)


def carried(*entries: Entry) -> list[Claim]:
    known = PARTITION.feature_names
    return claims(entries, [LIKE, UNLIKE], HERE, NICHES, known, ("accuracy", "latency"))


def test_references_are_the_same_everywhere_and_differ() -> None:
    drawn = references(SPACE)
    assert drawn == references(get_space("tiny"))
    assert len(set(drawn)) == len(drawn) == REFERENCES


def test_descriptors_compare_ranks_alone() -> None:
    one = device_ranks([Cost(float(ms)) for ms in range(REFERENCES)])
    other = device_ranks([Cost(float(ms) ** 3 + 1) for ms in range(REFERENCES)])
    back = device_ranks([Cost(float(-ms)) for ms in range(REFERENCES)])
    assert similarity(one, other) == pytest.approx(1)
    assert similarity(one, back) == pytest.approx(-1)
    assert similarity(one, ()) is None


def test_a_network_that_cannot_run_ranks_last() -> None:
    costs = [Cost(None), *(Cost(float(ms)) for ms in range(1, REFERENCES))]
    assert np.argmax(device_ranks(costs)) == 0


def test_a_data_set_without_proxies_is_unknown() -> None:
    assert dataset_ranks([Prediction(float(n)) for n in range(REFERENCES)]) == ()
    found = dataset_ranks([Prediction(0.0, 0.0, {"p": float(n)}) for n in range(REFERENCES)])
    assert np.all(np.diff(found) > 0)


def test_a_cost_counts_by_the_device_and_accuracy_by_the_data_set() -> None:
    assert weight_of("latency", LIKE, HERE) == pytest.approx(np.exp(-0.1))
    assert weight_of("latency", UNLIKE, HERE) < 0.001
    assert weight_of("accuracy", LIKE, HERE) == 1.0  # of the same name
    assert weight_of("accuracy", UNLIKE, HERE) == 0.5
    assert weight_of("size", UNLIKE, HERE) == 1.0


def test_what_devices_of_another_kind_say_of_latency_is_left_out() -> None:
    assert carried(entry("unlike", "depth >= 2", 0.9)) == []
    (claim,) = carried(entry("unlike", "depth >= 2", 0.9, metric="accuracy"))
    assert claim.weight == 0.5


def test_runs_that_disagree_are_averaged() -> None:
    (claim,) = carried(
        entry("like", "depth >= 2", 0.9, metric="accuracy"),
        entry("unlike", "depth >= 2", 0.6, metric="accuracy", polarity="hurts"),
    )
    assert claim.rule.claimed == pytest.approx((0.9 - 0.5 * 0.6) / 1.5)
    assert claim.rule.polarity == "helps"
    assert claim.rule.status == "proposed"
    assert claim.rule.measured is None
    assert claim.rule.scope == Scope("tiny", "here", "digits")
    assert "in force for like, digits; unlike, digits" in claim.rule.origin


def test_claims_are_few_and_the_strongest_come_first() -> None:
    many = [entry("like", f"mflops >= {n + 1}", n / 20) for n in range(20)]
    found = carried(*many)
    assert len(found) == MOST
    strongest = sorted((n / 20 for n in range(12, 20)), reverse=True)
    assert [claim.rule.claimed for claim in found] == pytest.approx(strongest)


@pytest.mark.parametrize(
    "useless",
    [
        entry("like", "wings >= 2", 0.9),
        entry("like", "depth >= 2", 5.0),
        entry("like", "depth >= 2", float("nan")),
        entry("like", "depth >= 2", 0.9, niche="no such niche"),
        entry("like", "depth >= 2", 0.9, metric="energy"),
        entry("stranger", "depth >= 2", 0.9),
    ],
)
def test_what_cannot_be_tested_here_is_left_out(useless: Entry) -> None:
    assert carried(useless) == []


def test_the_expectation_follows_the_claims() -> None:
    found = carried(
        entry("like", "nor_conv_1x1 >= 1", 0.8, metric="accuracy"),
        entry("like", "skip_connect >= 1", 0.5),
    )
    niche = max(range(len(PARTITION.niches)), key=lambda k: len(PARTITION.members[k]))
    members = PARTITION.members[niche]
    accuracy, latency = Prior(PARTITION, found).expected(niche, members, ("accuracy", "latency")).T
    features = [PARTITION.features(each) for each in members]
    deep = np.array([each["nor_conv_1x1"] >= 1 for each in features])
    skips = np.array([each["skip_connect"] >= 1 for each in features])
    assert accuracy[deep].min() > accuracy[~deep].max()
    assert latency[skips].min() > latency[~skips].max()


def test_two_claims_that_say_the_same_count_once() -> None:
    one = carried(entry("like", "depth >= 2", 0.8, metric="accuracy"))
    both = carried(
        entry("like", "depth >= 2", 0.8, metric="accuracy"),
        entry("like", "depth > 1", 0.8, metric="accuracy"),
    )
    niche = max(range(len(PARTITION.niches)), key=lambda k: len(PARTITION.members[k]))
    spread = [
        np.ptp(Prior(PARTITION, each).expected(niche, PARTITION.members[niche], ("accuracy",)))
        for each in (one, both)
    ]
    assert spread[1] < 1.5 * spread[0]


def test_designs_are_new_members_and_none_without_claims() -> None:
    found = carried(entry("like", "depth >= 2", 0.8, metric="accuracy"))
    prior, rng = Prior(PARTITION, found), np.random.default_rng(0)
    taken = set(PARTITION.members[1][::2])
    designs = prior.designs(1, 3, ("accuracy", "latency"), taken.__contains__, rng)
    assert len(set(designs)) == 3
    assert all(PARTITION.locate(each) == 1 and each not in taken for each in designs)
    nothing = Prior(PARTITION, []).designs(1, 3, ("accuracy", "latency"), lambda _: False, rng)
    assert nothing == []
