"""What the run's surrogate expects of a network in one designer's step, and how sure it is."""

from collections.abc import Mapping, Sequence
from math import isfinite

import numpy as np

from pelnas.agents.design_brief import DesignBrief
from pelnas.architecture import Architecture

DRAWS = 64  # from the surrogate's posterior, whose spread is its uncertainty
_STREAM = 3  # of the draws, beside those of the step


def expected(
    brief: DesignBrief, architectures: Sequence[Architecture]
) -> list[tuple[Mapping[str, float | None], Mapping[str, float | None]]]:
    """For each network the posterior mean and standard deviation, by name of the objective.

    Empty without a surrogate, or where it has too few evaluations.
    """
    surrogate = brief.surrogate
    if surrogate is None or not surrogate.ready or not architectures:
        return []
    rng = np.random.default_rng((*brief.seed, _STREAM))
    with surrogate.working():
        means = surrogate.expect(architectures)
        spreads = surrogate.draw(architectures, DRAWS, rng).std(axis=0)
    names = brief.objectives.fields
    return [
        (
            dict(zip(names, map(short, mean), strict=True)),
            dict(zip(names, map(short, spread), strict=True)),
        )
        for mean, spread in zip(means, spreads, strict=True)
    ]


def short(value: float | None) -> float | None:
    """Rounded to four significant digits; ``None`` for no finite number."""
    return float(f"{value:.4g}") if value is not None and isfinite(value) else None
