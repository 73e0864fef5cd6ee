"""What each directive changed: read from the store, after the fact."""

from collections.abc import Sequence
from dataclasses import asdict, dataclass
from typing import Any

from pelnas.architecture import Evaluation
from pelnas.archive import Archive
from pelnas.directives import Constraint, Directive, Directives, Focus, Limit
from pelnas.objectives import Objectives
from pelnas.report.front import finite
from pelnas.report.outcomes import StoredRecords
from pelnas.spaces import SearchSpace, get_space
from pelnas.store import RunStore


@dataclass(frozen=True, slots=True)
class Figures:
    """A front within a constraint. ``best_score``, ``fastest_ms``: ``None`` without a point."""

    points: int
    best_score: float | None
    fastest_ms: float | None


@dataclass(frozen=True, slots=True)
class DirectiveRow:
    """One directive and what came of it. ``round``: counted from 0, ``None`` while pending.

    ``refused``: proposals it refused; ``avoided``: children that evolution passed
    over; ``niches``: where. ``aside``: evaluated candidates that break it and stand
    off the front, while it is active. ``share_before``, ``share_after``: of the designs before it took
    effect and since, how many are as it asks (or in its focus). ``before``,
    ``after``: the front of such candidates then and now. ``None``: not of its kind.
    ``outcome``: what came of an order that holds no network back, in one clause.
    """

    id: str
    asks: str
    command: str
    words: str
    author: str
    time: float
    scope: str
    status: str
    reason: str
    round: int | None
    node: str | None
    ended: int | None
    refused: int
    avoided: int
    niches: tuple[int, ...]
    aside: int | None = None
    share_before: float | None = None
    share_after: float | None = None
    before: Figures | None = None
    after: Figures | None = None
    outcome: str = ""

    def to_dict(self) -> dict[str, Any]:
        """Plain values for JSON; a number that is not finite becomes ``None``."""
        values = {name: finite(value) for name, value in asdict(self).items()}
        return values | {"niches": list(self.niches)}


@dataclass(frozen=True, slots=True)
class Pinned:
    """A pinned architecture; ``evaluation`` is ``None`` until it is tried."""

    directive: str
    architecture: str
    evaluation: Evaluation | None
    on_front: bool
    aside: str  # the directive that keeps it off the front, or ''


def directive_rows(store: RunStore) -> list[DirectiveRow]:
    """One row for each directive, in the order in which they were given."""
    space, evaluations = get_space(store.config.space), store.evaluations()
    records = StoredRecords(store, evaluations)
    objectives = Objectives.of(store.config.objectives)
    return [_row(each, space, records, objectives) for each in records.directives]


def pinned(store: RunStore, archive: Archive) -> list[Pinned]:
    """Every pinned architecture, with its figures."""
    directives = Directives(store.directives())
    evaluations = {e.candidate.architecture: e for e in archive.evaluations}
    named = [evaluations[text] for _, text in directives.pins if text in evaluations]
    aside = directives.set_aside(named, get_space(store.config.space))
    front = {evaluation.id for evaluation in archive.union()}
    rows = []
    for directive, text in directives.pins:
        found = evaluations.get(text)
        why = aside.get(found.id) if found else None
        on_front = found is not None and found.id in front
        rows.append(Pinned(directive, text, found, on_front, why[0] if why else ""))
    return rows


def _row(
    directive: Directive, space: SearchSpace, records: StoredRecords, objectives: Objectives
) -> DirectiveRow:
    effect, ended, effects = directive.effect, directive.ended, directive.effects
    return DirectiveRow(
        id=directive.id,
        asks=directive.order.say(),
        command=directive.order.command,
        words=directive.words,
        author=directive.author,
        time=directive.time,
        scope=directive.scope,
        status=directive.status,
        reason=directive.reason,
        round=effect.round if effect else None,
        node=effect.node if effect else None,
        ended=ended.round if ended else None,
        refused=effects.refused,
        avoided=effects.avoided,
        niches=effects.niches,
        outcome=directive.outcome(records),
        **_changes(directive, records.evaluations, space, objectives),
    )


def _changes(
    directive: Directive,
    evaluations: Sequence[Evaluation],
    space: SearchSpace,
    objectives: Objectives,
) -> dict[str, Any]:
    order, effect = directive.order, directive.effect
    if not isinstance(order, Constraint | Focus):
        return {}
    if effect is None or directive.status == "refused":
        return {}
    inside = _inside(order, evaluations, space)
    early = [e for e in evaluations if effect.follows(e.candidate.round)]
    late = [e for e in evaluations if not effect.follows(e.candidate.round)]
    if directive.ended is not None:
        late = [e for e in late if directive.ended.follows(e.candidate.round)]
    return {
        "aside": None if isinstance(order, Focus) else _aside(directive, evaluations, inside),
        "share_before": _share(early, inside),
        "share_after": _share(late, inside),
        "before": _figures([e for e in early if e.id in inside], objectives),
        "after": _figures([e for e in early + late if e.id in inside], objectives),
    }


def _aside(directive: Directive, evaluations: Sequence[Evaluation], inside: set[str]) -> int:
    return len(evaluations) - len(inside) if directive.status == "active" else 0


def _inside(
    order: Constraint | Focus, evaluations: Sequence[Evaluation], space: SearchSpace
) -> set[str]:
    """The evaluated candidates that are as the order asks."""
    if isinstance(order, Focus) and order.niche is not None:
        return {e.id for e in evaluations if e.candidate.niche == order.niche}
    alone = Limit(order.bounds) if isinstance(order, Focus) else order
    broken = Directives([Directive(0, alone, "", "", 0.0, "active")]).set_aside(evaluations, space)
    return {e.id for e in evaluations if e.id not in broken}


def _share(evaluations: Sequence[Evaluation], inside: set[str]) -> float | None:
    if not evaluations:
        return None
    return sum(e.id in inside for e in evaluations) / len(evaluations)


def _figures(evaluations: Sequence[Evaluation], objectives: Objectives) -> Figures:
    niches = max((e.candidate.niche + 1 for e in evaluations), default=0)
    front = Archive(evaluations, niches, objectives=objectives).union()
    return Figures(
        len(front),
        max((e.score for e in front), default=None),
        min((e.latency_ms for e in front), default=None),
    )
