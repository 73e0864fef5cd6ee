"""What a predicate leaves to choose from at each position of a space, as far as that can be said.

Niches by counts of operations are exact lists of choices: none of an operation is one
choice less everywhere; exactly two of it are as many alternatives as there are pairs of
positions. What counts anything else, such as FLOPs, leaves every choice open.
"""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from itertools import combinations
from math import ceil, comb, floor, inf

from pelnas.predicate import Condition, Predicate
from pelnas.spaces import SearchSpace

#: The choices that are left at each position.
Options = tuple[tuple[str, ...], ...]


@dataclass(frozen=True, slots=True)
class Bound:
    """How many of these positions may, and must, carry one of these operations."""

    operations: tuple[str, ...]
    positions: tuple[int, ...]
    least: int
    most: int

    @property
    def is_exact(self) -> bool:
        return self.least == self.most


def alternatives(space: SearchSpace, predicate: Predicate, limit: int = 1) -> tuple[Options, ...]:
    """Lists of choices, at most ``limit``, that together hold every architecture of a predicate.

    With room for all of them they hold no other architecture where the predicate only asks
    for exactly, at least or at most so many operations. Otherwise they hold more.
    """
    found: list[Options] = [space.choices]
    for bound in bounds(space, predicate):
        narrowed = [tight for options in found for tight in _narrowed(options, bound, limit)]
        possible = [options for options in narrowed if all(options)]
        if possible and len(possible) <= limit:
            found = possible
    return tuple(dict.fromkeys(found))


def bounds(space: SearchSpace, predicate: Predicate) -> list[Bound]:
    """The conditions of a predicate that count operations, those of the same ones together."""
    merged: dict[tuple[tuple[str, ...], tuple[int, ...]], Bound] = {}
    for condition in predicate.conditions:
        bound = _bound(space, condition)
        if bound is not None:
            key = (bound.operations, bound.positions)
            other = merged.get(key, bound)
            least, most = max(bound.least, other.least), min(bound.most, other.most)
            merged[key] = Bound(*key, least, most)
    return list(merged.values())


def in_words(space: SearchSpace, predicate: Predicate) -> str:
    """A predicate as counts over positions, in the names of an answer."""
    counted = [_sentence(space, bound) for bound in bounds(space, predicate)]
    rest = [str(c) for c in predicate.conditions if _bound(space, c) is None]
    return "; ".join([*counted, *rest]) or "any choice"


def _bound(space: SearchSpace, condition: Condition) -> Bound | None:
    """``None``: the condition counts no operations, or excludes one number of them."""
    name, _, position = condition.feature.partition("@")
    operations = space.counted_together.get(name) or (name,)
    if not set(operations) <= set(space.operations) or (
        position and position not in space.positions
    ):
        return None
    places = (space.positions.index(position),) if position else tuple(range(len(space.positions)))
    low, high = {
        "==": (ceil(condition.value), floor(condition.value)),
        ">=": (ceil(condition.value), inf),
        ">": (floor(condition.value) + 1, inf),
        "<=": (0, floor(condition.value)),
        "<": (0, ceil(condition.value) - 1),
    }.get(condition.op, (0, inf))
    if (low, high) == (0, inf) or low > high:
        return None
    return Bound(operations, places, max(0, int(low)), int(min(high, len(places))))


def _narrowed(options: Options, bound: Bound, limit: int) -> Iterator[Options]:
    """The same choices under a bound: one list, or one for each way to place the operations."""
    count, placed = len(bound.positions), bound.least or bound.most
    if not placed:
        yield _restricted(options, bound, (), bound.positions)
    elif bound.least >= count:
        yield _restricted(options, bound, bound.positions, ())
    elif comb(count, placed) > limit:
        yield options
    else:
        for chosen in combinations(bound.positions, placed):
            others = tuple(place for place in bound.positions if place not in chosen)
            closed = bound.is_exact or not bound.least
            yield _restricted(
                options, bound, chosen if bound.least else (), others if closed else ()
            )


def _restricted(
    options: Options, bound: Bound, inside: Sequence[int], outside: Sequence[int]
) -> Options:
    """Only the operations of a bound at the places inside, and none of them outside."""
    return tuple(
        tuple(op for op in left if op in bound.operations)
        if place in inside
        else tuple(op for op in left if op not in bound.operations)
        if place in outside
        else left
        for place, left in enumerate(options)
    )


def _sentence(space: SearchSpace, bound: Bound) -> str:
    what = " or ".join(bound.operations)
    if len(bound.positions) == 1:
        place = space.slots[bound.positions[0]]
        return f"{place} is {'' if bound.least else 'not '}{what}"
    total = f"of the {len(bound.positions)} positions"
    if not bound.most:
        return f"none {total} is {what}"
    if bound.is_exact:
        return f"exactly {bound.least} {total} {'is' if bound.least == 1 else 'are'} {what}"
    if bound.most == len(bound.positions):
        return f"at least {bound.least} {total} {'is' if bound.least == 1 else 'are'} {what}"
    return f"{bound.least} to {bound.most} {total} are {what}"
