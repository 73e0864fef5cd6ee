"""The features of a space for a prompt: as a list, or as a pattern where that would be long."""

from collections.abc import Collection

from pelnas.predicate import Condition, Predicate
from pelnas.spaces import SearchSpace

LISTED = 60  # features ``OP@POSITION`` that are listed one by one; more are described


def features_in_words(space: SearchSpace, names: Collection[str]) -> str:
    """What predicates may speak about. ``names``: every feature, those of a partition too.

    Counts and sums first where the features by position are many: a model reads on average
    what stands first, and a list of hundreds buries it.
    """
    placed = {
        f"{op}@{position}"
        for position, options in zip(space.positions, space.choices, strict=True)
        for op in options
    }
    if len(placed) <= LISTED:
        return ", ".join(sorted(names))
    others = ", ".join(sorted(set(names) - placed))
    return (
        f"{others}; and OPERATION@POSITION, 1 where it stands there and else 0, of {_placed(space)}"
    )


def _placed(space: SearchSpace) -> str:
    """Which operations stand where; positions with the same choices together."""
    groups: dict[tuple[str, ...], list[str]] = {}
    for position, options in zip(space.positions, space.choices, strict=True):
        groups.setdefault(options, []).append(position)
    return "; ".join(
        f"{', '.join(options)} at {', '.join(positions)}" for options, positions in groups.items()
    )


def example_predicate(space: SearchSpace) -> Predicate:
    """A condition that counts an operation and one on a position, both of features of the space."""
    places = {
        op: [i for i, options in enumerate(space.choices) if op in options]
        for op in space.operations
    }
    often = [op for op in space.operations if len(places[op]) > 1] or list(space.operations)
    counted = often[3 * len(often) // 5]
    place = len(space.positions) // 2
    placed = f"{space.choices[place][1]}@{space.positions[place]}"
    least = float(min(2, len(places[counted])))
    return Predicate((Condition(counted, ">=", least), Condition(placed, "==", 1.0)))
