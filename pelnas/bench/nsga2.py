"""NSGA-II of pymoo over categorical choices, the usual baseline (Deb et al., IEEE TEC 2002)."""

from collections.abc import Callable, Sequence
from typing import Any

import numpy as np

from pelnas.errors import InputError
from pelnas.text import install


def minimise(
    evaluate: Callable[[tuple[int, ...]], tuple[float, float]],
    sizes: Sequence[int],
    population: int,
    budget: int,
    seed: int,
) -> None:
    """Evaluate ``budget`` members; both objectives are minimised. ``sizes``: choices by position.

    Uniform crossover, each choice drawn anew with probability 1/positions, duplicates removed;
    all else as pymoo sets it.
    """
    try:
        from pymoo.algorithms.moo.nsga2 import NSGA2
        from pymoo.core.mutation import Mutation
        from pymoo.core.problem import ElementwiseProblem
        from pymoo.operators.crossover.ux import UX
        from pymoo.operators.sampling.rnd import IntegerRandomSampling
        from pymoo.optimize import minimize
    except ImportError:
        raise InputError(f"expected the package pymoo, found none: {install('bench')}") from None

    upper = np.array(sizes) - 1

    class Choices(ElementwiseProblem):  # type: ignore[misc]
        def __init__(self) -> None:
            super().__init__(
                n_var=len(sizes), n_obj=2, xl=np.zeros(len(sizes)), xu=upper, vtype=int
            )

        def _evaluate(self, x: Any, out: dict[str, Any], *args: Any, **kwargs: Any) -> None:
            out["F"] = list(evaluate(tuple(int(gene) for gene in x)))

    class Redraw(Mutation):  # type: ignore[misc]
        def _do(self, problem: Any, members: Any, *args: Any, **kwargs: Any) -> Any:
            rng = kwargs["random_state"]
            changed = rng.random(members.shape) < 1 / len(sizes)
            return np.where(changed, rng.integers(0, upper + 1, size=members.shape), members)

    algorithm = NSGA2(
        pop_size=population,
        sampling=IntegerRandomSampling(),
        crossover=UX(),
        mutation=Redraw(),
        eliminate_duplicates=True,
    )
    minimize(Choices(), algorithm, ("n_eval", budget), seed=seed)
