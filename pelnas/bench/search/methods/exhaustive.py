"""Everything: the most that a source of accuracy lets any search find."""

from pelnas.bench.search.problem import Trial
from pelnas.errors import ConfigError
from pelnas.partition import ENUMERABLE


def search(trial: Trial) -> None:
    """Every network of the space, whatever the budget. ConfigError: too many, or scored one by one."""
    space = trial.space
    if space.size > ENUMERABLE or trial.problem.cell.accuracy not in ("table", "validation"):
        raise ConfigError(
            f"expected accuracies of all {space.size} networks of {space.name} in a table, found"
            f" accuracy {trial.problem.cell.accuracy}: leave the method exhaustive out"
        )
    trial.budget = space.size
    trial.evaluate([space.at(index) for index in range(space.size)])
