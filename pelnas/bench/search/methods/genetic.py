"""NSGA-II (Deb et al., IEEE TEC 2002) and NSGA-III (Deb & Jain, IEEE TEC 2014), by pymoo.

Uniform crossover, each choice drawn anew with probability 1/positions, duplicates removed; all
else as pymoo sets it.
"""

from collections.abc import Sequence
from typing import Any

import numpy as np

from pelnas.bench.nsga2 import choices, needed, operators
from pelnas.bench.search.problem import Trial

POPULATION = 40


def nsga2(trial: Trial) -> None:
    """Population 40, after the first population."""
    with needed():
        from pymoo.algorithms.moo.nsga2 import NSGA2

    _minimise(trial, NSGA2, {"pop_size": POPULATION})


def nsga3(trial: Trial) -> None:
    """Population 40, one for each direction."""
    with needed():
        from pymoo.algorithms.moo.nsga3 import NSGA3
        from pymoo.util.ref_dirs import get_reference_directions

    directions: Any = get_reference_directions("das-dennis", 2, n_partitions=POPULATION - 1)
    _minimise(trial, NSGA3, {"ref_dirs": directions, "pop_size": len(directions)})


def _minimise(trial: Trial, kind: Any, options: dict[str, Any]) -> None:
    from pymoo.optimize import minimize

    space = trial.space
    trial.evaluate(trial.first)  # once before: it says what stands for networks that cannot run

    def evaluate(genes: tuple[int, ...]) -> Sequence[float]:
        found = trial.finite(trial.evaluate([space.of(genes)]))
        return [float(value) for value in found[0]]

    sizes = [len(options) for options in space.choices]
    sampling = np.array([each.genes for each in trial.first])
    algorithm = kind(**operators(sizes) | {"sampling": sampling} | options)
    forever = ("n_eval", 1_000_000_000)  # the budget of the trial ends it
    minimize(choices(evaluate, sizes, 2), algorithm, forever, seed=trial.seed)
