"""Whether an order fits a run, and whether it can be obeyed beside what is in force already."""

from collections.abc import Callable, Collection, Iterator, Sequence
from dataclasses import dataclass, replace
from functools import cached_property

import numpy as np

from pelnas.architecture import Architecture, Cost
from pelnas.directives.active import Directives, Refused, Sizes
from pelnas.directives.designs import Ban, Constraint, Require
from pelnas.directives.directive import Directive
from pelnas.directives.order import Order
from pelnas.errors import DirectiveError
from pelnas.inputs.quantities import Metric
from pelnas.partition import ENUMERABLE, Partition
from pelnas.rules.evidence import METRICS
from pelnas.spaces import SearchSpace

SAMPLED = 4_096  # architectures of a large space that are tried before a set counts as impossible
BUILT = 64  # of these, where each has to be built for its memory to be known
SAMPLE_SEED = 0  # so that the same question gets the same answer
NEW = 0  # the number that an order has before it is stored


@dataclass(frozen=True)
class Ground:
    """What a run searches: the ground on which orders are checked.

    ``cost``: what an architecture costs, where a table has it; ``None``
    where it would have to be measured. ``tells_energy``: whether the device does.
    ``counts_footprint``: whether the run counts memory and size of every network;
    ``metrics``: what its rules are about.
    """

    partition: Partition
    cost: Callable[[Architecture], Cost] | None
    tells_energy: Callable[[], bool]
    counts_footprint: bool = False
    metrics: tuple[Metric, ...] = METRICS

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
    beside = Standing(given, ground, designed, rules)
    beside.need_niche(order.place)
    return order.check(beside)


class Standing:
    """What an order is checked beside. ``in_force``: the directives, those pending among them.

    Whether architectures are left is exact in spaces that can be listed. In larger ones
    contradictions of bounds, bans and requirements are exact, and the rest is tried on a
    sample, which the sentence says. Latency and energy are judged where a table has
    them, accuracy only by its bounds.
    """

    def __init__(
        self,
        given: Sequence[Directive],
        ground: Callable[[], Ground],
        designed: Collection[str],
        rules: Collection[str],
    ) -> None:
        active = [replace(d, status="active") for d in given if d.status in ("pending", "active")]
        self.given = given
        self.in_force = Directives(active)
        self._ground = ground
        self._designed = designed
        self._rules = rules

    @cached_property
    def ground(self) -> Ground:
        """What the run searches; made when first needed."""
        return self._ground()

    def need_niche(self, niche: int | None) -> None:
        """DirectiveError: the run has no such niche."""
        if niche is not None and niche >= len(self.ground.partition.niches):
            raise DirectiveError(
                f"niche {niche} does not exist: niches are 0 to"
                f" {len(self.ground.partition.niches) - 1}, see `pelnas front`"
            )

    def need_rule(self, rule: str) -> None:
        """DirectiveError: the run has no such rule."""
        if rule not in self._rules:
            raise DirectiveError(
                f"expected the id of a rule of this run, found {rule!r}: see `pelnas rules --all`"
            )

    def need_allowed(self, text: str) -> None:
        """DirectiveError: a directive in force would refuse an architecture that is not tried yet."""
        found = None if text in self._designed else _breaks(text, self.in_force, self.ground)
        if found:
            raise DirectiveError(
                f"{found[0]} does not allow it ({found[1]}): give '/undo {found[0]}' first"
            )

    def need_possible(self, new: Constraint) -> None:
        """DirectiveError: it forbids what is to be tried next, or leaves nothing with the others."""
        for id_, text in self.in_force.seeds:
            if text not in self._designed and _breaks(
                text, Directives([_as_new(new)]), self.ground
            ):
                raise DirectiveError(
                    f"{id_} asks to try {text} next, which this would forbid:"
                    f" give '/undo {id_}' first"
                )
        self.need_satisfiable(new, None)

    def need_satisfiable(self, new: Constraint | None, niche: int | None) -> None:
        """DirectiveError: nothing (in the niche) satisfies what is in force and a new one together."""
        ground = self.ground
        others = [d for d in self.in_force.all if isinstance(d.order, Constraint)]
        own = [_as_new(new)] if new is not None else []
        if _satisfiable(own + others, ground, niche):
            return
        space = ground.partition.space
        where = f"niche {niche}" if niche is not None else space.name
        tries = BUILT if Directives([*own, *others]).need_footprint(None) else SAMPLED
        seen = "" if space.size <= ENUMERABLE else f" (of {tries:,} networks sampled)"
        if own and not _satisfiable(own, ground, niche):
            raise DirectiveError(f"no network of {where} can satisfy this{seen}: ask for less")
        for other in others:
            if not _satisfiable([*own, other], ground, niche):
                others = [other]
                break
        names = ", ".join(f"{d.id} ({d.order.command})" for d in others)
        raise DirectiveError(
            f"no network of {where} can satisfy this together with {names}{seen}:"
            f" ask for less, or undo what stands in the way"
        )


# -- what can be obeyed -------------------------------------------------------------


def _as_new(order: Order) -> Directive:
    return Directive(NEW, order, "", "", 0.0, "active")


def _breaks(text: str, directives: Directives, ground: Ground) -> Refused | None:
    architecture = ground.partition.space.parse(text)
    return _refused(architecture, directives, ground)


def _refused(architecture: Architecture, directives: Directives, ground: Ground) -> Refused | None:
    niche = ground.partition.locate(architecture)
    features = ground.partition.features(architecture)
    found = directives.refuses(features, ground.sizes(architecture), niche)
    if found is None and ground.cost is not None and directives.need_cost(niche):
        found = directives.refuses_cost(ground.cost(architecture), niche)
    if found is None and directives.need_footprint(niche):
        counted = ground.partition.footprint(architecture)
        found = directives.refuses_footprint(counted.memory, counted.size, niche)
    return found


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
    tries = BUILT if directives.need_footprint(None) else SAMPLED
    wanted = [r.feature for _, r in directives.of(Require) if "@" not in r.feature]
    for _ in range(tries):
        genes = [allowed[int(rng.integers(len(allowed)))] for allowed in options]
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
