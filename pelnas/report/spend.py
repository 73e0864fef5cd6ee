"""What a run used, and how much of what was proposed in it could not be."""

from dataclasses import dataclass

from pelnas.budget import Spent
from pelnas.report.agent_stats import agent_stats
from pelnas.store import RunStore


@dataclass(frozen=True, slots=True)
class Spend:
    """What a run used itself, and what was used before it was forked from another.

    ``scores``, ``costs``: computed for this run; ``shared_scores``, ``shared_costs``: taken
    over from the run that it was forked from.
    """

    own: Spent
    before: Spent
    scores: int
    costs: int
    shared_scores: int
    shared_costs: int


def spend_of(store: RunStore) -> Spend:
    """What a run used, and what was used for what it took over."""
    origin, before = store.origin(), store.spent_before()
    scores, costs = len(store.predictions()), len(store.evaluations())
    inherited = len(store.evaluations(through_round=origin.round)) if origin else 0
    shared_scores = inherited if origin and origin.scores else 0
    shared_costs = inherited if origin and origin.costs else 0
    return Spend(
        own=store.spent(),
        before=before,
        scores=scores - shared_scores,
        costs=costs - shared_costs,
        shared_scores=shared_scores,
        shared_costs=shared_costs,
    )


def shares(store: RunStore) -> dict[str, float | None]:
    """Refused designs over all proposed, and broken or failed answers over all calls.

    ``None`` without any. In a fork also over the rounds that it took over.
    """
    rates = agent_stats(store)
    designers = [rate for rate in rates if rate.agent == "designer"]
    proposed = sum(rate.proposals for rate in designers)
    calls = sum(rate.calls for rate in rates)
    shares = {
        kind: _share(sum(getattr(rate, kind) for rate in designers), proposed)
        for kind in ("malformed", "duplicate", "out_of_niche", "directive")
    }
    return {
        "invalid": _share(sum(rate.invalid for rate in rates), calls),
        "failed": _share(sum(rate.failed for rate in rates), calls),
        **shares,
    }


def _share(count: int, whole: int) -> float | None:
    return count / whole if whole else None
