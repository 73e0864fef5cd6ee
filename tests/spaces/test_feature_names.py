"""What prompts say of the features of a space."""

import pytest

from pelnas.predicate import parse_predicate
from pelnas.spaces import SPACES, get_space
from pelnas.spaces.feature_names import LISTED, example_predicate, features_in_words

every_space = pytest.mark.parametrize("name", SPACES)


@every_space
def test_the_example_is_a_predicate_that_some_network_satisfies(name: str) -> None:
    space = get_space(name)
    example = example_predicate(space)
    assert parse_predicate(str(example), space.feature_names) == example
    (placed,) = [c.feature for c in example.conditions if "@" in c.feature]
    op, _, position = placed.partition("@")
    assert op in space.choices[space.positions.index(position)]


@every_space
def test_every_feature_is_named_or_follows_from_a_pattern(name: str) -> None:
    space = get_space(name)
    said = features_in_words(space, space.feature_names | {"mflops"})
    assert len(said) < 2_500
    for feature in (*space.feature_names, "mflops"):
        op, at, position = feature.partition("@")
        assert feature in said or (at and op in said and position in said)


def test_few_features_are_a_list() -> None:
    space = get_space("tiny")
    assert len([feature for feature in space.feature_names if "@" in feature]) <= LISTED
    assert features_in_words(space, space.feature_names) == ", ".join(sorted(space.feature_names))


def test_many_features_are_sums_first_and_positions_by_their_choices() -> None:
    space = get_space("mnasnet")
    sums, _, placed = features_in_words(space, space.feature_names).partition("; and ")
    assert "depth" in sums.split(", ")
    assert "@" not in sums
    assert "k3, k5 at block0_kernel, block1_kernel, " in placed
    assert "n1, n2, n3, n4 at block5_layers" in placed
