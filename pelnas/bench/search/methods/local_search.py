"""Pareto local search (Paquete, Chiarandini & Stützle, 2004): neighbours of the front."""

from pelnas.architecture import Architecture
from pelnas.bench.search.problem import Trial
from pelnas.pareto import non_dominated


def search(trial: Trial) -> None:
    """All networks one choice away from a random front member whose neighbours are not known.

    Where every front member has been explored, a random network comes in between.
    """
    trial.evaluate(trial.first)
    explored: set[Architecture] = set()
    while True:
        members = list(trial.tried)
        front = [a for a, kept in zip(members, non_dominated(trial.points), strict=True) if kept]
        open_ = [each for each in front if each not in explored]
        if not open_:
            trial.evaluate([trial.space.sample(trial.rng)])
            continue
        chosen = open_[int(trial.rng.integers(len(open_)))]
        explored.add(chosen)
        around = list(trial.space.neighbours(chosen))
        trial.evaluate([around[i] for i in trial.rng.permutation(len(around))])
