from collections import deque
from pathlib import Path

import numpy as np
import pytest

from pelnas.bench.search.methods import BASELINES, GROUPS, INFORMED, METHODS, RENAMED, named
from pelnas.bench.search.methods.encoding import one_hot
from pelnas.bench.search.methods.learned_partition import dominance
from pelnas.bench.search.methods.pelnas_search import believed
from pelnas.bench.search.problem import REPEATS, Cell, Problem, Trial
from pelnas.bench.search.sources import problem_of
from pelnas.config import SearchConfig
from pelnas.errors import BudgetExhausted, ConfigError
from pelnas.predicate import parse_predicate
from pelnas.rules.evidence import Evidence
from pelnas.rules.rule import Scope, propose
from pelnas.spaces import get_space

CELL = Cell("tiny", "toy10", "toy", "table")


@pytest.fixture
def problem(tiny_tables: Path, tmp_path: Path) -> Problem:
    return problem_of(CELL, SearchConfig(data=tiny_tables, output=tmp_path, per_niche=4))


def searched(method: str, problem: Problem, budget: int = 60, seed: int = 0) -> Trial:
    trial = Trial(problem, budget, seed, first=24)
    with pytest.raises(BudgetExhausted):
        METHODS[method].search(trial)
    return trial


@pytest.mark.parametrize("method", BASELINES)
def test_baselines_begin_alike_spend_the_budget_and_repeat(method: str, problem: Problem) -> None:
    pytest.importorskip("pymoo")
    pytest.importorskip("optuna")
    budget = {"gp": 26, "trees": 34, "tpe": 34}.get(method, 60)  # some take long to fit
    one, other = (searched(method, problem, budget) for _ in range(2))
    assert len(one.tried) == budget
    assert list(one.tried)[:24] == one.first
    assert list(one.tried) == list(other.tried)


def test_seeds_have_first_populations_of_their_own(problem: Problem) -> None:
    first = [Trial(problem, 60, seed, first=24).first for seed in range(2)]
    assert first[0] != first[1]
    assert len(set(first[0])) == 24


def test_a_search_of_this_package_without_a_part_is_another_one(problem: Problem) -> None:
    whole = searched("pelnas", problem)
    equal = searched("pelnas without allocation", problem)
    assert len(whole.tried) == len(equal.tried) == 60
    first = 4 * len(problem.partition.niches)  # networks of the first round
    assert list(whole.tried)[:first] == list(equal.tried)[:first]
    assert list(whole.tried) != list(equal.tried)
    assert [spent.calls for spent in whole.spent] == [0] * 60
    assert len(whole.authors) == 60
    assert whole.authors[0] == "builtin:evolver, sample"
    assert (problem.config.output / whole.run).is_dir()


def test_a_method_that_repeats_itself_pays_once_and_ends(problem: Problem) -> None:
    trial = Trial(problem, 10, 0, first=3)
    known = trial.evaluate(trial.first)
    assert np.array_equal(trial.evaluate(trial.first), known)
    assert trial.left == 7
    with pytest.raises(BudgetExhausted):
        deque((trial.evaluate(trial.first) for _ in range(REPEATS + 1)), maxlen=0)
    assert trial.left == 7


def test_a_budget_ends_in_the_middle_of_a_batch(problem: Problem) -> None:
    trial = Trial(problem, 5, 0, first=3)
    space = problem.space
    with pytest.raises(BudgetExhausted):
        trial.evaluate([space.at(index) for index in range(9)])
    assert list(trial.tried) == [space.at(index) for index in range(5)]


def test_groups_and_unknown_methods() -> None:
    assert named(["nsga2", "baselines"])[0] == "nsga2"
    assert named(["all", "exhaustive"]) == [
        *(
            n
            for n in METHODS
            if n not in ("exhaustive", INFORMED, RENAMED) and " at share " not in n
        ),
        "exhaustive",
    ]
    assert set(GROUPS["ablations"]) < set(METHODS)
    with pytest.raises(ConfigError, match="expected a method of the bench, found 'nsga9'"):
        named(["nsga9"])


def test_dominance_numbers() -> None:
    points = np.array([[0.0, 0.0], [1.0, 1.0], [2.0, 0.0], [1.0, 1.0]])
    assert dominance(points).tolist() == [0, 1, 1, 1]


def test_one_column_for_each_choice() -> None:
    space = get_space("tiny")
    columns = one_hot(space, [space.at(index) for index in range(space.size)])
    assert columns.shape == (space.size, sum(map(len, space.choices)))
    assert np.array_equal(columns.sum(axis=1), np.full(space.size, len(space.choices)))
    assert len(np.unique(columns, axis=0)) == space.size


def test_claims_that_nobody_measures_are_in_force() -> None:
    scope = Scope("tiny", "toy", "toy10")
    predicate = parse_predicate("nor_conv_3x3 >= 2", get_space("tiny").feature_names)
    claim = propose("Fast.", "hurts", "latency", predicate, scope, claimed=0.4)
    (rule,) = believed([claim], Evidence())
    assert (rule.status, rule.signed_effect) == ("in-force", -0.4)
