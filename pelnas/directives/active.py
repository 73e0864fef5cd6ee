"""The directives in force as one value: what they refuse, and what else they ask for."""

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from math import inf
from typing import TypeVar

from pelnas.architecture import Cost, Evaluation
from pelnas.config import SearchConfig
from pelnas.directives.claims import Retiring, Weigh
from pelnas.directives.controls import Control, Pause, Stop
from pelnas.directives.designs import Constraint, Focus, Limit, Pin, Quantity, Wanted
from pelnas.directives.directive import Directive
from pelnas.directives.order import Order
from pelnas.inputs.quantities import Metric
from pelnas.predicate import Features
from pelnas.spaces import SearchSpace

FOCUS_SHARE = 0.7  # of a round's designs that go to what is in focus, at least

T = TypeVar("T", bound=Order)
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
            if isinstance(order, kind) and order.concerns(niche):
                yield directive.id, order

    # -- what is refused ------------------------------------------------------

    @property
    def constrain(self) -> bool:
        """Whether anything is limited, banned or required at all."""
        return any(self.of(Constraint))

    @property
    def constraints(self) -> str:
        """The limits, bans and requirements as commands: equal where the same is let in."""
        return "; ".join(order.command for _, order in self.of(Constraint))

    def refuses(self, features: Features, sizes: Sizes, niche: int) -> Refused | None:
        """The first directive that an architecture breaks by its features or sizes, and why."""
        for id_, order in self.of(Constraint, niche):
            if order.excludes(features):
                return id_, order.say()
        return self._beyond({"parameters": float(sizes.parameters), "flops": sizes.flops}, niche)

    def refuses_cost(self, cost: Cost, niche: int) -> Refused | None:
        """The first directive that a cost breaks; what the device cannot run breaks any."""
        return self._beyond({"latency": cost.latency_ms, "energy": cost.energy_mj}, niche)

    def refuses_footprint(self, memory: int | None, size: int | None, niche: int) -> Refused | None:
        """The first directive that memory or size, in bytes, break; what is not counted breaks any."""
        return self._beyond({"memory": memory, "size": size}, niche)

    def need_footprint(self, niche: int | None) -> bool:
        """Whether memory or size decides in a niche; ``None``: anywhere."""
        return any(limit.on("memory", "size") for _, limit in self.of(Limit, niche))

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
            or self.refuses_footprint(evaluation.memory, evaluation.size, niche)
            or self.refuses_score(evaluation.score, niche)
        )

    def need_cost(self, niche: int) -> bool:
        """Whether a cost decides here: then it is looked up or measured before a design counts."""
        return any(limit.on("latency", "energy") for _, limit in self.of(Limit, niche))

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
        return next((order for _, order in reversed(list(self.of(Focus)))), None)

    @property
    def pause(self) -> Directive | None:
        """The pause that nobody has ended."""
        clock = [d for d in self.all if isinstance(d.order, Control)]
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
    def weights(self) -> Mapping[Metric, float]:
        """How much each objective counts, where anybody said."""
        return {order.objective: order.weight for _, order in self.of(Weigh)}

    @property
    def seeds(self) -> list[tuple[str, str]]:
        """(id, architecture) of everything to be tried: seeds, and pins that were not tried yet."""
        return [(id_, order.architecture) for id_, order in self.of(Wanted)]

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
            if isinstance(directive.order, Retiring)
        }

    def wishes(self, niche: int | None = None) -> tuple[tuple[str, str], ...]:
        """(id, what it asks) of what whoever plans or designs (in a niche) should know."""
        informing = (each for each in self.of(Order, niche) if each[1].informs)
        return tuple((id_, order.say()) for id_, order in informing)

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
        for _, order in self.of(Order):
            config = order.applied(config)
        return config

    # -- inside ---------------------------------------------------------------

    def _beyond(self, values: Mapping[Quantity, float | None], niche: int) -> Refused | None:
        """The first limit that known quantities break; those not given are not judged."""
        for id_, order in self.of(Constraint, niche):
            excess = order.excess(values)
            if excess:
                return id_, excess
        return None
