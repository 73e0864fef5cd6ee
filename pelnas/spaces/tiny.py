"""A space of 125 very small networks, for documentation and tests: real, and quick to score."""

from pelnas.predicate import Condition, Predicate
from pelnas.spaces.cell import CellSpace


class Tiny(CellSpace):
    """Cells of three nodes, one cell a stage, 4 channels: 5 operations on 3 edges."""

    name = "tiny"
    nodes = 3
    cells_per_stage = 1
    channels = 4
    complexity_niches = (
        ("no convolution", Predicate((Condition("convolutions", "==", 0.0),))),
        ("one convolution", Predicate((Condition("convolutions", "==", 1.0),))),
        ("two or more convolutions", Predicate((Condition("convolutions", ">=", 2.0),))),
    )
