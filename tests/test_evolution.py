import numpy as np
from hypothesis import given
from hypothesis import strategies as st

from pelnas.architecture import Architecture, Shape
from pelnas.evolution import Evolution, Task, crossover, draw_tasks, mutate
from pelnas.partition import partition_by_operations
from pelnas.spaces import NasBench201, Tiny

SPACE = NasBench201()
INDEX = st.integers(0, SPACE.size - 1)
SEED = st.integers(0, 2**32)


@given(INDEX, SEED)
def test_a_mutation_changes_exactly_one_position(index: int, seed: int) -> None:
    parent = SPACE.at(index)
    child = mutate(SPACE, parent, np.random.default_rng(seed))
    assert sum(a != b for a, b in zip(parent.genes, child.genes, strict=True)) == 1


@given(INDEX, INDEX, SEED)
def test_a_crossover_takes_every_position_from_a_parent(one: int, other: int, seed: int) -> None:
    a, b = SPACE.at(one), SPACE.at(other)
    child = crossover(SPACE, a, b, np.random.default_rng(seed))
    assert all(c in pair for c, *pair in zip(child.genes, a.genes, b.genes, strict=True))


def test_half_of_the_tasks_are_crossovers() -> None:
    tasks = draw_tasks(5, 2000, np.random.default_rng(0))
    crossovers = [task for task in tasks if task.method == "crossover"]
    assert 900 < len(crossovers) < 1100
    assert all(len(set(task.parents)) == 2 for task in crossovers)
    assert {task.method for task in draw_tasks(1, 20, np.random.default_rng(0))} == {"mutation"}
    assert draw_tasks(0, 2, np.random.default_rng(0)) == (Task("sample"), Task("sample"))


PARTITION = partition_by_operations(Tiny(), Shape.square(10, 32))


def child(task: Task, taken: set[Architecture], prefer: object = None) -> Architecture | None:
    parents = PARTITION.members[1][:2]
    return Evolution(PARTITION).child(
        1,
        task,
        parents,
        np.random.default_rng(3),
        taken.__contains__,
        prefer if callable(prefer) else lambda _: 0.0,
    )


def test_children_stay_in_the_niche_are_new_and_run_out_at_its_end() -> None:
    members = set(PARTITION.members[1])
    taken: set[Architecture] = set()
    for step in range(len(members)):
        task = Task("crossover", (0, 1)) if step % 2 else Task("mutation", (0,))
        made = child(task, taken)
        assert made in members - taken
        assert made is not None
        taken.add(made)
    assert child(Task("mutation", (0,)), taken) is None


def test_preference_chooses_among_children() -> None:
    space = PARTITION.space

    def pools(architecture: Architecture) -> float:
        return space.features(architecture)["avg_pool_3x3"]

    plain = [child(Task("mutation", (0,)), set())]
    steered = [child(Task("mutation", (0,)), set(), pools)]
    assert plain[0] is not None
    assert steered[0] is not None
    assert pools(steered[0]) > pools(plain[0])


def test_only_children_that_are_let_in_are_returned_and_the_chosen_one_is_asked_about() -> None:
    space = PARTITION.space
    parent = PARTITION.members[1][0]
    allowed = set(PARTITION.members[1][::7])
    asked: list[Architecture] = []

    def lets_in(architecture: Architecture) -> bool:
        asked.append(architecture)
        return architecture in allowed

    evolution, rng, taken = Evolution(PARTITION), np.random.default_rng(3), set[Architecture]()
    for _ in range(len(allowed)):
        child = evolution.child(
            1, Task("mutation", (0,)), [parent], rng, taken.__contains__, space.index, lets_in
        )
        assert child in allowed
        assert child is not None
        taken.add(child)
    assert taken == allowed
    assert len(asked) < len(allowed) * len(PARTITION.members[1])
    task = Task("mutation", (0,))
    assert evolution.child(1, task, [parent], rng, taken.__contains__, space.index, lets_in) is None
