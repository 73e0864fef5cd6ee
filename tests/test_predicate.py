"""Predicates say the same after a round trip through their text, and refuse what they cannot read."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from pelnas.errors import PredicateError
from pelnas.predicate import (
    COMPARISONS,
    MAX_CONDITIONS,
    Condition,
    Predicate,
    parse_predicate,
)

finite = st.floats(allow_nan=False, allow_infinity=False)
features = st.from_regex(r"[a-z][a-z0-9_]{0,12}(@[0-9]->[0-9])?", fullmatch=True)
conditions = st.builds(Condition, features, st.sampled_from(sorted(COMPARISONS)), finite)
predicates = st.builds(lambda c: Predicate(tuple(c)), st.lists(conditions, max_size=MAX_CONDITIONS))
assignments = st.dictionaries(features, finite)


@given(predicates)
def test_reading_its_text_gives_the_predicate_back(predicate: Predicate) -> None:
    assert parse_predicate(str(predicate)) == predicate


@given(st.lists(conditions, max_size=MAX_CONDITIONS))
def test_order_and_repetition_do_not_matter(parts: list[Condition]) -> None:
    again = list(reversed(parts)) + parts
    assert Predicate(tuple(parts)) == Predicate(tuple(again))


@given(predicates, predicates, assignments)
def test_a_conjunction_holds_where_both_do(
    one: Predicate, other: Predicate, values: dict[str, float]
) -> None:
    assert (one & other).holds(values) == (one.holds(values) and other.holds(values))


@given(assignments)
def test_the_empty_predicate_always_holds(values: dict[str, float]) -> None:
    assert parse_predicate("any").holds(values)


@pytest.mark.parametrize(
    ("text", "value", "holds"),
    [
        ("x >= 2", 2, True),
        ("x >= 2", 1.5, False),
        ("x <= 2", 2, True),
        ("x == 2", 2, True),
        ("x = 2", 2, True),
        ("x != 2", 2, False),
        ("x > 2", 2, False),
        ("x < 2", 1, True),
        ("x < 2 and x > 0", 0, False),
        ("  x   <  2   and  x > 0 ", 1, True),
    ],
)
def test_comparisons_mean_what_they_say(text: str, value: float, holds: bool) -> None:
    assert parse_predicate(text).holds({"x": value}) is holds


def test_a_feature_that_is_absent_counts_as_0() -> None:
    assert parse_predicate("nor_conv_3x3 == 0").holds({})
    assert not parse_predicate("nor_conv_3x3 >= 1").holds({})


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("", "FEATURE OP NUMBER"),
        ("x", "FEATURE OP NUMBER"),
        ("x 2", "FEATURE OP NUMBER"),
        ("x >= two", "FEATURE OP NUMBER"),
        ("x => 2", "FEATURE OP NUMBER"),
        ("x >= 2 or y >= 1", "FEATURE OP NUMBER"),
        ("x >= 2 and", "FEATURE OP NUMBER"),
        ("x >= 1.2.3", "not a number"),
        ("x >= 1e999", "not a finite number"),
        (" and ".join(f"x{n} == 1" for n in range(7)), "at most 6 conditions, found 7"),
    ],
)
def test_what_cannot_be_read_is_refused(text: str, message: str) -> None:
    with pytest.raises(PredicateError, match=message):
        parse_predicate(text)


def test_unknown_features_are_refused_with_those_there_are() -> None:
    with pytest.raises(PredicateError, match="'z' does not exist: use one of x, y"):
        parse_predicate("z >= 1", known=("y", "x"))
    assert str(parse_predicate("x >= 1", known=("y", "x"))) == "x >= 1"


@given(st.text(max_size=60))
def test_any_text_is_read_or_refused(text: str) -> None:
    try:
        predicate = parse_predicate(text)
    except PredicateError:
        return
    assert parse_predicate(str(predicate)) == predicate
