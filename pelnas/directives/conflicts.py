"""Whether an order fits a run, and whether it can be obeyed beside what is in force already."""

from collections.abc import Callable, Collection, Iterator, Sequence
from dataclasses import dataclass, replace

import numpy as np

from pelnas.architecture import Architecture, Cost
from pelnas.directives.active import Directives, Sizes
from pelnas.directives.directive import Directive
from pelnas.directives.grammar import command
from pelnas.directives.orders import (
    AddRule,
    Ban,
    Constraint,
    EditRule,
    Focus,
    Grounded,
    Limit,
    Order,
    Pin,
    Require,
    Resume,
    RetireRule,
    Seed,
    Undo,
)
from pelnas.errors import ArchitectureError, DirectiveError
from pelnas.partition import ENUMERABLE, Partition
from pelnas.spaces import SearchSpace

SAMPLED = 4_096  # architectures of a large space that are tried before a set counts as impossible
SAMPLE_SEED = 0  # so that the same question gets the same answer
NEW = 0  # the number that an order has before it is stored


@dataclass(frozen=True)
class Ground:
    """What a run searches: the ground on which orders are checked.

    ``cost``: what an architecture costs, where a table tells at once; ``None``
    where it would have to be measured. ``tells_energy``: whether the device does.
    """

    partition: Partition
    cost: Callable[[Architecture], Cost] | None
    tells_energy: Callable[[], bool]

    def sizes(self, architecture: Architecture) -> Sizes:
        """By the formulae of the space, for this run's classes and resolution."""
        return Sizes(*self.partition.sizes(architecture))


def check(
    order: Order,
    given: Sequence[Directive],
    ground: Callable[[], Ground],
    *,
    designed: Collection[str] = (),
    rules: Collection[str] = (),
) -> Order:
    """The order as it will be stored. DirectiveError: it does not fit the run, or cannot be obeyed.

    ``given``: all directives so far; those pending count as in force. ``ground``
    is asked for only where an order needs it. ``designed``: architectures that
    the run has tried; ``rules``: ids of its rules.
    """
    grounded = isinstance(order, Grounded)
    if grounded:
        order = resolve(order, ground())
    active = [replace(d, status="active") for d in given if d.status in ("pending", "active")]
    if isinstance(order, Undo):
        _check_undo(order, given)
    if isinstance(order, Resume) and Directives(active).pause is None:
        raise DirectiveError("the search is not paused: there is nothing to resume")
    if isinstance(order, RetireRule | EditRule) and order.rule not in rules:
        raise DirectiveError(
            f"expected the id of a rule of this run, found {order.rule!r}: see `pelnas rules --all`"
        )
    reason = conflict(order, Directives(active), ground(), designed) if grounded else ""
    if reason:
        raise DirectiveError(reason)
    return order


def resolve(order: Order, ground: Ground) -> Order:
    """The order with its names checked and its architecture in official text.

    DirectiveError: an operation, position, niche, feature or architecture that
    the run does not have, or energy where the device does not tell it.
    """
    niche = getattr(order.claim if isinstance(order, AddRule | EditRule) else order, "niche", None)
    niches = ground.partition.niches
    if niche is not None and niche >= len(niches):
        raise DirectiveError(
            f"niche {niche} does not exist: niches are 0 to {len(niches) - 1}, see `pelnas front`"
        )
    if isinstance(order, Ban | Require):
        _check_feature(order.feature, ground.partition.space)
    if isinstance(order, Limit):
        _check_energy(order, ground)
    if isinstance(order, AddRule | EditRule):
        _check_predicate(order, ground.partition)
    if isinstance(order, Seed | Pin):
        space = ground.partition.space
        try:
            official = space.format(space.read(order.architecture))
        except ArchitectureError as error:
            raise DirectiveError(str(error)) from None
        return replace(order, architecture=official)
    return order


def conflict(
    order: Order, in_force: Directives, ground: Ground, designed: Collection[str] = ()
) -> str:
    """Why an order cannot be obeyed beside those in force, in one sentence; '' where it can.

    Exact in spaces that can be listed. In larger ones contradictions of bounds,
    bans and requirements are exact, and the rest is tried on a sample, which
    the sentence says. Latency and energy are judged where a table tells them,
    accuracy only by its bounds.
    """
    if isinstance(order, Seed | Pin):
        return "" if order.architecture in designed else _seed_conflict(order, in_force, ground)
    if isinstance(order, Limit | Ban | Require):
        for id_, text in in_force.seeds:
            if text not in designed and _breaks(text, Directives([_as_new(order)]), ground):
                return (
                    f"{id_} asks to try {text} next, which this would forbid:"
                    f" give '/undo {id_}' first"
                )
        return _impossible(order, in_force, ground, None)
    if isinstance(order, Focus):
        wanted: Constraint | None = Limit(order.bounds) if order.bounds else None
        return _impossible(wanted, in_force, ground, order.niche)
    return ""


# -- names ------------------------------------------------------------------------


def _check_feature(feature: str, space: SearchSpace) -> None:
    operation, at, position = feature.partition("@")
    if operation not in space.operations:
        raise DirectiveError(
            f"operation {operation!r} does not exist in {space.name}:"
            f" use one of {', '.join(space.operations)}"
        )
    if at and position not in space.positions:
        raise DirectiveError(
            f"position {position!r} does not exist in {space.name}:"
            f" use one of {', '.join(space.positions[:20])}"
        )
    if at and operation not in space.choices[space.positions.index(position)]:
        options = space.choices[space.positions.index(position)]
        raise DirectiveError(f"{position} takes no {operation}: use one of {', '.join(options)}")


def _check_energy(order: Limit, ground: Ground) -> None:
    asked = any(bound.quantity == "energy" for bound in order.bounds)
    if asked and not ground.tells_energy():
        raise DirectiveError(
            "this run's device does not tell energy: limit latency, parameters or flops instead"
        )


def _check_predicate(order: AddRule | EditRule, partition: Partition) -> None:
    known = partition.feature_names
    for condition in order.claim.predicate.conditions:
        if condition.feature not in known:
            raise DirectiveError(
                f"feature {condition.feature[:60]!r} does not exist:"
                f" use one of {', '.join(sorted(known)[:40])}"
            )


def _check_undo(order: Undo, given: Sequence[Directive]) -> None:
    known = {directive.id: directive for directive in given}
    target = known.get(order.directive)
    if target is None:
        raise DirectiveError(
            f"there is no directive {order.directive}: see `pelnas directives` for those given"
        )
    if target.status in ("undone", "refused"):
        raise DirectiveError(f"{target.id} is {target.status} already: there is nothing to undo")
    if isinstance(target.order, Undo | Resume):
        raise DirectiveError(
            f"{target.id} ({command(target.order)}) cannot be undone: give the directive again"
        )


# -- what can be obeyed -------------------------------------------------------------


def _as_new(order: Order) -> Directive:
    return Directive(NEW, order, "", "", 0.0, "active")


def _breaks(text: str, directives: Directives, ground: Ground) -> tuple[str, str] | None:
    architecture = ground.partition.space.parse(text)
    return _refused(architecture, directives, ground)


def _refused(
    architecture: Architecture, directives: Directives, ground: Ground
) -> tuple[str, str] | None:
    niche = ground.partition.locate(architecture)
    features = ground.partition.features(architecture)
    found = directives.refuses(features, ground.sizes(architecture), niche)
    if found is None and ground.cost is not None and directives.need_cost(niche):
        found = directives.refuses_cost(ground.cost(architecture), niche)
    return found


def _seed_conflict(order: Seed | Pin, in_force: Directives, ground: Ground) -> str:
    found = _breaks(order.architecture, in_force, ground)
    if found is None:
        return ""
    return f"{found[0]} does not allow it ({found[1]}): give '/undo {found[0]}' first"


def _impossible(
    new: Constraint | None, in_force: Directives, ground: Ground, niche: int | None
) -> str:
    """Why nothing (in the niche) satisfies the constraints in force and a new one together."""
    others = [d for d in in_force.all if isinstance(d.order, Limit | Ban | Require)]
    own = [_as_new(new)] if new is not None else []
    if _satisfiable(own + others, ground, niche):
        return ""
    where = f"niche {niche}" if niche is not None else ground.partition.space.name
    seen = (
        "" if ground.partition.space.size <= ENUMERABLE else f" (of {SAMPLED:,} networks sampled)"
    )
    if own and not _satisfiable(own, ground, niche):
        return f"no network of {where} can satisfy this{seen}: ask for less"
    for other in others:
        if not _satisfiable([*own, other], ground, niche):
            others = [other]
            break
    names = ", ".join(f"{d.id} ({command(d.order)})" for d in others)
    return (
        f"no network of {where} can satisfy this together with {names}{seen}:"
        f" ask for less, or undo what stands in the way"
    )


def _satisfiable(wanted: Sequence[Directive], ground: Ground, niche: int | None) -> bool:
    directives = Directives(wanted)
    niches = range(len(ground.partition.niches)) if niche is None else [niche]
    open_niches = [n for n in niches if all(lo <= hi for lo, hi in directives.bounds(n).values())]
    if not open_niches:
        return False
    return any(
        _refused(architecture, directives, ground) is None
        for architecture in _candidates(directives, ground.partition.space)
        if ground.partition.locate(architecture) in open_niches
    )


def _candidates(directives: Directives, space: SearchSpace) -> Iterator[Architecture]:
    """Everything where it can be listed; else what bans and requirements allow, drawn at random."""
    if space.size <= ENUMERABLE:
        yield from (space.at(index) for index in range(space.size))
        return
    options = _options(directives, space)
    if not all(options):
        return
    for rank in range(max(map(len, options))):  # the same choice everywhere: the extremes of size
        yield space.of(tuple(genes[min(rank, len(genes) - 1)] for genes in options))
    rng = np.random.default_rng(SAMPLE_SEED)
    wanted = [r.feature for _, r in directives.of(Require) if "@" not in r.feature]
    for _ in range(SAMPLED):
        genes = [int(rng.choice(allowed)) for allowed in options]
        for operation in wanted:
            _place(operation, genes, options, space, rng)
        yield space.of(tuple(genes))


def _options(directives: Directives, space: SearchSpace) -> list[list[int]]:
    """The genes that bans and requirements of the whole run leave at each position."""
    bans = {ban.feature for _, ban in directives.of(Ban) if ban.niche is None}
    needs = {need.feature for _, need in directives.of(Require) if need.niche is None}
    options = []
    for position, choices in zip(space.positions, space.choices, strict=True):
        here = {f"{op}@{position}": gene for gene, op in enumerate(choices)}
        fixed = [gene for feature, gene in here.items() if feature in needs]
        options.append(
            [
                gene
                for feature, gene in here.items()
                if feature not in bans
                and feature.partition("@")[0] not in bans
                and (not fixed or fixed == [gene])
            ]
        )
    return options


def _place(
    operation: str,
    genes: list[int],
    options: Sequence[Sequence[int]],
    space: SearchSpace,
    rng: np.random.Generator,
) -> None:
    """Put an operation somewhere it may stand."""
    places = [
        (index, choices.index(operation))
        for index, choices in enumerate(space.choices)
        if operation in choices and choices.index(operation) in options[index]
    ]
    if places:
        index, gene = places[int(rng.integers(len(places)))]
        genes[index] = gene
