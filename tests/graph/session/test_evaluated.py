"""The archive and the evidence that a search holds are those of its store, whatever happened."""

from pathlib import Path

import numpy as np
import pytest

from pelnas.architecture import Cost, Design, Prediction, Shape
from pelnas.archive import Archive
from pelnas.config import SearchConfig
from pelnas.directives import Directives
from pelnas.graph.session.evaluated import Evaluated
from pelnas.partition import Partition, partition_by_operations
from pelnas.rules.evidence import METRICS
from pelnas.spaces import get_space
from pelnas.store import RunStore

SPACE = get_space("tiny")


@pytest.fixture(scope="module")
def partition() -> Partition:
    return partition_by_operations(SPACE, Shape.square(10, 32))


def work(store: RunStore, partition: Partition, round_: int, rng: np.random.Generator) -> None:
    """One round as a search stores it, in which one network cannot run."""
    for niche in range(len(partition.niches)):
        members = partition.members[niche]
        drawn = [members[int(k)] for k in rng.choice(len(members), 4, replace=False)]
        designs = [Design(SPACE.format(member), "x:y", "sample") for member in drawn]
        for slot, id_ in enumerate(store.replace_designs(round_, niche, designs, ())):
            store.record_prediction(id_, Prediction(float(rng.random()), 0.0), 1, 2.0)
            store.record_cost(id_, Cost(None if slot == niche else float(rng.integers(1, 5))))


def assert_same(held: Evaluated, store: RunStore, partition: Partition) -> None:
    """As one that begins now, with all that is stored."""
    with RunStore.read(store.folder) as found:
        anew = Evaluated(found, partition)
        here, there = held.archive(Directives()), anew.archive(Directives())
        known = Archive(found.evaluations(), len(partition.niches))
        assert here.evaluations == there.evaluations == known.evaluations
        assert here.union() == known.union()
        assert [here.front(k) for k in range(3)] == [known.front(k) for k in range(3)]
        one, other = held.evidence(), anew.evidence()
        assert one.ids == other.ids
        assert one.niche.tolist() == other.niche.tolist()
        for feature in partition.feature_names:
            assert one.column(feature).tolist() == other.column(feature).tolist()
        for metric in METRICS:
            assert one.distance(metric).tolist() == other.distance(metric).tolist()


def test_it_follows_rounds_replaced_designs_and_kills(tmp_path: Path, partition: Partition) -> None:
    rng = np.random.default_rng(0)
    config = SearchConfig(name="run", space="tiny", output=tmp_path)
    store = RunStore.create(config, "20260101-000000")
    held = Evaluated(store, partition)
    for round_ in (0, 1, 2, 2, 11, 1):  # some run again, one after its next
        work(store, partition, round_, rng)
        assert_same(held, store, partition)
        assert held.archive(Directives()) is held.archive(Directives())
        assert held.evidence() is held.evidence()
    store.replace_designs(2, 0, (), ())
    assert_same(held, store, partition)
    store.close()
    with RunStore.open(store.folder) as again:  # after a kill
        held = Evaluated(again, partition)
        assert_same(held, again, partition)
        work(again, partition, 12, rng)
        assert_same(held, again, partition)
