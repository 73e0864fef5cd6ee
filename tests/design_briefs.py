"""Briefs of designers, and a ledger and a meter for dialogues in tests."""

from collections.abc import Sequence

import numpy as np

from pelnas.agents.design_brief import DesignBrief, Parent
from pelnas.architecture import Shape
from pelnas.calls.call import CallRecord
from pelnas.calls.usage import Usage
from pelnas.evolution import Task
from pelnas.partition import Partition, partition_by_flops, partition_by_operations
from pelnas.spaces import get_space

SHAPE = Shape.square(10, 32)


def partition_of(name: str) -> Partition:
    space = get_space(name)
    if space.complexity_niches:
        return partition_by_operations(space, SHAPE)
    return partition_by_flops(space, 3, SHAPE)


def brief_of(partition: Partition, niche: int, parents: Sequence[str], count: int) -> DesignBrief:
    shown = tuple(Parent(f"r0n{niche}c{i}", text, 70.0, (3.0,)) for i, text in enumerate(parents))
    task = Task("crossover", (0, 1)) if len(shown) > 1 else Task("sample")
    home = partition.niches[niche]
    return DesignBrief(partition, home, 1, "toy", "toy10", "", (task,) * count, shown, (), (0,))


def members(partition: Partition, niche: int, count: int) -> list[str]:
    found = partition.sample(niche, np.random.default_rng(0))
    return [partition.space.format(next(found)) for _ in range(count)]


class Book:
    """A ledger in memory."""

    def __init__(self) -> None:
        self.calls: dict[str, CallRecord] = {}

    def recall(self, call_id: str, request: str) -> CallRecord | None:
        return None

    def begin_call(self, call: CallRecord) -> None:
        """Nothing is written down."""

    def record_call(self, call: CallRecord) -> None:
        self.calls[call.id] = call


class Purse:
    """A meter without limits."""

    def before_call(self) -> None:
        """Every call is allowed."""

    def after_call(self, usage: Usage) -> None:
        """Nothing is counted."""
