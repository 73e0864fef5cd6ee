"""The gate: what the directives in force let into one niche in one round, decided by the program."""

from collections import Counter
from collections.abc import Callable

from pelnas.architecture import Architecture, Cost
from pelnas.directives import Directives, Sizes
from pelnas.directives.active import Refused
from pelnas.partition import Partition


class Gate:
    """Judges architectures of one niche for one designer's step.

    ``cost``: looks up or measures, and remembers. ``allowance``: how many
    architectures may be asked for their cost in this step; ``None``: any
    number, where a table has it. Beyond it, costs count as unknown,
    so that a limit that hardly anything keeps cannot hold up a round;
    ``short`` says that this has happened.
    """

    def __init__(
        self,
        directives: Directives,
        partition: Partition,
        niche: int,
        cost: Callable[[Architecture], Cost],
        allowance: int | None,
    ) -> None:
        self._directives = directives
        self._partition = partition
        self._niche = niche
        self._cost = cost
        self._allowance = allowance
        self._by_formula: dict[Architecture, Refused | None] = {}
        self._by_cost: dict[Architecture, Refused | None] = {}
        self._open = not directives.constrain
        self.short = False
        self._needs_cost = directives.need_cost(niche)
        self._needs_footprint = directives.need_footprint(niche)

    def by_formula(self, architecture: Architecture) -> Refused | None:
        """The directive that operations, parameters or FLOPs break, and why."""
        if self._open:
            return None
        if architecture not in self._by_formula:
            self._by_formula[architecture] = self._directives.refuses(
                self._partition.space.features(architecture),
                Sizes(*self._partition.sizes(architecture)),
                self._niche,
            )
        return self._by_formula[architecture]

    def by_cost(self, architecture: Architecture) -> Refused | None:
        """The directive that latency or energy break, and why; asked last, since it may be measured.

        Before them memory and size, which are counted on the network.
        """
        if not (self._needs_cost or self._needs_footprint):
            return None
        if architecture not in self._by_cost and self._needs_footprint:
            counted = self._partition.footprint(architecture)
            found = self._directives.refuses_footprint(counted.memory, counted.size, self._niche)
            if found or not self._needs_cost:
                self._by_cost[architecture] = found
        if architecture not in self._by_cost:
            spent = self._allowance is not None and len(self._by_cost) >= self._allowance
            cost = Cost(None) if spent else self._cost(architecture)
            found = self._directives.refuses_cost(cost, self._niche)
            if spent and found:
                self.short = True
                return found[0], "its cost is unknown, and enough was measured for this round"
            self._by_cost[architecture] = found
        return self._by_cost[architecture]

    def judge(self, architecture: Architecture) -> Refused | None:
        """The first directive that does not let an architecture in, and why; ``None``: let in."""
        return self.by_formula(architecture) or self.by_cost(architecture)

    def passed_over(self, architectures: set[Architecture]) -> Counter[str]:
        """How many of these each directive keeps out, as far as they were judged."""
        judged = (self._by_formula.get(a) or self._by_cost.get(a) for a in architectures)
        return Counter(found[0] for found in judged if found)
