from dataclasses import replace
from math import log
from operator import eq

import numpy as np
import pytest

from pelnas.agents.design_brief import DesignBrief, Parent
from pelnas.agents.evolver import SURROGATE, EvolvingDesigner, RandomDesigner
from pelnas.architecture import Shape
from pelnas.evolution import draw_tasks
from pelnas.partition import Partition, partition_by_flops
from pelnas.predictors.known_truth import Truth
from pelnas.sampling import FLOPS, extremes
from pelnas.spaces import SPACES, get_space
from pelnas.surrogate import Seen, Surrogate
from pelnas.validator import Intake

WANTED = 10
LARGE = [name for name in SPACES if get_space(name).size > 1e6]


def partition_of(name: str) -> Partition:
    return partition_by_flops(get_space(name), 6, Shape.square(100, 224))


def brief(partition: Partition, niche: int, surrogate: Surrogate | None = None) -> DesignBrief:
    return DesignBrief(
        partition=partition,
        niche=partition.niches[niche],
        round=0,
        device="host",
        dataset="",
        focus="",
        tasks=draw_tasks(0, WANTED, np.random.default_rng(0)),
        parents=(),
        rules=(),
        seed=(0, niche),
        surrogate=surrogate,
    )


@pytest.mark.parametrize("name", LARGE)
def test_a_first_round_reaches_both_ends_of_the_space_and_every_niche(name: str) -> None:
    partition = partition_of(name)
    sizes = []
    for niche in partition.niches:
        intake = Intake(partition, niche, (), WANTED)
        EvolvingDesigner().design(brief(partition, niche.index), intake)
        assert len(intake.accepted) == WANTED
        parsed = [partition.space.parse(design.architecture) for design in intake.accepted]
        sizes += [log(partition.features_of_size(each)[FLOPS]) for each in parsed]
    low, high = extremes(partition.space, Shape.square(100, 224))
    assert min(sizes) <= low + 0.05 * (high - low)
    assert max(sizes) >= high - 0.05 * (high - low)


def learned(partition: Partition, count: int) -> Surrogate:
    space, rng = partition.space, np.random.default_rng(1)
    truth = Truth.draw(space, "additive", 0)
    drawn = [space.sample(rng) for _ in range(count)]
    return Surrogate(
        partition,
        [Seen(a, truth.accuracy(a), (partition.features_of_size(a)[FLOPS],)) for a in drawn],
    )


def methods(designer: EvolvingDesigner, partition: Partition, surrogate: Surrogate) -> set[str]:
    intake = Intake(partition, partition.niches[3], (), WANTED)
    designer.design(brief(partition, 3, surrogate), intake)
    assert len(intake.accepted) == WANTED
    return {design.method for design in intake.accepted}


def test_a_large_space_is_learned_once_there_are_evaluations_to_learn_from() -> None:
    partition = partition_of("fbnet")
    assert methods(EvolvingDesigner(), partition, learned(partition, 5)) == {"sample"}
    assert methods(EvolvingDesigner(), partition, learned(partition, 60)) == {SURROGATE}
    assert methods(RandomDesigner(), partition, learned(partition, 60)) == {"sample"}


def test_what_directives_keep_out_is_not_designed() -> None:
    partition, surrogate = partition_of("fbnet"), learned(partition_of("fbnet"), 60)
    asked = brief(partition, 3, surrogate)
    first = Intake(partition, partition.niches[3], (), WANTED)
    EvolvingDesigner().design(asked, first)
    texts = {design.architecture for design in first.accepted}
    second = Intake(partition, partition.niches[3], texts, WANTED)
    EvolvingDesigner().design(asked, second)
    assert len(second.accepted) == WANTED
    assert not texts & {design.architecture for design in second.accepted}


def test_a_design_of_the_surrogate_names_the_parent_that_it_shares_most_with() -> None:
    partition = partition_of("fbnet")
    space, niche = partition.space, partition.niches[3]
    members = [next(partition.sample(3, np.random.default_rng(seed))) for seed in range(2)]
    parents = tuple(
        Parent(f"r0n3c{i}", space.format(member), 1.0, (1.0,)) for i, member in enumerate(members)
    )
    intake = Intake(partition, niche, (), WANTED)
    given = replace(brief(partition, 3, learned(partition, 60)), parents=parents)
    EvolvingDesigner().design(given, intake)
    designed = [design for design in intake.accepted if design.method == "surrogate"]
    assert designed
    for design in designed:
        genes = space.parse(design.architecture).genes
        shared = [sum(map(eq, genes, member.genes)) for member in members]
        assert design.parents == (parents[int(np.argmax(shared))].id,)
