"""What every space of the table keeps: the suite that ships, and what hypothesis finds beside it."""

from itertools import product, repeat

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from pelnas.architecture import Architecture, Shape
from pelnas.errors import ArchitectureError, SpaceError
from pelnas.spaces import SPACES, SearchSpace, get_space
from pelnas.spaces.check import CHECKS, multiply_accumulates
from pelnas.spaces.options import Options, alternatives

FEW = 3  # networks built per test and space: they are real
LISTED = 20_000  # architectures of a space that are looked at one by one

every_space = pytest.mark.parametrize("space", [get_space(name) for name in SPACES], ids=SPACES)


def architectures(space: SearchSpace) -> st.SearchStrategy[Architecture]:
    return st.integers(0, space.size - 1).map(space.at)


@every_space
@pytest.mark.parametrize("check", CHECKS)
def test_the_suite_that_ships(space: SearchSpace, check: str) -> None:
    CHECKS[check](space)


@every_space
def test_it_is_found_by_its_name(space: SearchSpace) -> None:
    assert get_space(space.name).name == space.name


def test_an_unknown_name_is_answered_with_those_there_are() -> None:
    with pytest.raises(SpaceError, match=r"'nasbench': use one of nasbench201, .*tiny"):
        get_space("nasbench")


@every_space
@given(st.data())
def test_text_and_index_lead_back_to_the_architecture(
    space: SearchSpace, data: st.DataObject
) -> None:
    architecture = data.draw(architectures(space))
    text = space.format(architecture)
    assert space.parse(text) == architecture
    assert space.parse(f"  {text}\n") == architecture
    assert space.at(space.index(architecture)) == architecture
    assert space.read(text) == space.read(str(space.index(architecture))) == architecture


@every_space
@given(st.data())
def test_choices_lead_back_to_the_architecture(space: SearchSpace, data: st.DataObject) -> None:
    architecture = data.draw(architectures(space))
    choices = space.choices_of(architecture)
    assert space.is_by_choices
    assert space.architecture_of(choices) == space.proposed(choices) == architecture
    assert space.proposed(space.format(architecture)) == architecture
    by_position = dict(zip(space.positions, space.chosen(architecture), strict=True))
    assert space.architecture_of(by_position) == architecture


@every_space
def test_the_schema_of_choices_is_one_that_providers_take(space: SearchSpace) -> None:
    schema = space.choices_schema()
    assert schema["required"] == list(schema["properties"]) == list(space.slots)
    assert len(set(space.slots)) == len(space.slots)
    assert schema["additionalProperties"] is False
    assert all(set(left) == {"type", "enum"} for left in schema["properties"].values())


@every_space
@given(st.dictionaries(st.text(max_size=8), st.none() | st.text(max_size=8) | st.integers()))
def test_any_other_choices_are_refused_in_one_short_line(
    space: SearchSpace, choices: dict[str, object]
) -> None:
    with pytest.raises(ArchitectureError) as refusal:
        space.architecture_of(choices)
    assert "\n" not in str(refusal.value)
    assert len(str(refusal.value)) < 250


@every_space
def test_alternatives_hold_a_niche_and_as_far_as_they_can_nothing_else(space: SearchSpace) -> None:
    rng = np.random.default_rng(0)
    is_listed = space.size <= LISTED
    every = (
        map(space.at, range(space.size)) if is_listed else (space.sample(rng) for _ in range(200))
    )
    chosen = {space.chosen(each): space.features(each) for each in every}
    for label, predicate in space.complexity_niches:
        members = {each for each, features in chosen.items() if predicate.holds(features)}
        exact = alternatives(space, predicate, 64)
        if is_listed:
            assert {each for options in exact for each in product(*options)} == members, label
        for options in (exact, alternatives(space, predicate)):
            assert all(any(map(_is_among, repeat(each), options)) for each in members), label


def _is_among(chosen: tuple[str, ...], options: Options) -> bool:
    return all(op in left for op, left in zip(chosen, options, strict=True))


@every_space
@given(text=st.text(max_size=80))
def test_any_other_text_is_refused(space: SearchSpace, text: str) -> None:
    with pytest.raises(ArchitectureError):
        space.parse(text)


@every_space
@given(st.data())
def test_a_damaged_text_is_refused_or_names_an_architecture(
    space: SearchSpace, data: st.DataObject
) -> None:
    text = space.format(data.draw(architectures(space)))
    place = data.draw(st.integers(0, len(text) - 1))
    damaged = text[:place] + data.draw(st.text(max_size=2)) + text[place + 1 :]
    try:
        architecture = space.parse(damaged)
    except ArchitectureError as error:
        assert space.name in str(error)  # noqa: PT017 - either outcome is right
    else:
        assert space.parse(space.format(architecture)) == architecture


@every_space
@given(st.data())
def test_features_are_known_and_say_what_is_chosen(space: SearchSpace, data: st.DataObject) -> None:
    architecture = data.draw(architectures(space))
    features = space.features(architecture)
    active = space.active(architecture.genes)
    assert features.keys() <= space.feature_names
    assert sum(features[op] for op in space.operations) == len(active)
    for place in active:
        assert features[f"{space.chosen(architecture)[place]}@{space.positions[place]}"] == 1.0
    assert sum(features.get(name, 0) for name in features if "@" in name) == len(active)
    assert np.isfinite(list(features.values())).all()


@every_space
@given(st.data())
def test_an_architecture_lies_in_exactly_one_of_its_niches(
    space: SearchSpace, data: st.DataObject
) -> None:
    features = space.features(data.draw(architectures(space)))
    inside = [name for name, niche in space.complexity_niches if niche.holds(features)]
    assert len(inside) == (1 if space.complexity_niches else 0)


@every_space
@given(st.data())
def test_neighbours_differ_in_one_active_choice(space: SearchSpace, data: st.DataObject) -> None:
    architecture = data.draw(architectures(space))
    genes, active = architecture.genes, space.active(architecture.genes)
    neighbours = list(space.neighbours(architecture))
    assert len({*neighbours, architecture}) == len(neighbours) + 1
    assert set(neighbours) == {
        space.of((*genes[:place], gene, *genes[place + 1 :]))
        for place in active
        for gene in range(len(space.choices[place]))
        if gene != genes[place]
    }


@every_space
@given(st.data())
def test_a_choice_without_effect_makes_no_other_network(
    space: SearchSpace, data: st.DataObject
) -> None:
    genes = tuple(data.draw(st.integers(0, len(options) - 1)) for options in space.choices)
    architecture = space.of(genes)
    active = set(space.active(genes))
    assert set(space.active(architecture.genes)) == active
    for place in range(len(genes)):
        assert architecture.genes[place] == (genes[place] if place in active else 0)
    assert space.at(space.index(architecture)) == architecture


@every_space
def test_an_index_beyond_the_space_is_refused(space: SearchSpace) -> None:
    for index in (-1, space.size):
        with pytest.raises(ArchitectureError, match=f"0 to {space.size - 1}, found {index}"):
            space.at(index)
    for endless in ("9" * 5000, space.format(space.at(0)) + "0" * 5000):
        with pytest.raises(ArchitectureError):
            space.read(endless)


@every_space
@settings(max_examples=FEW, deadline=None)
@given(st.data())
def test_networks_take_images_and_give_logits(space: SearchSpace, data: st.DataObject) -> None:
    architecture = data.draw(architectures(space))
    network = space.build(architecture, Shape.square(7, 16))
    logits = network(torch.randn(2, 3, 16, 16))
    assert logits.shape == (2, 7)
    assert torch.isfinite(logits).all()


@every_space
@settings(max_examples=2 * FEW, deadline=None)
@given(st.data(), st.integers(2, 120))
def test_parameters_are_those_of_the_built_network(
    space: SearchSpace, data: st.DataObject, classes: int
) -> None:
    architecture = data.draw(architectures(space))
    shape = Shape(classes, 48, 32, 2)
    with torch.device("meta"):  # counted, and never drawn
        network = space.build(architecture, shape)
    counted = sum(parameter.numel() for parameter in network.parameters())
    assert space.parameters(architecture, shape) == counted


@every_space
@settings(max_examples=2 * FEW, deadline=None)
@given(st.data(), st.sampled_from([(9, 9), (16, 48), (31, 16), (32, 32)]), st.integers(1, 4))
def test_flops_are_those_that_the_built_network_does(
    space: SearchSpace, data: st.DataObject, size: tuple[int, int], channels: int
) -> None:
    architecture = data.draw(architectures(space))
    shape = Shape(10, *size, channels)
    try:
        space.check_shape(shape)
    except SpaceError as refusal:
        assert "x".join(map(str, size)) in str(refusal)  # noqa: PT017 - either outcome is right
        return
    with torch.device("meta"):  # what is multiplied is counted, not computed
        counted = multiply_accumulates(space.build(architecture, shape), shape)
    assert space.flops(architecture, shape) in counted.in_every_way()
