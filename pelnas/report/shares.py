"""The share of designs that a model had in each niche, where it adapts: ``--designer-share auto``."""

from dataclasses import asdict, dataclass
from typing import Any

from pelnas.store import RunStore

SET = "share-set"  # the event of a step whose share was set


@dataclass(frozen=True, slots=True)
class ShareRow:
    """One niche. ``shares``: by round, oldest first; the rest is of the last one.

    ``model``, ``program``: hypervolume gained per design; ``per_dollar``: by the model's designs for
    a dollar of its calls, ``None`` where they have no price.
    """

    niche: int
    label: str
    shares: tuple[float, ...]
    model: float
    program: float
    per_dollar: float | None

    def to_dict(self) -> dict[str, Any]:
        """Plain values for JSON."""
        return asdict(self)


def share_rows(store: RunStore) -> list[ShareRow]:
    """A row for each niche in which a share was set, () where none adapts."""
    found: dict[int, dict[int, dict[str, Any]]] = {}
    for event in store.events():
        if event.kind == SET and event.niche is not None and event.round is not None:
            found.setdefault(event.niche, {})[event.round] = dict(event.data)
    return [
        _row(niche, store.niches()[niche], [rounds[n] for n in sorted(rounds)])
        for niche, rounds in sorted(found.items())
    ]


def _row(niche: int, label: str, events: list[dict[str, Any]]) -> ShareRow:
    last = events[-1]
    shares = tuple(each["share"] for each in events)
    return ShareRow(niche, label, shares, last["model"], last["program"], last["per_dollar"])
