"""How good a set of networks is against the true front.

Points are (latency in ms, negated accuracy in percent), both minimised. Two boxes normalise
them: that of the whole feasible space with the reference at (1, 1), and that of the true front
with the reference at 1.1, which shows differences that the many slow and bad networks of the
space hide in the first.
"""

from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass
from functools import cached_property
from typing import Self

import numpy as np
from numpy.typing import NDArray

from pelnas.pareto import Box, Floats, hypervolume, igd, non_dominated

REFERENCE = 1.1  # of the hypervolume in the box of the true front
BUDGETS = (0.1, 0.25, 0.5, 0.75, 0.9)  # latency budgets: quantiles of the latency of the space


@dataclass(frozen=True, slots=True)
class Quality:
    """What the front of a search is worth.

    ``hv``, ``igd``: hypervolume ratio and IGD in the box of the space, NaN where the space
    cannot be listed; ``front_hv``, ``front_igd``: in the box of the true front; ``found``: share
    of the true front's points that were found. ``hv``, ``front_hv`` and ``found``: higher is
    better, 1 is the true front; ``igd`` and ``front_igd``: lower is better, 0 is the true front.
    """

    hv: float
    igd: float
    front_hv: float
    front_igd: float
    found: float

    def to_dict(self) -> dict[str, float]:
        """By name."""
        return asdict(self)


#: The measures, and whether more is better.
MEASURES: Mapping[str, bool] = {
    "hv": True,
    "igd": False,
    "front_hv": True,
    "front_igd": False,
    "found": True,
}


@dataclass(frozen=True, eq=False)
class Yardstick:
    """``front`` (k, 2): the true front; ``box``: of the feasible space, ``None`` if unknown.

    ``latencies`` (n,): of the feasible space in ms, by which budgets are set; of a space that
    cannot be listed those of a sample.
    """

    front: Floats
    box: Box | None
    latencies: Floats

    @classmethod
    def of_space(cls, points: Floats) -> Self:
        """Of all feasible points of a space (n, 2)."""
        box = points.min(axis=0), points.max(axis=0)
        return cls(points[non_dominated(points)], box, points[:, 0])

    @classmethod
    def of_front(cls, front: Floats, latencies: Floats) -> Self:
        """Of a space of which only the true front (k, 2) is known, and a sample of latencies."""
        return cls(front, None, latencies)

    @cached_property
    def _own(self) -> Box:
        return self.front.min(axis=0), self.front.max(axis=0)

    @cached_property
    def _wide(self) -> Box:
        low, high = self._own
        return low, low + REFERENCE * (high - low)

    @cached_property
    def _volumes(self) -> tuple[float, float]:
        """Of the true front in both boxes, NaN without the first."""
        whole = float("nan") if self.box is None else hypervolume(self.front, self.box)
        return whole, hypervolume(self.front, self._wide)

    def judge(self, points: Floats) -> Quality:
        """The quality of a set of points (n, 2); the worst there is of an empty set."""
        nan, inf = float("nan"), float("inf")
        if not len(points):
            far = nan if self.box is None else inf
            return Quality(nan if self.box is None else 0.0, far, 0.0, inf, 0.0)
        whole, own = self._volumes
        return Quality(
            hv=nan if self.box is None else hypervolume(points, self.box) / whole,
            igd=nan if self.box is None else igd(points, self.front, self.box),
            front_hv=hypervolume(points, self._wide) / own,
            front_igd=igd(points, self.front, self._own),
            found=float(self.hits(points).mean()),
        )

    def hits(self, points: Floats) -> NDArray[np.bool_]:
        """Mask (k,) of the points of the true front that are among these."""
        known = set(map(tuple, points.tolist()))
        return np.array([tuple(point) in known for point in self.front.tolist()])

    @cached_property
    def budgets(self) -> tuple[float, ...]:
        """Latencies in ms under which the best accuracy counts: ``BUDGETS`` of the space."""
        return tuple(np.quantile(self.latencies, BUDGETS).tolist())

    def best_under(self, points: Floats) -> list[float | None]:
        """The best accuracy in percent within each latency budget; ``None`` for none within it."""
        return [_best(points, budget) for budget in self.budgets]

    def best_possible(self) -> list[float | None]:
        """The same of the true front."""
        return self.best_under(self.front)


def _best(points: Floats, budget: float) -> float | None:
    within = points[points[:, 0] <= budget, 1] if len(points) else points
    return float(-within.min()) if len(within) else None


def shown(seen: Floats) -> NDArray[np.intp]:
    """The rows that a search shows as its front, by what it has seen (n, 2)."""
    return np.flatnonzero(non_dominated(seen))


def checkpoints(budget: int, count: int = 20) -> Sequence[int]:
    """Numbers of evaluations at which a search is judged, evenly spaced; the last is ``budget``."""
    return tuple(dict.fromkeys(max(1, budget * k // count) for k in range(1, count + 1)))
