"""Multi-objective TPE (Ozaki et al., JAIR 2022) and a Gaussian process, by Optuna.

Every position is a categorical parameter. Networks that the device cannot run are reported as
worse than everything else.
"""

import warnings
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any

import numpy as np

from pelnas.architecture import Architecture
from pelnas.bench.search.methods.encoding import best
from pelnas.bench.search.problem import Trial
from pelnas.errors import InputError
from pelnas.text import install

if TYPE_CHECKING:
    from optuna import Study
    from optuna.samplers import BaseSampler

KNOWN = 100  # networks that the Gaussian process learns from
BATCH = 10  # proposals between two choices of what it learns from
TRIES = 20  # proposals of known networks in a row, after which a random one is evaluated


def tpe(trial: Trial) -> None:
    """Tree-structured Parzen estimators over all positions together, fitted to everything tried."""
    with _optuna() as optuna:
        sampler = optuna.samplers.TPESampler(
            n_startup_trials=0, multivariate=True, seed=_seed(trial)
        )
        trial.evaluate(trial.first)
        study = _study(trial, sampler, list(trial.tried))
        while True:
            _propose(trial, study)


def gaussian_process(trial: Trial) -> None:
    """Expected hypervolume improvement on the best ``KNOWN`` / 2 networks and the latest others.

    The time of a proposal grows with the cube of their number; so 600 evaluations take about
    seven minutes of a core.
    """
    with _optuna() as optuna:
        sampler = optuna.samplers.GPSampler(n_startup_trials=0, seed=_seed(trial))
        trial.evaluate(trial.first)
        while True:
            study = _study(trial, sampler, _known(trial))
            for _ in range(BATCH):
                _propose(trial, study)


def _known(trial: Trial) -> list[Architecture]:
    kept = dict.fromkeys(best(trial, KNOWN // 2))
    for each in reversed(trial.tried):
        if len(kept) >= KNOWN:
            break
        kept[each] = None
    return list(kept)


def _seed(trial: Trial) -> int:
    return int(trial.rng.integers(2**31))


@contextmanager
def _optuna() -> Iterator[Any]:
    """Optuna without its notes. InputError: it is not installed."""
    try:
        import optuna
    except ImportError:
        raise InputError(f"expected the package optuna, found none: {install('bench')}") from None
    optuna.logging.set_verbosity(optuna.logging.ERROR)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", optuna.exceptions.ExperimentalWarning)
        yield optuna


def _study(trial: Trial, sampler: "BaseSampler", known: Sequence[Architecture]) -> "Study":
    import optuna

    study = optuna.create_study(directions=["minimize", "minimize"], sampler=sampler)
    kinds = _distributions(trial)
    points = trial.finite(trial.evaluate(known))
    study.add_trials(
        [
            optuna.trial.create_trial(
                params=dict(zip(kinds, each.genes, strict=True)),
                distributions=kinds,
                values=values,
            )
            for each, values in zip(known, points.tolist(), strict=True)
        ]
    )
    return study


def _distributions(trial: Trial) -> dict[str, Any]:
    from optuna.distributions import CategoricalDistribution

    sizes = (len(options) for options in trial.space.choices)
    return {str(i): CategoricalDistribution(tuple(range(size))) for i, size in enumerate(sizes)}


def _propose(trial: Trial, study: "Study") -> None:
    """Evaluate the next new network that the sampler proposes, and tell it the result."""
    kinds = _distributions(trial)
    for _ in range(TRIES):
        asked = study.ask(kinds)
        genes = tuple(int(asked.params[name]) for name in kinds)
        architecture = trial.space.of(genes)
        fresh = architecture not in trial.tried
        values = trial.finite(trial.evaluate([architecture]))[0]
        study.tell(asked, np.asarray(values).tolist())
        if fresh:
            return
    trial.evaluate([trial.space.sample(trial.rng)])
