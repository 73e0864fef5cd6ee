"""NSGA-III of pymoo over categorical choices, the usual baseline for three objectives.

Deb & Jain, IEEE Transactions on Evolutionary Computation 18 (2014).
"""

from collections.abc import Callable, Sequence
from typing import Any

from pelnas.bench.nsga2 import choices, needed, operators

DIVISIONS = 8  # of each axis by Das and Dennis: 45 directions of three objectives


def minimise(
    evaluate: Callable[[tuple[int, ...]], Sequence[float]],
    sizes: Sequence[int],
    objectives: int,
    budget: int,
    seed: int,
) -> None:
    """Evaluate ``budget`` members; all objectives are minimised. ``sizes``: choices by position.

    As many members as directions, which is what Deb and Jain advise; the operators are those
    of ``pelnas.bench.nsga2``, all else is as pymoo sets it. InputError: there is no pymoo.
    """
    with needed():
        from pymoo.algorithms.moo.nsga3 import NSGA3
        from pymoo.optimize import minimize
        from pymoo.util.ref_dirs import get_reference_directions

    directions: Any = get_reference_directions(
        "das-dennis", objectives, n_partitions=DIVISIONS, seed=seed
    )
    algorithm = NSGA3(ref_dirs=directions, pop_size=len(directions), **operators(sizes))
    minimize(choices(evaluate, sizes, objectives), algorithm, ("n_eval", budget), seed=seed)
