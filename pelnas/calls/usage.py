"""What requests to language models took: tokens, dollars, seconds."""

from collections.abc import Mapping
from dataclasses import asdict, dataclass, replace
from typing import Any, Protocol, Self


@dataclass(frozen=True, slots=True)
class Usage:
    """What one request took, or several together.

    ``tokens_cached``: of ``tokens_in``, read from the provider's cache; ``tokens_reasoning``: of
    ``tokens_out``, not shown; ``None``: the provider does not report it. ``dollars``: of requests whose
    price is known; ``unpriced``: how many have another.
    """

    tokens_in: int = 0
    tokens_out: int = 0
    tokens_cached: int | None = None
    tokens_reasoning: int | None = None
    dollars: float = 0.0
    unpriced: int = 0
    seconds: float = 0.0

    @property
    def tokens(self) -> int:
        """In and out together."""
        return self.tokens_in + self.tokens_out

    @property
    def price(self) -> float | None:
        """Dollars in all, ``None`` where a part of them is unknown."""
        return None if self.unpriced else self.dollars

    def at(self, dollars: float | None) -> Self:
        """The same request at this price, ``None``: unknown."""
        return replace(self, dollars=dollars or 0.0, unpriced=int(dollars is None))

    def __add__(self, other: "Usage") -> "Usage":
        return Usage(
            self.tokens_in + other.tokens_in,
            self.tokens_out + other.tokens_out,
            _sum(self.tokens_cached, other.tokens_cached),
            _sum(self.tokens_reasoning, other.tokens_reasoning),
            self.dollars + other.dollars,
            self.unpriced + other.unpriced,
            self.seconds + other.seconds,
        )


NOTHING = Usage()
#: What is stored and shown of one request; ``dollars`` are ``None`` there where they are unknown.
STORED = ("tokens_in", "tokens_out", "tokens_cached", "tokens_reasoning", "dollars", "seconds")


def _sum(one: int | None, other: int | None) -> int | None:
    return one if other is None else other if one is None else one + other


class Used(Protocol):
    """A record of a request."""

    @property
    def usage(self) -> Usage:
        """What it took."""


def flat(record: Used) -> dict[str, Any]:
    """A record by name, what it took among its own values: as it is stored and shown."""
    values: dict[str, Any] = asdict(record)  # type: ignore[call-overload]
    used = values.pop("usage")
    return values | {name: used[name] for name in STORED} | {"dollars": record.usage.price}


def nested(values: Mapping[str, Any]) -> dict[str, Any]:
    """The values of a record from those of ``flat``; numbers are not checked."""
    counts = {name: values[name] for name in STORED if name in values}
    rest = {name: value for name, value in values.items() if name not in counts}
    dollars = counts.pop("dollars", 0.0)
    return rest | {"usage": Usage(**counts).at(dollars)}
