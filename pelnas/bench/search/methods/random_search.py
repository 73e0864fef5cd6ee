"""Uniform sampling without replacement."""

from pelnas.bench.search.problem import Trial


def search(trial: Trial) -> None:
    """Different networks, each drawn uniformly over the choices."""
    trial.evaluate(trial.first)
    while True:
        trial.evaluate([trial.space.sample(trial.rng)])
