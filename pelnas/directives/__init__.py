"""Directives: what a person may ask of a running search, as typed values that the program enforces."""

from pelnas.directives.active import FOCUS_SHARE, Directives, Sizes
from pelnas.directives.claims import AddRule, Claim, Claiming, EditRule, RetireRule, Retiring, Weigh
from pelnas.directives.conflicts import Ground, check
from pelnas.directives.controls import (
    Control,
    Pause,
    Resume,
    SetBudget,
    SetModel,
    SetRounds,
    Setting,
    Stop,
    Undo,
)
from pelnas.directives.designs import (
    Ban,
    Bound,
    Constraint,
    Focus,
    Limit,
    Pin,
    Require,
    Seed,
    Wanted,
)
from pelnas.directives.directive import Boundary, Directive, Effects
from pelnas.directives.grammar import GRAMMAR, ORDERS, VERBS, parse
from pelnas.directives.order import Order, Records

__all__ = [
    "FOCUS_SHARE",
    "GRAMMAR",
    "ORDERS",
    "VERBS",
    "AddRule",
    "Ban",
    "Bound",
    "Boundary",
    "Claim",
    "Claiming",
    "Constraint",
    "Control",
    "Directive",
    "Directives",
    "EditRule",
    "Effects",
    "Focus",
    "Ground",
    "Limit",
    "Order",
    "Pause",
    "Pin",
    "Records",
    "Require",
    "Resume",
    "RetireRule",
    "Retiring",
    "Seed",
    "SetBudget",
    "SetModel",
    "SetRounds",
    "Setting",
    "Sizes",
    "Stop",
    "Undo",
    "Wanted",
    "Weigh",
    "check",
    "parse",
]
