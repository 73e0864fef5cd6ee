"""Orders that were given: by whom, when, in which words, and what became of each."""

from dataclasses import dataclass
from typing import Literal

from pelnas.directives.orders import AddRule, EditRule, Order, SetModel

Status = Literal["pending", "active", "undone", "refused"]


@dataclass(frozen=True, slots=True)
class Boundary:
    """A place between two pieces of work: a round, counted from 0, and the node about to begin."""

    round: int
    node: str


@dataclass(frozen=True, slots=True)
class Effects:
    """What a directive held back so far.

    ``refused``: proposals; ``avoided``: children that evolution passed over;
    ``niches``: where either happened, in order.
    """

    refused: int = 0
    avoided: int = 0
    niches: tuple[int, ...] = ()


@dataclass(frozen=True, slots=True)
class Directive:
    """An order as it was given. ``id``: d1, d2, ... in the order of arrival.

    ``words``: what the person typed; data, never shown to a model. ``time``:
    seconds since 1970. ``effect``: the boundary at which it took effect or was
    refused, ``ended`` the one at which it was undone; else ``None``. ``reason``:
    why it was refused, or which directive undid it. ``scheduled``: not to be
    admitted before this boundary (a replay).
    """

    number: int
    order: Order
    author: str
    words: str
    time: float
    status: Status = "pending"
    effect: Boundary | None = None
    reason: str = ""
    effects: Effects = Effects()
    scheduled: Boundary | None = None
    ended: Boundary | None = None

    @property
    def id(self) -> str:
        return f"d{self.number}"

    @property
    def scope(self) -> str:
        """Where it holds: ``niche 2``, a role, or ``run``."""
        return scope_of(self.order)


def scope_of(order: Order) -> str:
    """Where an order holds: ``niche 2``, a role such as ``designer``, or ``run``."""
    if isinstance(order, SetModel):
        return order.role
    claimed = order.claim if isinstance(order, AddRule | EditRule) else order
    niche = getattr(claimed, "niche", None)
    return "run" if niche is None else f"niche {niche}"
