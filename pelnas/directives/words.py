"""Orders in plain words, for a person to confirm and for agents to be told."""

from typing import TYPE_CHECKING

from pelnas.directives.grammar import number
from pelnas.directives.orders import (
    UNITS,
    AddRule,
    Ban,
    Bound,
    Claim,
    EditRule,
    Focus,
    Limit,
    Order,
    Pause,
    Pin,
    Require,
    Resume,
    RetireRule,
    Seed,
    SetBudget,
    SetModel,
    SetRounds,
    Stop,
    Undo,
    Weigh,
)
from pelnas.errors import ArchitectureError

if TYPE_CHECKING:
    from pelnas.spaces import SearchSpace


def say(order: Order, space: "SearchSpace | None" = None) -> str:
    """What an order asks, as one plain clause; with a space, architectures are explained, too."""
    match order:
        case Limit(bounds, niche):
            return f"keep to {_ranges(bounds)}{_where(niche)}"
        case Focus(bounds, None):
            return f"spend most designs on {_ranges(bounds)}"
        case Focus(_, niche):
            return f"spend most designs on niche {niche}"
        case Ban(feature, niche):
            return f"design nothing with {_feature(feature)}{_where(niche)}"
        case Require(feature, niche):
            return f"design nothing without {_feature(feature)}{_where(niche)}"
        case Seed(architecture):
            return f"try {_architecture(architecture, space)} next"
        case Pin(architecture):
            shown = _architecture(architecture, space)
            return f"keep {shown} among the parents and in the report"
        case AddRule(claim):
            return f"measure the rule {_claim(claim)}"
        case EditRule(rule, claim):
            return f"put the rule {_claim(claim)} in the place of {rule}"
    return _of_the_run(order)


def _of_the_run(order: Order) -> str:
    match order:
        case Weigh(objective, weight):
            return f"let rules about {objective} count {number(weight)} times"
        case RetireRule(rule):
            return f"no longer show rule {rule} to designers"
        case SetRounds(rounds):
            return f"end after {rounds} rounds in all"
        case SetBudget(name, None):
            return f"set no limit of {name}"
        case SetBudget(name, limit):
            return f"spend at most {number(limit or 0)} {name} over the whole run"
        case SetModel(role, model):
            return f"let {model} play the {role} from the next node on"
    return _of_the_clock(order)


def _of_the_clock(order: Order) -> str:
    match order:
        case Pause():
            return "pause after the piece of work under way"
        case Resume():
            return "go on after the pause"
        case Stop():
            return "finish the round, then end with the report"
        case Undo(directive):
            return f"take back {directive}"
    raise TypeError(f"{type(order).__name__} is no order")


def bound_in_words(bound: Bound) -> str:
    """``latency at most 5 ms``."""
    how = "at most" if bound.comparison == "<=" else "at least"
    value = bound.value
    shown = f"{value:,.0f}" if value == int(value) and abs(value) < 1e15 else number(value)
    return f"{bound.quantity} {how} {shown}{UNITS[bound.quantity]}"


def _ranges(bounds: tuple[Bound, ...]) -> str:
    return " and ".join(map(bound_in_words, bounds))


def _feature(feature: str) -> str:
    operation, _, position = feature.partition("@")
    return f"{operation} at {position}" if position else operation


def _where(niche: int | None) -> str:
    return "" if niche is None else f" in niche {niche}"


def _claim(claim: Claim) -> str:
    return (
        f'"{claim.text}" ({claim.predicate} {claim.polarity} {claim.metric}{_where(claim.niche)})'
    )


def _architecture(text: str, space: "SearchSpace | None") -> str:
    if space is None:
        return text
    try:
        return f"{text} ({space.explain(space.read(text))})"
    except ArchitectureError:
        return text
