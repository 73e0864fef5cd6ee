"""The directives in force as one value: what they refuse, and what else they ask for."""

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from math import inf
from typing import TypeVar

from pelnas.architecture import Cost, Evaluation
from pelnas.config import Budget, SearchConfig
from pelnas.directives.directive import Directive
from pelnas.directives.grammar import command
from pelnas.directives.orders import (
    Ban,
    Bound,
    EditRule,
    Focus,
    Limit,
    Order,
    Pause,
    Pin,
    Quantity,
    Require,
    Resume,
    RetireRule,
    Seed,
    SetBudget,
    SetModel,
    SetRounds,
    Stop,
    Weigh,
)
from pelnas.directives.words import bound_in_words, say
from pelnas.predicate import Features
from pelnas.rules.evidence import Metric
from pelnas.spaces import SearchSpace

FOCUS_SHARE = 0.7  # of a round's designs that go to what is in focus, at least

T = TypeVar("T")
Refused = tuple[str, str]  # id of the directive, and why in one clause


@dataclass(frozen=True, slots=True)
class Sizes:
    """What formulae say of a network, as plain counts; ``flops``: multiply-accumulates."""

    parameters: int
    flops: float


class Directives:
    """The active ones among the directives given, in their order. A value: changes make a new one.

    A later focus, number of rounds, budget, weight or model stands in the place
    of an earlier one, which returns when the later one is undone; limits, bans
    and requirements add up.
    """

    def __init__(self, given: Iterable[Directive] = ()) -> None:
        active = (directive for directive in given if directive.status == "active")
        self.all = tuple(sorted(active, key=lambda directive: directive.number))

    def of(self, kind: type[T], niche: int | None = None) -> Iterator[tuple[str, T]]:
        """(id, order) of every active order of a kind; of those for one niche, only its own."""
        for directive in self.all:
            order = directive.order
            if isinstance(order, kind) and self._concerns(order, niche):
                yield directive.id, order

    # -- what is refused ------------------------------------------------------

    @property
    def constrain(self) -> bool:
        """Whether anything is limited, banned or required at all."""
        return any(isinstance(directive.order, Limit | Ban | Require) for directive in self.all)

    @property
    def constraints(self) -> str:
        """The limits, bans and requirements as commands: equal where the same is let in."""
        orders = (d.order for d in self.all)
        return "; ".join(command(o) for o in orders if isinstance(o, Limit | Ban | Require))

    def refuses(self, features: Features, sizes: Sizes, niche: int) -> Refused | None:
        """The first directive that an architecture breaks by its features or sizes, and why."""
        for directive in self.all:
            order = directive.order
            if not self._concerns(order, niche):
                continue
            if isinstance(order, Ban) and features.get(order.feature, 0) > 0:
                return directive.id, say(order)
            if isinstance(order, Require) and not features.get(order.feature, 0) > 0:
                return directive.id, say(order)
        return self._beyond({"parameters": float(sizes.parameters), "flops": sizes.flops}, niche)

    def refuses_cost(self, cost: Cost, niche: int) -> Refused | None:
        """The first directive that a cost breaks; what the device cannot run breaks any."""
        return self._beyond({"latency": cost.latency_ms, "energy": cost.energy_mj}, niche)

    def refuses_score(self, score: float, niche: int) -> Refused | None:
        """The first directive that a score breaks."""
        return self._beyond({"accuracy": score}, niche)

    def refuses_evaluation(self, evaluation: Evaluation, features: Features) -> Refused | None:
        """The first directive that an evaluated candidate breaks: it is kept, off the front."""
        niche = evaluation.candidate.niche
        sizes = Sizes(evaluation.parameters, evaluation.flops)
        return (
            self.refuses(features, sizes, niche)
            or self.refuses_cost(evaluation.cost, niche)
            or self.refuses_score(evaluation.score, niche)
        )

    def need_cost(self, niche: int) -> bool:
        """Whether a cost decides here: then it is looked up or measured before a design counts."""
        return any(
            bound.quantity in ("latency", "energy")
            for _, limit in self.of(Limit, niche)
            for bound in limit.bounds
        )

    def bounds(self, niche: int | None = None) -> dict[Quantity, tuple[float, float]]:
        """The range, (at least, at most), that all limits together leave of each limited quantity."""
        merged: dict[Quantity, tuple[float, float]] = {}
        for _, limit in self.of(Limit, niche):
            for bound in limit.bounds:
                low, high = merged.get(bound.quantity, (-inf, inf))
                if bound.comparison == "<=":
                    merged[bound.quantity] = low, min(high, bound.value)
                else:
                    merged[bound.quantity] = max(low, bound.value), high
        return merged

    # -- what else is asked -----------------------------------------------------

    @property
    def focus(self) -> Focus | None:
        """The latest focus."""
        return self._last(Focus)

    @property
    def pause(self) -> Directive | None:
        """The pause that nobody has ended."""
        clock = [d for d in self.all if isinstance(d.order, Pause | Resume | Stop)]
        return clock[-1] if clock and isinstance(clock[-1].order, Pause) else None

    @property
    def paused(self) -> Directive | None:
        """The pause that holds the search; in a replay nothing is waited for."""
        pause = self.pause
        return pause if pause is not None and pause.scheduled is None else None

    @property
    def stop(self) -> Directive | None:
        """The wish to end after this round."""
        return next((d for d in reversed(self.all) if isinstance(d.order, Stop)), None)

    @property
    def rounds(self) -> int | None:
        """How many rounds in all; ``None``: as the configuration says."""
        last = self._last(SetRounds)
        return last.rounds if last else None

    @property
    def budgets(self) -> dict[str, float | None]:
        """Limits in place of the configuration's; ``None`` inside: no limit."""
        return {order.name: order.limit for _, order in self.of(SetBudget)}

    @property
    def models(self) -> dict[str, str]:
        """Models in place of the configuration's, by role."""
        return {order.role: order.model for _, order in self.of(SetModel)}

    @property
    def weights(self) -> Mapping[Metric, float]:
        """How much each objective counts, where anybody said."""
        return {order.objective: order.weight for _, order in self.of(Weigh)}

    @property
    def seeds(self) -> list[tuple[str, str]]:
        """(id, architecture) of everything to be tried: seeds, and pins that were not tried yet."""
        return [
            (directive.id, directive.order.architecture)
            for directive in self.all
            if isinstance(directive.order, Seed | Pin)
        ]

    @property
    def pins(self) -> list[tuple[str, str]]:
        """(id, architecture) of everything to be kept."""
        return [(id_, order.architecture) for id_, order in self.of(Pin)]

    @property
    def retired_rules(self) -> dict[str, str]:
        """Rules that a person took away, each with the directive that did."""
        return {
            directive.order.rule: directive.id
            for directive in self.all
            if isinstance(directive.order, RetireRule | EditRule)
        }

    def wishes(self, niche: int | None = None) -> tuple[tuple[str, str], ...]:
        """(id, what it asks) of what whoever plans or designs (in a niche) should know."""
        told = Limit | Ban | Require | Focus | Weigh
        return tuple(
            (directive.id, say(directive.order))
            for directive in self.all
            if isinstance(directive.order, told) and self._concerns(directive.order, niche)
        )

    def set_aside(
        self, evaluations: Iterable[Evaluation], space: SearchSpace
    ) -> dict[str, Refused]:
        """The evaluated candidates that break a directive, each with the first that it breaks."""
        if not self.constrain:
            return {}
        found = {
            evaluation.id: self.refuses_evaluation(
                evaluation, space.features(space.parse(evaluation.candidate.architecture))
            )
            for evaluation in evaluations
        }
        return {id_: refused for id_, refused in found.items() if refused is not None}

    def applied(self, config: SearchConfig) -> SearchConfig:
        """A run's configuration with the rounds, budgets and models that were asked for since."""
        budget = config.budget.model_dump() | self.budgets
        models = {f"{role}_model": name for role, name in self.models.items()}
        asked = {"rounds": self.rounds or config.rounds, "budget": Budget.model_validate(budget)}
        return config.model_copy(update=asked | models)

    # -- inside ---------------------------------------------------------------

    @staticmethod
    def _concerns(order: Order, niche: int | None) -> bool:
        own = order.niche if isinstance(order, Limit | Ban | Require) else None
        return niche is None or own is None or own == niche

    def _last(self, kind: type[T]) -> T | None:
        last: T | None = None
        for _, order in self.of(kind):
            last = order
        return last

    def _beyond(self, values: Mapping[Quantity, float | None], niche: int) -> Refused | None:
        """The first limit that known quantities break; those not given are not judged."""
        for id_, limit in self.of(Limit, niche):
            for bound in limit.bounds:
                if bound.quantity in values and not bound.holds(values[bound.quantity]):
                    return id_, _excess(bound, values[bound.quantity])
        return None


def _excess(bound: Bound, value: float | None) -> str:
    found = "unknown, or the device cannot run it" if value is None else f"{value:.6g}"
    return f"keep to {bound_in_words(bound)}, found {found}"
