"""The NAS-Bench-201 space: 15,625 cells of four nodes in the benchmark's own network."""

import random
from functools import cached_property
from itertools import product

from pelnas.architecture import Architecture
from pelnas.errors import ArchitectureError
from pelnas.predicate import Condition, Predicate
from pelnas.spaces.cell import OPERATIONS, CellSpace

ORDER_SEED = 88  # the benchmark's release shuffled its cells once, with this seed


def _niche(**counts: tuple[str, int]) -> Predicate:
    return Predicate(tuple(Condition(op, how, float(n)) for op, (how, n) in counts.items()))


class NasBench201(CellSpace):
    """Dong & Yang, ICLR 2020: 5 operations on 6 edges, 16 channels, three stages of 5 cells."""

    name = "nasbench201"
    nodes = 4
    cells_per_stage = 5
    channels = 16
    #: The six niches of PEL-NAS (arXiv 2510.01472) by operation counts.
    complexity_niches = (
        ("no 3x3 and no 1x1", _niche(nor_conv_3x3=("==", 0), nor_conv_1x1=("==", 0))),
        ("no 3x3, some 1x1", _niche(nor_conv_3x3=("==", 0), nor_conv_1x1=(">=", 1))),
        ("one 3x3", _niche(nor_conv_3x3=("==", 1))),
        ("two 3x3", _niche(nor_conv_3x3=("==", 2))),
        ("three 3x3", _niche(nor_conv_3x3=("==", 3))),
        ("four or more 3x3", _niche(nor_conv_3x3=(">=", 4))),
    )

    def at(self, index: int) -> Architecture:
        """The benchmark's architecture of this number, in the order of its release."""
        if not 0 <= index < self.size:
            raise ArchitectureError(
                f"{self.name} has indices 0 to {self.size - 1}, found {index}: give one of these"
            )
        return Architecture(self.name, self._order[index])

    def index(self, architecture: Architecture) -> int:
        return self._rank[architecture.genes]

    @cached_property
    def _order(self) -> list[tuple[int, ...]]:
        genomes = list(product(range(len(OPERATIONS)), repeat=len(self.edges)))
        random.Random(ORDER_SEED).shuffle(genomes)  # noqa: S311 - reproduces a published order
        return genomes

    @cached_property
    def _rank(self) -> dict[tuple[int, ...], int]:
        return {genes: index for index, genes in enumerate(self._order)}
