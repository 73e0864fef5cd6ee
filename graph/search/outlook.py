"""What the run's surrogate expects of a network in one designer's step, and how sure it is."""

from collections.abc import Mapping, Sequence
from math import isfinite
from typing import NamedTuple

import numpy as np

from pelnas.agents.design_brief import DesignBrief
from pelnas.architecture import Architecture
from pelnas.surrogate.proposals import expected_gains

DRAWS = 64  # from the surrogate's posterior, whose spread is its uncertainty
_STREAM = 3  # of the draws, beside those of the step


class Outlook(NamedTuple):
    """Of one network. ``mean`` and ``uncertainty``: one standard deviation, by name of the objective.

    ``gain``, where it was asked for: the share of a hypervolume that it alone is expected to add to the
    front of the run, see ``pelnas.surrogate.proposals.expected_gains``; higher is better.
    """

    mean: Mapping[str, float | None]
    uncertainty: Mapping[str, float | None]
    gain: float | None


def outlooks(
    brief: DesignBrief, architectures: Sequence[Architecture], *, gains: bool = False
) -> list[Outlook]:
    """For each network; empty without a surrogate, or where it has too few evaluations.

    ``gains``: with what each would add to the front, which takes draws of its own.
    """
    surrogate = brief.surrogate
    if surrogate is None or not surrogate.ready or not architectures:
        return []
    rng = np.random.default_rng((*brief.seed, _STREAM))
    with surrogate.working():
        means = surrogate.expect(architectures)
        spreads = surrogate.draw(architectures, DRAWS, rng).std(axis=0)
        added: Sequence[float | None] = [None] * len(architectures)
        if gains:
            added = expected_gains(surrogate, architectures, DRAWS, rng).tolist()
    names = brief.objectives.fields
    return [
        Outlook(
            dict(zip(names, map(short, mean), strict=True)),
            dict(zip(names, map(short, spread), strict=True)),
            short(gain),
        )
        for mean, spread, gain in zip(means, spreads, added, strict=True)
    ]


def short(value: float | None) -> float | None:
    """Rounded to four significant digits; ``None`` for no finite number."""
    return float(f"{value:.4g}") if value is not None and isfinite(value) else None
