"""Orders that were given: by whom, when, in which words, and what became of each."""

from dataclasses import dataclass
from typing import Literal

from pelnas.directives.order import Order, Records

Status = Literal["pending", "active", "undone", "refused"]
BEFORE_DESIGNS = ("plan", "design")  # a directive from here on holds for the designs of its round


@dataclass(frozen=True, slots=True)
class Boundary:
    """A place between two pieces of work: a round, counted from 0, and the node about to begin."""

    round: int
    node: str

    def follows(self, round_: int) -> bool:
        """Whether the designs of a round were made before it."""
        early = round_ == self.round and self.node not in BEFORE_DESIGNS
        return round_ < self.round or early


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
        return self.order.scope

    def covers(self, round_: int) -> bool:
        """Whether it was in force when the designs of a round were made."""
        begun, ended = self.effect, self.ended
        return (
            begun is not None
            and not begun.follows(round_)
            and (ended is None or ended.follows(round_))
        )

    def outcome(self, records: Records) -> str:
        """What came of it so far; '' where there is nothing to report, or figures show it."""
        if self.effect is None or self.status == "refused":
            return ""
        return self.order.outcome(self, records)
