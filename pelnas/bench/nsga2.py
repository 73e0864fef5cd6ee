"""NSGA-II of pymoo over categorical choices, the usual baseline (Deb et al., IEEE TEC 2002)."""

from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from typing import Any

import numpy as np

from pelnas.errors import InputError
from pelnas.text import install

Evaluate = Callable[[tuple[int, ...]], Sequence[float]]


def minimise(
    evaluate: Evaluate, sizes: Sequence[int], population: int, budget: int, seed: int
) -> None:
    """Evaluate ``budget`` members; both objectives are minimised. ``sizes``: choices by position.

    Uniform crossover, each choice drawn anew with probability 1/positions, duplicates removed;
    all else as pymoo sets it. InputError: there is no pymoo.
    """
    with needed():
        from pymoo.algorithms.moo.nsga2 import NSGA2
        from pymoo.optimize import minimize

    algorithm = NSGA2(pop_size=population, **operators(sizes))
    minimize(choices(evaluate, sizes, 2), algorithm, ("n_eval", budget), seed=seed)


@contextmanager
def needed() -> Iterator[None]:
    """InputError in place of an import that fails."""
    try:
        yield
    except ImportError:
        raise InputError(f"expected the package pymoo, found none: {install('bench')}") from None


def choices(evaluate: Evaluate, sizes: Sequence[int], objectives: int) -> Any:
    """The problem of pymoo whose members are one choice for each position."""
    from pymoo.core.problem import ElementwiseProblem

    class Choices(ElementwiseProblem):  # type: ignore[misc]
        def __init__(self) -> None:
            low, high = np.zeros(len(sizes)), np.array(sizes) - 1
            super().__init__(n_var=len(sizes), n_obj=objectives, xl=low, xu=high, vtype=int)

        def _evaluate(self, x: Any, out: dict[str, Any], *args: Any, **kwargs: Any) -> None:
            out["F"] = list(evaluate(tuple(int(gene) for gene in x)))

    return Choices()


def operators(sizes: Sequence[int]) -> dict[str, Any]:
    """How members are drawn, crossed and mutated; duplicates are removed."""
    from pymoo.core.mutation import Mutation
    from pymoo.operators.crossover.ux import UX
    from pymoo.operators.sampling.rnd import IntegerRandomSampling

    class Redraw(Mutation):  # type: ignore[misc]
        def _do(self, problem: Any, members: Any, *args: Any, **kwargs: Any) -> Any:
            rng = kwargs["random_state"]
            changed = rng.random(members.shape) < 1 / len(sizes)
            drawn = rng.integers(0, np.array(sizes), size=members.shape)
            return np.where(changed, drawn, members)

    return {
        "sampling": IntegerRandomSampling(),
        "crossover": UX(),
        "mutation": Redraw(),
        "eliminate_duplicates": True,
    }
